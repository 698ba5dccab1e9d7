/** Receipts as text: one line each, or one in full. */
import { formatPerson } from "../project/person";
import { describeEntry } from "../../release/journal-words";
import type { Receipt } from "../../release/receipt";
import { inOneLine } from "../../release/text";
import { describeUsersAnswers, usersAnswers } from "../../release/users-answers";
import type { Colours } from "../terminal/colours";

/** Newest first. */
export function formatHistory(receipts: readonly Receipt[], colours: Colours): string {
  if (receipts.length === 0) return "no receipts yet: the next release writes one";
  return [...receipts]
    .reverse()
    .map((receipt) => formatLine(receipt, colours))
    .join("\n");
}

function formatLine(
  { sequence, startedAt, action, outcome, from, to, exitCode, seconds, requests, who, proxies }: Receipt,
  colours: Colours,
): string {
  const mark = exitCode === 0 ? colours.green("✔") : colours.red("✖");
  const move = from === to ? `${to ?? "nothing"} stays` : `${from ?? "nothing"} -> ${to ?? "nothing"}`;
  const measured =
    requests === null
      ? "not measured"
      : `${requests.failed} of ${requests.sent} measured requests failed, longest gap ${Math.round(requests.longestGapMs)} ms`;
  const users = usersAnswers(proxies);
  const got = users === null ? measured : `${describeUsersAnswers(users)}; ${measured}`;
  const columns = [
    startedAt.slice(0, 19).replace("T", " "),
    `${action} ${outcome}`.padEnd(20),
    move,
    `(${seconds.toFixed(1)} s, ${got}, ${who.user})`,
  ].map(inOneLine);
  return [`${mark} ${String(sequence ?? "").padStart(4)}`, ...columns].join("  ");
}

export function formatReceiptInFull(receipt: Receipt, colours: Colours): string {
  const { action, outcome, reason, plan, proxies, hooks, warnings, freezeOverride, requests } = receipt;
  const rows: [string, string][] = [
    ["users", describeUsersAnswers(usersAnswers(proxies))],
    ["who", formatPerson(receipt.who)],
    ["when", `${receipt.startedAt} to ${receipt.endedAt} (${receipt.seconds.toFixed(1)} s)`],
    ["stable", `${receipt.from ?? "nothing"} -> ${receipt.to ?? "nothing"}`],
    ["reason", reason],
    ...(plan === null ? [] : [["proof", plan.proof] as [string, string]]),
    ...proxies.flatMap(({ proxy, journal }) =>
      journal.map((entry): [string, string] => [proxy, `${timeOf(entry.at)} ${describeEntry(entry)}`]),
    ),
    ...hooks.map(({ when, name, exitCode, lastLine }): [string, string] => [
      `hook`,
      `${when}: ${name}, exit code ${exitCode}${lastLine === "" ? "" : `, ${lastLine}`}`,
    ]),
    ["requests", requests === null ? `not measured: ${receipt.notMeasured}` : describeRequests(requests)],
    ...warnings.map((warning): [string, string] => ["warning", warning]),
    ...(freezeOverride === null
      ? []
      : [
          ["freeze", `${freezeOverride.window} was overridden: ${freezeOverride.reason}`] as [string, string],
        ]),
  ];
  const title = `record ${receipt.sequence}: ${action} ${outcome} (exit code ${receipt.exitCode})`;
  // A receipt may be edited: its text must not add lines or control the terminal.
  const lines = rows.map(([name, text]) => inOneLine(`  ${name.padEnd(9)} ${text}`));
  return [colours.bold(inOneLine(title)), ...lines].join("\n");
}

/** By the proxy's clock, which may be invalid. */
function timeOf(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "invalid time" : time.toISOString().slice(11, 19);
}

function describeRequests({
  origin,
  sent,
  failed,
  longestGapMs,
  versions,
  latencyMs,
}: NonNullable<Receipt["requests"]>): string {
  const seen = Object.entries(versions).map(([id, count]) => `${id} ${count}`);
  return `${sent} to ${origin}, ${failed} failed, longest gap ${Math.round(longestGapMs)} ms, p50 ${latencyMs.p50} p95 ${latencyMs.p95} p99 ${latencyMs.p99} ms; ${seen.join(", ")}`;
}
