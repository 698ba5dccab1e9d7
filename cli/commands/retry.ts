/** retry: the same record again, under the next sequence. */
import type { Request } from "../command-line/request";
import { EXPECT_CHANGE } from "../command-line/schedule-options";
import { WITHOUT, withoutFrom } from "../command-line/without-option";
import type { WithoutOptions } from "../command-line/without-option";
import * as operations from "../deployment/operations";

export const retry: Request = {
  name: "retry",
  description: "try a failed record again, under the next sequence",
  declare: (command) => command.option(...WITHOUT).option(...EXPECT_CHANGE),
  operation: (project, _tools, _args, options: WithoutOptions & { readonly expectChange?: boolean }) =>
    operations.retry(project, withoutFrom(options), options.expectChange),
};
