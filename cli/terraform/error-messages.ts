/**
 * Recognizes errors of Terraform and of the azurerm provider, which exist as English text only. Every matched text is
 * here. `apply -json` prints a diagnostic with a summary and a detail; `init`, `plan` and `show` print to stderr. Tested with Terraform 1.11.4, 1.15.9 and 1.16.0-rc2, OpenTofu 1.12.6, and azurerm 4.55.0, 4.81.0 and 5.2.0.
 */
import { EXIT, failureCode } from "../../release/exit-code";
import type { FailureCode } from "../../release/exit-code";
import { readResultLine, ResultLine } from "../../release/result-line";
import { parseStep } from "../../release/steps";
import { inOneLine } from "../../release/text";

export interface Diagnostic {
  readonly severity: string;
  readonly summary: string;
  readonly detail?: string;
  /** The resource, as in `azurerm_virtual_machine_run_command.web_switch-proxy-2_0123ABCD`. */
  readonly address?: string;
}

export interface StepError {
  readonly exitCode: FailureCode;
  readonly reason: string;
}

/** 124: timeout(1). From 128 on: a signal. */
const LEAST_CODE_OF_KILLED = 124;
const LOCKED = "Error acquiring the state lock";
const REFUSED_AT_ONCE = ["Saved plan is stale", LOCKED];
/** Programs of this package: each begins its lines on stderr with its name. */
const PROGRAM = "(?:director \\w+|install|migrate|setup): ";
/** Lines of these programs within Azure's message, which contains the step's stderr. */
const LINE_WITHIN_AZURES = new RegExp(
  `^(?:.*?["':] )?(${PROGRAM}.+|step \\S+ ended with 0 and without .+)$`,
  "gm",
);

/** Terraform refused the plan and changed nothing. */
export function isRefusedAtOnce({ summary }: Diagnostic): boolean {
  return REFUSED_AT_ONCE.includes(summary);
}

/** A consequence of a failed step, with less information. */
export function isPostcondition({ summary }: Diagnostic): boolean {
  return summary === "Resource postcondition failed";
}

/** Terraform ended the step's process, as it does when it is interrupted itself. */
export function isKilledStep({ detail = "" }: Diagnostic): boolean {
  return detail.includes(": signal: ");
}

/** Why a step failed: its program's message, otherwise the closest one. */
export function stepErrorOf(diagnostic: Diagnostic): StepError {
  const { summary, detail = "", address } = diagnostic;
  // azurerm up to 4.74: "running the command: ..."; later ones name the resource.
  if (/running the command|runCommands\/|Virtual Machine Run Command/i.test(summary)) {
    return failureOnAzure(summary, detail, address);
  }
  // From Terraform, for a provisioner "local-exec": the last 8 KiB of stdout and stderr.
  const [, code, output] = /exit status (\d+)\. Output: ([\s\S]*)$/.exec(detail) ?? [];
  if (code === undefined || output === undefined) {
    const reason = `${summary}: ${detail.split("\n")[0] ?? ""}`;
    return isKilledStep(diagnostic) ? cutOff(address, reason) : { exitCode: EXIT.unexpected, reason };
  }
  const result = readResultLine(ResultLine, output);
  const reason = result?.exitCode === EXIT.done ? null : result?.reason;
  return {
    exitCode: failureCode(Number(code)),
    reason: reason ? inOneLine(reason) : withoutProgram(errorLines(output).at(-1) ?? summary),
  };
}

/** azurerm: `Message: "Run command failed with exit code 4: <stderr, as one line with \n>"`, then Azure's response. */
function failureOnAzure(summary: string, detail: string, address: string | undefined): StepError {
  const text = `${summary}\n${detail}`.replaceAll("\\n", "\n");
  const code = Number(/exit code(?: of)?:? '?(\d+)/.exec(text)?.[1]);
  const exitCode = failureCode(code);
  const line = [...text.matchAll(LINE_WITHIN_AZURES)].at(-1)?.[1];
  if (line !== undefined) return { exitCode, reason: withoutProgram(line.trim()) };
  const [, message] = /^Message: "(.*?)"?$/m.exec(text) ?? [];
  const azures = inOneLine(message ?? summary.split("\n")[0]!).slice(0, 300);
  const wasRunning = text.includes("polling") && !summary.startsWith("deleting ");
  const endedByItself = code < LEAST_CODE_OF_KILLED;
  return wasRunning && !endedByItself ? cutOff(address, azures) : { exitCode, reason: azures };
}

/**
 * The step's program could neither choose its exit code nor print its last line, so what it did is unknown. Azure's text
 * for a machine that restarts in the middle of a command is not known; it is passed on.
 */
function cutOff(address: string | undefined, cause: string): StepError {
  const step = address === undefined ? null : parseStep(address);
  // A proxy is named with the ways on, see proxy-steps.ts.
  const name = step === null || "proxy" in step ? "the step" : step.id;
  return {
    exitCode: EXIT.unexpected,
    reason: `${name} was cut off, as by a restart of its machine (${cause}): \`bluegreen retry\` when it runs again`,
  };
}

function withoutProgram(line: string): string {
  return line.replace(new RegExp(`^${PROGRAM}`), "");
}

/** The lock of a state: who has it, in words, and the id that unlocks it. */
export interface HeldLock {
  readonly holder: string;
  readonly id: string;
}

/** The holder of the state's lock; null if the error is another one. */
export function lockHolder(stderr: string): HeldLock | null {
  if (!stderr.includes(LOCKED)) return null;
  // Terraform Cloud does not tell who has it: the "Lock Info" is that of who asks, and its id unlocks nothing.
  const [, workspace] = /lock ID:[\s│]*"([^"\s]+)"/.exec(stderr) ?? [];
  if (workspace !== undefined) {
    return { holder: `(the page of the workspace ${workspace} says by whom)`, id: workspace };
  }
  const who = /Who:\s*(.*)/.exec(stderr)?.[1] ?? "an unknown process";
  return {
    holder: `by ${who} since ${/Created:\s*(.*)/.exec(stderr)?.[1] ?? "an unknown time"}`,
    id: /\bID:\s*([0-9a-f-]+)/.exec(stderr)?.[1] ?? "<ID>",
  };
}

/** The first lines of the error, without Terraform's frame and the warnings before it. */
export function firstErrorLines(stderr: string, count: number): string {
  const lines = errorLines(stderr);
  const at = lines.findIndex((line) => line.startsWith("Error:"));
  return lines.slice(Math.max(0, at)).slice(0, count).join(" ");
}

/** The resource whose `prevent_destroy` made the plan fail. */
export function keptFromDestruction(message: string): string | undefined {
  return /Resource (\S+) has\s+lifecycle\.prevent_destroy/.exec(message)?.[1];
}

function errorLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/^[│╷╵\s]+/, ""))
    .filter((line) => line !== "");
}
