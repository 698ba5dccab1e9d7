/** Kills an install before its n-th command. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Parameters, TestServer } from "./server";

/**
 * Makes bash end itself with SIGKILL before its n-th command; with n = 0 it writes down how many there were, and when the
 * named functions began. Not with a function, which the scripts would remove (chosen-environment.sh).
 */
export function killedAt(root: string, n: number, functions: readonly string[] = []): Parameters {
  const file = path.join(root, "kill.sh");
  fs.writeFileSync(
    file,
    `commands=0
set -T
trap 'if [[ $BASHPID == "$$" ]]; then
  commands=$((commands + 1))
  if ((KILL_AT == 0)); then
    printf %s "$commands" >"$COUNT_FILE"
    if [[ " ${functions.join(" ")} " == *" $BASH_COMMAND "* ]]; then printf %s "$commands" >"$COUNT_FILE-$BASH_COMMAND"; fi
  fi
  if ((commands == KILL_AT)); then kill -KILL $$; fi
fi' DEBUG
`,
  );
  return { BASH_ENV: file, KILL_AT: String(n), COUNT_FILE: path.join(root, "count") };
}

/** Runs an install, and tells before which command each of the functions was called. */
export async function pointsOf<const Names extends readonly string[]>(
  server: TestServer,
  parameters: Parameters,
  root: string,
  functions: Names,
): Promise<{ [Index in keyof Names]: number }> {
  await server.install({ ...parameters, ...killedAt(root, 0, functions) });
  const points = functions.map((name) => Number(fs.readFileSync(path.join(root, `count-${name}`), "utf8")));
  return points as { [Index in keyof Names]: number };
}
