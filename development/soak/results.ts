/** The results of a soak, in the format that `--json` writes, as a table and as a section of a document. */
import type { Trend } from "./checks";
import type { Footprint } from "./footprint";
import type { Played } from "./sequences";

export interface SoakResults {
  readonly formatVersion: 1;
  readonly seed: number;
  readonly driver: string;
  readonly rate: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly sequences: readonly Sequence[];
  readonly totals: {
    readonly sent: number;
    readonly failed: number;
    readonly failures: Readonly<Record<string, number>>;
    readonly acknowledged: number;
    readonly found: number;
    readonly longestGapMs: number;
    readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  };
  /** Missing rows, and processes that run after the end. */
  readonly left?: readonly string[];
  readonly trends: readonly Trend[];
  /** What was not as expected. */
  readonly complaints: readonly string[];
  readonly passed: boolean;
}

export interface Sequence {
  readonly number: number;
  readonly played: Played;
  readonly seconds: number;
  readonly sent: number;
  readonly failed: number;
  readonly footprint: Footprint;
  readonly complaints: readonly string[];
}

export function lineOf({ number, played, seconds, sent, failed, footprint, complaints }: Sequence): string {
  const { kind, what, outcome, exitCode, version } = played;
  const { proxyFiles, proxyKiB, instances, deposed } = footprint;
  const columns = [
    `${complaints.length === 0 ? "ok" : "NO"} ${String(number).padStart(3)}`,
    kind.padEnd(17),
    `${what}: ${outcome} (${exitCode}), users have ${version}`.padEnd(58),
    `${seconds.toFixed(1)} s, ${failed} of ${sent} failed;`,
    `proxy ${proxyFiles} files, ${(proxyKiB / 1024).toFixed(1)} MiB; ${instances} instances, ${deposed} deposed`,
  ];
  return [columns.join(" "), ...complaints.map((complaint) => `       ${complaint}`)].join("\n");
}

export function tableOf({ trends, totals, complaints }: SoakResults): string {
  const { sent, failed, acknowledged, found } = totals;
  const rows = trends.map(({ name, early, late, limit, unit }) => [
    name,
    `${early}`,
    `${late}`,
    `${Math.round(limit)}`,
    unit,
  ]);
  const all = [["", "second quarter", "last quarter", "at most", ""], ...rows];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  return [
    "",
    ...lines,
    "",
    `${sent} requests, ${failed} failed; rows: ${acknowledged} written, ${found} found`,
    complaints.length === 0
      ? "passed: nothing leaks, nothing was lost"
      : `failed: ${complaints.length} complaints`,
    ...complaints.map((complaint) => `  ${complaint}`),
  ].join("\n");
}

/** The section of docs/reliability.md about the soak. */
export function documentOf(results: SoakResults): string {
  const { sequences, totals, trends, seed, driver, rate, passed } = results;
  const minutes = (Date.parse(results.endedAt) - Date.parse(results.startedAt)) / 60_000;
  const kinds = [...new Set(sequences.map(({ played }) => played.kind))].sort();
  const byKind = kinds.map((kind) => {
    const all = sequences.filter(({ played }) => played.kind === kind);
    const sum = (of: (one: Sequence) => number): number => all.reduce((total, one) => total + of(one), 0);
    const exits = [...new Set(all.map(({ played }) => played.exitCode))].join(", ");
    return `| ${DESCRIPTIONS[kind]} | ${all.length} | ${exits} | ${sum((one) => one.sent)} | ${sum((one) => one.failed)} |`;
  });
  const grown = trends.map(
    ({ name, early, late, limit, unit }) =>
      `| ${name} | ${early} | ${late} | ${Math.round(limit)} | ${unit} |`,
  );
  const { sent, failed, acknowledged, found, longestGapMs, latencyMs } = totals;
  return `## Soak

${sequences.length} sequences of random kinds in a row on the local platform with ${driver}, in ${minutes.toFixed(0)} minutes, under a constant
${rate} requests a second. After each one record, proxies and answers must agree, no request may be lost without need, and
nothing may stay behind. ${passed ? "All held." : "Not all held: see the complaints below."}

\`\`\`sh
npm run soak -- --releases ${sequences.length} --rate ${rate} --seed ${seed} --markdown soak.md
node development/build/section.mjs soak docs/reliability.md <soak.md
\`\`\`

Without \`--seed\` it chooses a seed and prints it.

| sequence | times | exit codes | requests | failed |
|---|---|---|---|---|
${byKind.join("\n")}

${sent} requests, ${failed} failed; the longest time without a good answer was ${Math.round(longestGapMs)} ms; p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms.
${acknowledged} POSTs were acknowledged, and ${found} of them found at the end. A request may fail if a bad release answers
it before the rollback, or if its instance is killed. During a recreate requests wait, and HAProxy probes once a second:
these are the slowest.

What must not grow (medians):

| | second quarter | last quarter | at most | |
|---|---|---|---|---|
${grown.join("\n")}

Artifacts, receipts and step names stay by design: \`bluegreen publish --prune\` removes artifacts that nothing refers to,
a receipt is history, and a step's name keeps it from running twice.
${passed ? "" : `\n### Complaints\n\n${results.complaints.map((complaint) => `* ${complaint}`).join("\n")}\n`}`;
}

const DESCRIPTIONS: Readonly<Record<Played["kind"], string>> = {
  good: "a good release",
  goodWithMigration: "a good release with a migration",
  neverHealthy: "one that never becomes healthy",
  failsUnderTraffic: "one that fails under traffic",
  badArchive: "a damaged archive",
  aborted: "`bluegreen abort` in the middle",
  interrupted: "Ctrl-C in the middle",
  rollback: "a rollback",
  retry: "a retry of what failed",
  heldThenPromoted: "paused at 10 %, then promoted",
  staged: "staged only",
  heal: "a heal, after an instance was ended",
};
