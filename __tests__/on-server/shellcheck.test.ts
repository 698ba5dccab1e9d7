/** shellcheck finds nothing in what servers run: the scripts as they are written, and as steps get them. */
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { compose } from "./azure/machine";

const CHECKS =
  "add-default-case,avoid-nullary-conditions,deprecate-which,quote-safe-variables,require-double-brackets";
/** Functions that a trap or another function calls by name. Before 0.10 this is a part of SC2317, which scripts disable. */
const CALLED_BY_NAME = "SC2329";
const AZURE = readdirSync("on-server/azure").filter((name) => name.endsWith(".sh"));
const COMPLETE = [
  "on-server/hooks/run-hook.sh",
  "lib/on-server/install/install-release.sh",
  ...AZURE.map((name) => join("on-server/azure", name)),
];

const check = (options: string[], input?: string): void =>
  void execFileSync("shellcheck", ["-e", CALLED_BY_NAME, ...options], {
    stdio: "pipe",
    ...(input === undefined ? {} : { input }),
  });

const isHere = spawnSync("shellcheck", ["--version"]).status === 0;
if (!isHere) console.warn("SKIPPED: shellcheck is missing");

(isHere ? describe : describe.skip)("shellcheck finds nothing", () => {
  test.each(COMPLETE)("in %s", (file) => check(["-x", "-o", CHECKS, file]));

  test("in the result line's functions", () => check(["-s", "bash", "on-server/result-line.sh"]));

  test("in a local step as it is built", () =>
    check(["-S", "warning", "lib/on-server/local/run-command.sh"]));

  test("in an Azure run command as it is composed", () =>
    check(["-S", "warning", "-"], compose("true\n", { "a.txt": "content" })));
});
