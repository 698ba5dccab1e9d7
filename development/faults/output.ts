/** How a command ended: its exit code and its message. */
import type { Ran } from "../testbed/processes";

export function exitOf({ exitCode, signal }: Ran): number | "killed" {
  return signal === "SIGKILL" || exitCode === null ? "killed" : exitCode;
}

/** The reason in the JSON, or the last line on stderr. */
export function messageOf({ stdout, stderr }: Ran): string {
  if (stdout.trimStart().startsWith("{")) {
    const { reason, message } = JSON.parse(stdout) as { reason?: string; message?: string };
    return reason ?? message ?? "";
  }
  return stderr.trim().split("\n").at(-1) ?? "";
}
