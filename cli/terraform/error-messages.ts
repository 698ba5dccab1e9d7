/**
 * Recognizes errors of Terraform and of the azurerm provider. A failed step is known by what our own programs printed,
 * wherever a provider puts it. What exists as English text only is matched here, and nowhere else. `apply -json` prints a
 * diagnostic with a summary and a detail; `init`, `plan` and `show` print to stderr. Tested with Terraform 1.11.4, 1.15.9
 * and 1.16.0-rc2, OpenTofu 1.12.6, and azurerm 4.55.0, 4.81.0 and 5.2.0.
 */
import { isSetup, MOST_RUN_COMMANDS, nameOf, removalOf } from "../../configuration/azure/run-commands";
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
const PROGRAM = "(?:director \\w+|check|install|migrate|setup): ";
/** What a provider may put before a line of ours: the beginning of a quoted message. */
const BEFORE = `^(?:.*?["':] )?`;
/** Lines of these programs within a message that contains the step's stderr. */
const LINE_WITHIN = new RegExp(`${BEFORE}(${PROGRAM}.+|step \\S+ ended with 0 and without .+)$`, "gm");
/** The last line of a failed run command on Linux, from run-command.head.sh. */
const ENDED_WITHIN = new RegExp(`${BEFORE}bluegreen: \\S+ ended with (\\d{1,3})$`, "gm");
/** How azurerm names a run command, in four lines. */
const RESOURCE = /\(Subscription: "[^"]*"\n[\s\S]*?Run Command Name: ("[^"]*")\)/;
const CONFLICT = /unexpected status 409\b/;
const RUN_COMMAND = "azurerm_virtual_machine_run_command.";
/** Azure's resource id of a run command, in an error about one. */
const RUN_COMMAND_ID = /\/subscriptions\/[\w./()-]+\/virtualMachines\/[\w.-]+\/runCommands\/[\w.-]+/i;

/** Terraform refused the plan and changed nothing. */
export function isRefusedAtOnce({ summary }: Diagnostic): boolean {
  return REFUSED_AT_ONCE.includes(summary);
}

/** Azure did not take a run command, because another operation changes its server. It may take it later. */
export function isConflict({ summary, detail = "", address }: Diagnostic): boolean {
  const text = `${summary}\n${detail}`;
  return address?.includes(RUN_COMMAND) === true && CONFLICT.test(text) && noRoom(text) === null;
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
  // From Terraform, for a provisioner "local-exec": the last 8 KiB of stdout and stderr.
  const [, code, output] = /exit status (\d+)\. Output: ([\s\S]*)$/.exec(detail) ?? [];
  if (code !== undefined && output !== undefined) {
    const result = readResultLine(ResultLine, output);
    const reason = result?.exitCode === EXIT.done ? null : result?.reason;
    return {
      exitCode: failureCode(Number(code)),
      reason: reason ? inOneLine(reason) : withoutProgram(errorLines(output).at(-1) ?? summary),
    };
  }
  const text = unescaped(`${summary}\n${detail}`);
  const own = ownWords(text);
  if (own.line !== undefined || own.code !== undefined || address?.includes(RUN_COMMAND) === true) {
    return failureOnAzure(summary, text, own, address);
  }
  const reason = `${summary}: ${detail.split("\n")[0] ?? ""}`;
  return isKilledStep(diagnostic) ? cutOff(address, reason) : { exitCode: EXIT.unexpected, reason };
}

interface OwnWords {
  /** The last line of one of our programs. */
  readonly line?: string | undefined;
  /** The exit code in a run command's last line. */
  readonly code?: number | undefined;
}

/** What our programs printed, within a provider's error. */
function ownWords(text: string): OwnWords {
  // Azure's answer, in JSON, repeats the message.
  for (const part of [text.split(/^---$/m)[0]!, text]) {
    const line = [...part.matchAll(LINE_WITHIN)].at(-1)?.[1];
    const code = [...part.matchAll(ENDED_WITHIN)].at(-1)?.[1];
    if (line !== undefined || code !== undefined)
      return { line, code: code === undefined ? undefined : Number(code) };
  }
  return {};
}

/** azurerm quotes the message in one line. */
function unescaped(text: string): string {
  return text.replace(/\\([n"\\])/g, (_, character: string) => (character === "n" ? "\n" : character));
}

/** Azure: `Message: "Run command failed with exit code 4: <stderr, as one line with \n>"`, then its answer as JSON. */
function failureOnAzure(
  summary: string,
  text: string,
  own: OwnWords,
  address: string | undefined,
): StepError {
  const code = own.code ?? Number(/exit code(?: of)?:? '?(\d+)/.exec(text)?.[1]);
  const exitCode = failureCode(code);
  if (own.line !== undefined) return { exitCode, reason: withoutProgram(own.line.trim()) };
  const refused = leftOver(text) ?? noRoom(text);
  if (refused !== null) return { exitCode: EXIT.unexpected, reason: refused };
  const [, message] = /^Message: "(.*?)"?$/m.exec(text) ?? [];
  const azures = inOneLine(message ?? summary.replace(RESOURCE, "$1")).slice(0, 300);
  const wasRunning = /polling|deadline exceeded/.test(text) && !summary.startsWith("deleting ");
  const endedByItself = code < LEAST_CODE_OF_KILLED;
  return wasRunning && !endedByItself ? cutOff(address, azures) : { exitCode, reason: azures };
}

/** The server already has a command of this name, which no state knows. @returns the ways out; null for another error. */
function leftOver(text: string): string | null {
  const [id] = RUN_COMMAND_ID.exec(text) ?? [];
  if (id === undefined || !text.includes("already exists")) return null;
  const server = /\/virtualMachines\/([^/]+)/i.exec(id)![1];
  const found = `${nameOf(id)} already exists on ${server}, but no state knows it`;
  const removal = removalOf([id]);
  return isSetup(id)
    ? `${found}: remove it (\`${removal}\`), then deploy base again`
    : `${found}: \`bluegreen retry\` goes on under a new name. To remove it: \`${removal}\``;
}

/** The server has as many commands as Azure keeps. Nothing ran. @returns null for another error. */
function noRoom(text: string): string | null {
  if (!CONFLICT.test(text) || !/run commands.* (?:reached|exceed)/i.test(text)) return null;
  const [, server = "a server"] = /^Virtual Machine Name: "(.*)"$/m.exec(text) ?? [];
  return `${server} has ${MOST_RUN_COMMANDS} run commands, as many as Azure keeps: \`bluegreen doctor\` names those that no state knows, with the command that removes them`;
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
