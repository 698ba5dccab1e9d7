/**
 * The section of docs/reliability.md about faults, from the results that a run wrote with `--json` (rows with two proxies:
 * proxies-page.ts):
 *
 *   npx tsx development/faults/page.ts FILE | node development/build/section.mjs faults docs/reliability.md
 */
import { readFileSync } from "node:fs";
import { MATRIX, phasesOf } from "./matrix";
import type { Outcome, PlayedRow, FaultResults } from "./results";
import { PROXIES } from "./rows/proxies";
import { serves } from "./table";

const OF_PROXIES = new Set(PROXIES.map(({ name }) => name));

export function page({ rows: played, command, machine, note, startedAt, endedAt }: FaultResults): string {
  const rows = played.filter(({ name }) => !OF_PROXIES.has(name));
  const all = rows.flatMap(({ outcomes }) => outcomes);
  const count = (status: Outcome["status"]) => all.filter((each) => each.status === status).length;
  const sent = sum(all, ({ users }) => users?.sent ?? 0);
  const failed = sum(all, ({ users }) => users?.failed ?? 0);
  const acknowledged = sum(all, ({ users }) => users?.acknowledged ?? 0);
  const found = sum(all, ({ users }) => users?.found ?? 0);
  const mended = rows.flatMap((row) =>
    row.outcomes.flatMap((outcome) =>
      outcome.mended === null ? [] : [{ row, outcome, change: outcome.mended }],
    ),
  );
  const skipped = rows.flatMap((row) =>
    row.outcomes.flatMap((outcome) => (outcome.status === "skipped" ? [{ row, outcome }] : [])),
  );
  const deviating = rows.flatMap((row) =>
    row.outcomes.flatMap((outcome) => (outcome.status === "failed" ? [{ row, outcome }] : [])),
  );
  const unplayed = MATRIX.filter(({ name }) => !OF_PROXIES.has(name)).flatMap((row) =>
    phasesOf(row).flatMap((phase) => {
      const played = rows.find(({ name }) => name === row.name)?.outcomes ?? [];
      return played.some((outcome) => outcome.phase === phase) ? [] : [`${row.name}@${phase}`];
    }),
  );
  return `## Faults

Each row is a real fault on the local platform (real Terraform, HAProxy, PostgreSQL, processes), in one phase of a
release, under a constant open-loop load: 60 requests a second, a fifth of them POSTs, without client retries. Every
answer is checked for status, body and release, and every acknowledged POST is looked up at the end. Then the commands in
the last column must succeed.

\`\`\`sh
${command}
npx tsx development/faults/page.ts faults.json | node development/build/section.mjs faults docs/reliability.md
\`\`\`

${machine}; ${day(startedAt)} to ${day(endedAt)}.${note === undefined ? "" : ` ${note}`}

* ${all.length} cases: ${count("passed")} ended as documented, ${count("failed")} did not, ${count("skipped")} were skipped
* ${sent} requests, ${failed} of them failed; acknowledged POSTs: ${acknowledged}, found at the end: ${found}
* never lost: an acknowledged POST, the record, a line of a director's journal

*users get* is the release that answered all requests after the command had ended, before the next one; then the record
and the director's phase. *lost* is the number of failed requests and the longest time without a good answer, the next
commands included; on a busy machine that is some tenths of a second without any fault.

${rows.map(section).join("\n")}
### What ended otherwise at first

${mended.length === 0 ? "Nothing." : [...grouped(mended)].map(([change, cases]) => `* **${cases.join(", ")}**: ${change}`).join("\n")}
${deviating.length === 0 ? "" : `\n### What does not end as documented\n\n${deviating.map(({ row, outcome }) => `* **${row.name}@${outcome.phase}**: ${outcome.broken.map(escaped).join("; ")}`).join("\n")}\n`}${skipped.length === 0 ? "" : `\n### Skipped\n\n${skipped.map(({ row, outcome }) => `* ${row.name}@${outcome.phase}: ${outcome.broken.join("; ")}`).join("\n")}\n`}${unplayed.length === 0 ? "" : `\n### Not played in this run\n\n${unplayed.join(", ")}.\n`}`;
}

function section({ name, fault, how, outcomes }: PlayedRow): string {
  const played = outcomes.filter(({ status }) => status !== "skipped");
  const lines = played.map((outcome, index) => {
    const { phase, exit, message, users, wayOn, end, expected } = outcome;
    const met = users === null ? "" : `${users.failed}, ${Math.round(users.longestGapMs)} ms`;
    const why = (users?.failed ?? 0) > 0 && expected.mayCost !== "" ? ` (${expected.mayCost})` : "";
    const ways = wayOn.map(({ command, exit: code }) => `\`${command}\`: ${code}`).join(", ");
    const record = end === null ? "" : `; ${end.record}; ${end.phase}`;
    const output = message !== "" && message === played[index - 1]?.message ? "the same" : escaped(message);
    return `|${phase}|${exit ?? ""}|${output}|${serves(outcome)}${record}|${met}${why}|${ways}|`;
  });
  if (lines.length === 0) return "";
  return `### ${fault[0]!.toUpperCase()}${fault.slice(1)}

\`${name}\`: ${how}.

|during|exit|message|users get|lost|next: exit|
|---|---|---|---|---|---|
${lines.join("\n")}
`;
}

function grouped(
  mended: readonly { row: PlayedRow; outcome: Outcome; change: string }[],
): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { row, outcome, change } of mended) {
    groups.set(change, [...(groups.get(change) ?? []), `${row.name}@${outcome.phase}`]);
  }
  return groups;
}

export function sum(outcomes: readonly Outcome[], of: (outcome: Outcome) => number): number {
  return outcomes.reduce((total, outcome) => total + of(outcome), 0);
}

/** For a cell of a table, without the name of the temporary folder. */
export function escaped(message: string): string {
  return message
    .replace(/\/[^\s:,']*bluegreen-e2e-[^/\s:,']+/g, "...")
    .replaceAll("|", "\\|")
    .replaceAll("<", "&lt;")
    .slice(0, 300);
}

export function day(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;
}

if (require.main === module) {
  const [file] = process.argv.slice(2);
  if (file === undefined) {
    console.error(
      "usage: npx tsx development/faults/page.ts FILE, which `npm run faults -- --json FILE` wrote",
    );
    process.exitCode = 2;
  } else process.stdout.write(page(JSON.parse(readFileSync(file, "utf8")) as FaultResults));
}
