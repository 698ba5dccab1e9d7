/** retry: the same record again, under the next sequence. */
import type { Request } from "../command-line/request";
import { endingSessions, NOW } from "../command-line/now-option";
import type { NowOptions } from "../command-line/now-option";
import { EXPECT_CHANGE } from "../command-line/schedule-options";
import { WITHOUT, withoutFrom } from "../command-line/without-option";
import type { WithoutOptions } from "../command-line/without-option";
import * as operations from "../deployment/operations";

interface RetryOptions extends WithoutOptions, NowOptions {
  readonly expectChange?: boolean;
}

export const retry: Request = {
  name: "retry",
  description: "try a failed record again, under the next sequence",
  declare: (command) =>
    command
      .option(...WITHOUT)
      .option(...EXPECT_CHANGE)
      .option(...NOW),
  operation: (project, _tools, _args, options: RetryOptions) =>
    endingSessions(operations.retry(project, withoutFrom(options), options.expectChange), project, options),
};
