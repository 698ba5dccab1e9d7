/** retry: the same record again, under the next sequence. */
import type { Request } from "../command-line/request";
import { WITHOUT, withoutFrom } from "../command-line/without-option";
import type { WithoutOptions } from "../command-line/without-option";
import * as operations from "../deployment/operations";

export const retry: Request = {
  name: "retry",
  description: "try a failed record again, under the next sequence",
  declare: (command) => command.option(...WITHOUT),
  operation: (project, _tools, _args, options: WithoutOptions) =>
    operations.retry(project, withoutFrom(options)),
};
