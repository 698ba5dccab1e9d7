/** heal: brings servers that base replaced or added to what the others serve. */
import type { Request } from "../command-line/request";
import * as operations from "../deployment/operations";

export const heal: Request = {
  name: "heal",
  description:
    "bring servers or proxies that base replaced, or that have an old state, to what the others serve",
  declare: (command) => command.argument("<server...>", "as in web-1 web-3, or proxy-2"),
  operation: (project, tools, [servers]) => operations.heal(project, tools, servers as string[]),
};
