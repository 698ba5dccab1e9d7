/** Checks the account of the local platform's instances: the application should not have the rights of root. */
import { readFileSync } from "node:fs";
import { rootWarning } from "../../../configuration/advice";
import type { Environment } from "../../../configuration/environment";
import { isLocal } from "../../../configuration/platform";
import { failed, ok, warning } from "./check";
import type { Check } from "./check";

const SECONDS = 10;

export function accountCheck(environment: Environment, isRoot = process.getuid?.() === 0): Check[] {
  if (!isLocal(environment)) return [];
  const { user } = environment.platform;
  return [
    {
      name: "account",
      seconds: SECONDS,
      run() {
        if (!isRoot) return ok("instances run as the user of the command");
        const problem = rootWarning(environment, isRoot);
        if (problem !== null) return warning("instances run as root", problem);
        const accounts = readFileSync("/etc/passwd", "utf8").split("\n");
        return accounts.some((line) => line.startsWith(`${user}:`))
          ? ok(`instances run as ${user}`)
          : failed(`there is no account ${user}`, "create it, or change platform.user");
      },
    },
  ];
}
