/** retry: the same record again, under the next sequence. */
import type { Request } from "../command-line/request";
import * as operations from "../deployment/operations";

export const retry: Request = {
  name: "retry",
  description: "try a failed record again, under the next sequence",
  declare: (command) => command,
  operation: () => operations.retry(),
};
