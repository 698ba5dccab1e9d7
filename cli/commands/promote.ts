/** promote: takes a staged or paused candidate further. */
import { EXPECT_CHANGE, parseGoal } from "../command-line/schedule-options";
import type { Request } from "../command-line/request";
import * as operations from "../deployment/operations";

interface PromoteOptions {
  readonly to: string;
  readonly expectChange?: boolean;
}

export const promote: Request = {
  name: "promote",
  description: "take a staged or paused candidate live, or to a weight",
  declare: (command) =>
    command.option("--to <weight>", "a weight from 1 to 99, or live", "live").option(...EXPECT_CHANGE),
  operation: (project, _tools, _args, { to, expectChange }: PromoteOptions) =>
    operations.promote(project, parseGoal(to), expectChange),
};
