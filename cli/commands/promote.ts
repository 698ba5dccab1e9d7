/** promote: takes a staged or paused candidate further. */
import { parseGoal } from "../command-line/schedule-options";
import type { Request } from "../command-line/request";
import * as operations from "../deployment/operations";

export const promote: Request = {
  name: "promote",
  description: "take a staged or paused candidate live, or to a weight",
  declare: (command) => command.option("--to <weight>", "a weight from 1 to 99, or live", "live"),
  operation: (_project, _tools, _args, { to }: { to: string }) => operations.promote(parseGoal(to)),
};
