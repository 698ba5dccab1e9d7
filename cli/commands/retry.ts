/** retry: the same record again, under a new sequence. */
import type { Request } from "../command-line/request";
import * as operations from "../deployment/operations";

export const retry: Request = {
  name: "retry",
  description: "try the record again after a failure, under a new sequence",
  declare: (command) => command,
  operation: () => operations.retry(),
};
