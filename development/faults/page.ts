/** npx tsx development/faults/page.ts FILE > docs/reliability.md: the page for readers, from what a run wrote with `--json`. */
import { readFileSync } from "node:fs";
import { MATRIX, phasesOf } from "./matrix";
import type { Outcome, PlayedRow, FaultResults } from "./results";
import { serves, usersMet } from "./table";

export function page({ rows, command, machine, note, startedAt, endedAt }: FaultResults): string {
  const all = rows.flatMap(({ outcomes }) => outcomes);
  const count = (status: Outcome["status"]) => all.filter((each) => each.status === status).length;
  const sent = sum(all, ({ users }) => users?.sent ?? 0);
  const failed = sum(all, ({ users }) => users?.failed ?? 0);
  const acknowledged = sum(all, ({ users }) => users?.acknowledged ?? 0);
  const found = sum(all, ({ users }) => users?.found ?? 0);
  const mended = rows.flatMap((row) =>
    row.outcomes.flatMap((outcome) =>
      outcome.mended === null ? [] : [{ row, outcome, words: outcome.mended }],
    ),
  );
  const skipped = rows.flatMap((row) =>
    row.outcomes.flatMap((outcome) => (outcome.status === "skipped" ? [{ row, outcome }] : [])),
  );
  const deviating = rows.flatMap((row) =>
    row.outcomes.flatMap((outcome) => (outcome.status === "failed" ? [{ row, outcome }] : [])),
  );
  const unplayed = MATRIX.flatMap((row) =>
    phasesOf(row).flatMap((phase) => {
      const played = rows.find(({ name }) => name === row.name)?.outcomes ?? [];
      return played.some((outcome) => outcome.phase === phase) ? [] : [`${row.name}@${phase}`];
    }),
  );
  return `# Reliability: what breaks, and where it ends

This page is written by a program from a run of the fault matrix. Every row is a fault that was injected for real on the
local platform (real Terraform, HAProxy, PostgreSQL, processes), in a phase of a release, under a constant open-loop load:
60 requests a second, a fifth of them POSTs, no client retries, every answer checked for status, body and release, every
acknowledged POST looked for at the end. Then somebody goes on, as the row says, and that has to succeed.

\`\`\`sh
${command}
npx tsx development/faults/page.ts faults.json > docs/reliability.md
\`\`\`

${machine}; ${day(startedAt)} to ${day(endedAt)}.${note === undefined ? "" : ` ${note}`}

* ${all.length} cases: ${count("passed")} ended as documented, ${count("failed")} did not, ${count("skipped")} were skipped
* ${sent} requests, ${failed} of them failed; acknowledged POSTs: ${acknowledged}, found at the end: ${found}
* never lost: an acknowledged POST, the record, a line of a director's journal

"users get" is what all requests got when the command had ended and the dust had settled, before anybody went on. "verified"
in the text means both releases, each of them verified. The longest gap is the longest time without any good answer, the way
on included; on a machine that is busy with other things it is some tenths of a second without any fault.

${rows.map(section).join("\n")}
## What did not end like this at first

${mended.length === 0 ? "Nothing." : [...grouped(mended)].map(([words, cases]) => `* **${cases.join(", ")}**: ${words}`).join("\n")}
${deviating.length === 0 ? "" : `\n## What does not end as documented\n\n${deviating.map(({ row, outcome }) => `* **${row.name}@${outcome.phase}**: ${outcome.broken.map(escaped).join("; ")}`).join("\n")}\n`}${skipped.length === 0 ? "" : `\n## Skipped\n\n${skipped.map(({ row, outcome }) => `* ${row.name}@${outcome.phase}: ${outcome.broken.join("; ")}`).join("\n")}\n`}${unplayed.length === 0 ? "" : `\n## Not played in this run\n\n${unplayed.join(", ")}.\n`}`;
}

function section({ name, fault, how, outcomes }: PlayedRow): string {
  const lines = outcomes
    .filter(({ status }) => status !== "skipped")
    .map((outcome) => {
      const { phase, exit, message, users, wayOn, end, expected } = outcome;
      const met = users === null ? "" : usersMet(users).replace(/^\d+ requests, /, "");
      const why = (users?.failed ?? 0) > 0 && expected.mayCost !== "" ? ` (${expected.mayCost})` : "";
      const ways = wayOn.map(({ command, exit: code }) => `\`${command}\`: ${code}`).join(", ");
      const record = end === null ? "" : `record ${end.record}; ${end.phase}`;
      return `| ${phase} | ${exit ?? ""} | ${escaped(message)} | ${serves(outcome)}; ${record} | ${met}${why} | ${ways} |`;
    });
  if (lines.length === 0) return "";
  return `## ${fault}

\`${name}\`: ${how}.

| during | exit | it says | users get; record; phase | lost | way on |
|---|---|---|---|---|---|
${lines.join("\n")}
`;
}

function grouped(
  mended: readonly { row: PlayedRow; outcome: Outcome; words: string }[],
): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { row, outcome, words } of mended) {
    groups.set(words, [...(groups.get(words) ?? []), `${row.name}@${outcome.phase}`]);
  }
  return groups;
}

function sum(outcomes: readonly Outcome[], of: (outcome: Outcome) => number): number {
  return outcomes.reduce((total, outcome) => total + of(outcome), 0);
}

/** Nobody's folder belongs onto a page. */
function escaped(message: string): string {
  return message
    .replace(/\/[^\s:,']*bluegreen-e2e-[^/\s:,']+/g, "...")
    .replaceAll("|", "\\|")
    .replaceAll("<", "&lt;")
    .slice(0, 300);
}

function day(time: string): string {
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
