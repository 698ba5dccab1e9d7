/**
 * The section of docs/reliability.md about two proxies, from the results that a run wrote with `--json`:
 *
 *   npx tsx development/faults/proxies-page.ts FILE | node development/build/section.mjs proxy-faults docs/reliability.md
 */
import { readFileSync } from "node:fs";
import { byChance } from "./living-users";
import { phasesOf } from "./matrix";
import { day, escaped, sum } from "./page";
import { PROXIES } from "./rows/proxies";
import type { FaultResults, Outcome, PlayedRow } from "./results";
import { serves } from "./table";

function proxiesPage({ rows: all, machine, startedAt, endedAt }: FaultResults): string {
  const rows = all.filter(({ name }) => PROXIES.some((row) => row.name === name));
  const outcomes = rows.flatMap((row) => row.outcomes);
  const count = (status: Outcome["status"]) => outcomes.filter((each) => each.status === status).length;
  const sent = sum(outcomes, ({ users }) => users?.sent ?? 0);
  const lost = sum(outcomes, lostRequests);
  const chance = sum(outcomes, ({ users }) => byChance(users?.failures ?? {}));
  const slowest = Math.max(0, ...outcomes.map(({ rightAfterMs = 0 }) => rightAfterMs));
  const deviating = rows.flatMap((row) =>
    row.outcomes
      .filter(({ status }) => status === "failed")
      .map((outcome) => `* **${row.name}@${outcome.phase}**: ${outcome.broken.map(escaped).join("; ")}`),
  );
  const unplayed = PROXIES.flatMap((row) => {
    const played = rows.find(({ name }) => name === row.name)?.outcomes ?? [];
    return phasesOf(row)
      .filter((phase) => !played.some((outcome) => outcome.phase === phase))
      .map((phase) => `${row.name}@${phase}`);
  });
  return `## Faults of one of two proxies

Two proxies, and the machine of proxy-2 has the fault; the load comes through proxy-1. The application is hard on a
release: it listens two seconds after its start, and 1 % of its answers fail by chance, in every release. Canaries stop at
50 % first. What the operator then runs is in the last column: after *back* proxy-2 is repaired, and in the end both
proxies must serve one release.

\`\`\`sh
npm run faults -- --only ${PROXIES.map(({ name }) => name).join(",")} --json proxies.json
npx tsx development/faults/proxies-page.ts proxies.json | node development/build/section.mjs proxy-faults docs/reliability.md
\`\`\`

${machine}; ${day(startedAt)} to ${day(endedAt)}.

* ${outcomes.length} cases: ${count("passed")} ended as documented, ${count("failed")} did not, ${count("skipped")} were skipped
* ${sent} requests: ${lost} lost, besides ${chance} that the application failed by chance
* users of the living proxy were on the right release within ${(slowest / 1000).toFixed(1)} s; 30 s are allowed

*users get* is what all requests to the living proxy got after the command had ended: old is the release before the
command. *right after* is the time until they got the right release only: since the fault, or since the first command in
the last column where the operator decides.

${rows.map(section).join("\n")}${deviating.length === 0 ? "" : `\n### What does not end as documented with two proxies\n\n${deviating.join("\n")}\n`}${unplayed.length === 0 ? "" : `\n### Not played in this run with two proxies\n\n${unplayed.join(", ")}.\n`}`;
}

function section({ name, fault, how, outcomes }: PlayedRow): string {
  const lines = outcomes.map((outcome, index) => {
    const { phase, exit, message, users, wayOn, rightAfterMs } = outcome;
    const output = message !== "" && message === outcomes[index - 1]?.message ? "the same" : escaped(message);
    const gap = users === null ? "" : `${lostRequests(outcome)}, ${Math.round(users.longestGapMs)} ms`;
    const right = rightAfterMs === undefined ? "" : `${(rightAfterMs / 1000).toFixed(1)} s`;
    const away = PROXIES.find((row) => row.name === name)?.phases[phase]?.whileAway?.length ?? 0;
    const ways = wayOn.map(({ command, exit: code }) => `\`${command}\`: ${code}`);
    const steps = [...ways.slice(0, away), ...(ways.length > away ? ["back", ...ways.slice(away)] : [])];
    return `|${phase}|${exit ?? ""}|${output}|${serves(outcome)}|${right}|${gap}|${steps.join(", ")}|`;
  });
  return `### ${fault[0]!.toUpperCase()}${fault.slice(1)}

\`${name}\`: ${how}.

|during|exit|message|users get|right after|lost|next: exit|
|---|---|---|---|---|---|---|
${lines.join("\n")}
`;
}

function lostRequests({ users }: Outcome): number {
  return users === null ? 0 : users.failed - byChance(users.failures);
}

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error(
    "usage: npx tsx development/faults/proxies-page.ts FILE, which `npm run faults -- --json FILE` wrote",
  );
  process.exitCode = 2;
} else process.stdout.write(proxiesPage(JSON.parse(readFileSync(file, "utf8")) as FaultResults));
