/** migrations resolve: what became of a script without a transaction that did not come to its end. */
import { Option } from "commander";
import { RESOLUTIONS } from "../../release/resolution";
import type { Resolution } from "../../release/resolution";
import type { Request } from "../command-line/request";
import * as operations from "../deployment/operations";

export const resolve: Request = {
  name: "resolve",
  description: "say what became of a script without a transaction that did not come to its end, and go on",
  declare: (command) =>
    command
      .argument("<script>", "its name, as in 0004-x.sql")
      .addOption(
        new Option("--as <outcome>", "applied: its work is done; pending: it is undone, and runs again")
          .choices(RESOLUTIONS)
          .makeOptionMandatory(),
      ),
  operation: (project, _tools, [script], { as }: { as: Resolution["as"] }) =>
    operations.resolve(project, { script: String(script), as }),
};
