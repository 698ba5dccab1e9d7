/** rollback: returns to the release that was live before. */
import type { Request } from "../command-line/request";
import { brokeGlass, withBreakGlass } from "../command-line/break-glass";
import { endingSessions, NOW } from "../command-line/now-option";
import type { NowOptions } from "../command-line/now-option";
import { scheduleFrom, withSchedule } from "../command-line/schedule-options";
import type { ScheduleOptions } from "../command-line/schedule-options";
import { WITHOUT, withoutFrom } from "../command-line/without-option";
import type { WithoutOptions } from "../command-line/without-option";
import * as operations from "../deployment/operations";

export const rollback: Request = {
  name: "rollback",
  description: "return to the release that was live before, at once if it still runs",
  declare: (command) =>
    withSchedule(command)
      .option(...WITHOUT)
      .option(...NOW),
  operation: (project, _tools, _args, options: ScheduleOptions & WithoutOptions & NowOptions) =>
    endingSessions(
      operations.rollback(project, scheduleFrom(project, options), withoutFrom(options)),
      project,
      options,
      "all",
    ),
  withoutTerraform: { declare: withBreakGlass, carriedOut: brokeGlass },
};
