/** A person at a terminal, for the tests: `script` of util-linux makes the terminal, and questions are answered as they appear. */
import { spawn } from "node:child_process";

/** With it `script` starts its command. Ctrl-C reaches it too, and a plain sh ends with 130 whatever the command ended with. */
export const TERMINAL_SHELL = "/bin/bash";

/** Long after the slowest question on a busy machine: one that does not come is a failure with the screen, not a hang. */
const PATIENCE_MS = 120_000;

export type Answers = readonly (readonly [question: string, answer: string])[];

/** @returns all that was on the screen, and how the command ended. */
export function atTerminal(
  line: string,
  answers: Answers,
  folder: string,
): Promise<{ readonly screen: string; readonly exitCode: number | null }> {
  const child = spawn(
    "script",
    ["--quiet", "--return", "--command", `stty cols 100 rows 40; ${line}`, "/dev/null"],
    {
      cwd: folder,
      env: {
        ...process.env,
        SHELL: TERMINAL_SHELL,
        NO_COLOR: "1",
        FORCE_COLOR: undefined,
        TERM: "xterm",
        CI: undefined,
      },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const waiting = [...answers];
  let screen = "";
  let seen = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
    const [next] = waiting;
    if (next === undefined || !screen.slice(seen).includes(next[0])) return;
    seen = screen.length;
    waiting.shift();
    child.stdin.write(next[1]);
  });
  const impatient = setTimeout(() => child.kill(), PATIENCE_MS);
  return new Promise((done, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => {
      clearTimeout(impatient);
      if (waiting.length === 0) done({ screen, exitCode });
      else reject(new Error(`nobody asked "${waiting[0]![0]}": ${screen}`));
    });
  });
}
