/**
 * The errors of Terraform and of the azurerm provider, which exist as English text only: every text of theirs that is
 * matched is here. `apply -json` gives a diagnostic with a summary and a detail; `init`, `plan` and `show` print to stderr.
 * Seen in Terraform 1.11.4, 1.15.9 and 1.16.0-rc2, OpenTofu 1.12.6, and azurerm 4.55.0, 4.81.0 and 5.2.0.
 */
import { EXIT, failureCode } from "../../release/exit-code";
import type { FailureCode } from "../../release/exit-code";
import { readResultLine, ResultLine } from "../../release/result-line";
import { inOneLine } from "../../release/text";

export interface Diagnostic {
  readonly severity: string;
  readonly summary: string;
  readonly detail?: string;
}

export interface StepError {
  readonly exitCode: FailureCode;
  readonly reason: string;
}

const LOCKED = "Error acquiring the state lock";
const REFUSED_AT_ONCE = ["Saved plan is stale", LOCKED];
/** The program of ours whose line it is: on stderr, each begins its lines with its name. */
const PROGRAM = "(?:director \\w+|install|migrate|setup): ";
/** Our lines within Azure's sentence, which has only what a step wrote to stderr. */
const LINE_WITHIN_AZURES = new RegExp(
  `^(?:.*?["':] )?(${PROGRAM}.+|step \\S+ ended with 0 and without .+)$`,
  "gm",
);

/** Terraform refused the plan before it did anything. */
export function isRefusedAtOnce({ summary }: Diagnostic): boolean {
  return REFUSED_AT_ONCE.includes(summary);
}

/** It follows on the failure of a step, and has less to it. */
export function isPostcondition({ summary }: Diagnostic): boolean {
  return summary === "Resource postcondition failed";
}

/** Why a step failed: what its program reported, or what comes closest to that. */
export function stepErrorOf({ summary, detail = "" }: Diagnostic): StepError {
  // azurerm up to 4.74: "running the command: ..."; later ones name the resource.
  if (/running the command|runCommands\/|Virtual Machine Run Command/i.test(summary)) {
    return failureOnAzure(summary, detail);
  }
  // Terraform, of a provisioner "local-exec": stdout and stderr, the last 8 KiB.
  const [, code, output] = /exit status (\d+)\. Output: ([\s\S]*)$/.exec(detail) ?? [];
  if (code === undefined || output === undefined) {
    return { exitCode: EXIT.unexpected, reason: `${summary}: ${detail.split("\n")[0] ?? ""}` };
  }
  const result = readResultLine(ResultLine, output);
  const reason = result?.exitCode === EXIT.done ? null : result?.reason;
  return {
    exitCode: failureCode(Number(code)),
    reason: reason ? inOneLine(reason) : withoutProgram(errorLines(output).at(-1) ?? summary),
  };
}

/** azurerm: `Message: "Run command failed with exit code 4: <stderr, as one line with \n>"`, then Azure's answer as it came. */
function failureOnAzure(summary: string, detail: string): StepError {
  const text = `${summary}\n${detail}`.replaceAll("\\n", "\n");
  const code = /exit code(?: of)?:? '?(\d+)/.exec(text)?.[1] ?? "1";
  const line = [...text.matchAll(LINE_WITHIN_AZURES)].at(-1)?.[1];
  const reason = line === undefined ? summary.split("\n")[0]!.slice(0, 500) : withoutProgram(line.trim());
  return { exitCode: failureCode(Number(code)), reason };
}

function withoutProgram(line: string): string {
  return line.replace(new RegExp(`^${PROGRAM}`), "");
}

/** Who holds the state's lock; null where that is not what is wrong. */
export function lockHolder(stderr: string): Readonly<Record<"who" | "since" | "id", string>> | null {
  if (!stderr.includes(LOCKED)) return null;
  return {
    who: /Who:\s*(.*)/.exec(stderr)?.[1] ?? "somebody",
    since: /Created:\s*(.*)/.exec(stderr)?.[1] ?? "",
    id: /\bID:\s*([0-9a-f-]+)/.exec(stderr)?.[1] ?? "<ID>",
  };
}

/** The first lines of the error, without the frame that Terraform draws around it and the warnings before it. */
export function firstErrorLines(stderr: string, count: number): string {
  const lines = errorLines(stderr);
  const at = lines.findIndex((line) => line.startsWith("Error:"));
  return lines.slice(Math.max(0, at)).slice(0, count).join(" ");
}

/** The resource that `prevent_destroy` keeps Terraform from planning to destroy. */
export function keptFromDestruction(message: string): string | undefined {
  return /Resource (\S+) has\s+lifecycle\.prevent_destroy/.exec(message)?.[1];
}

function errorLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/^[│╷╵\s]+/, ""))
    .filter((line) => line !== "");
}
