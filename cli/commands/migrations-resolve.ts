/** migrations resolve: records the state of an interrupted script without a transaction. */
import { Option } from "commander";
import { RESOLUTIONS } from "../../release/resolution";
import type { Resolution } from "../../release/resolution";
import type { Request } from "../command-line/request";
import * as operations from "../deployment/operations";

export const resolve: Request = {
  name: "resolve",
  description: "record the state of an interrupted script without a transaction, then continue as with retry",
  declare: (command) =>
    command
      .argument("<script>", "its name, as in 0004-x.sql")
      .addOption(
        new Option("--as <outcome>", "applied: its work is complete; pending: it is undone, run it again")
          .choices(RESOLUTIONS)
          .makeOptionMandatory(),
      ),
  operation: (project, _tools, [script], { as }: { as: Resolution["as"] }) =>
    operations.resolve(project, { script: String(script), as }),
};
