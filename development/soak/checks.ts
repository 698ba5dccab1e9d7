/** What must be true after each sequence, and what must not grow with their number. Pure: figures in, complaints out. */
import type { StepRequests } from "../../cli/load/messages";
import type { ProxyStatus } from "../../release/director-status";
import type { ReleaseRecord } from "../../release/record";
import { PARTS } from "./footprint";
import type { Footprint, Part } from "./footprint";
import type { Played } from "./sequences";

/** The soak's environment. */
export const SERVERS = 2;
export const KEPT_RELEASES = 3;
const SLOTS_ON_SERVER = 2;

/** Requests that an instance had when it was killed, or that came before the proxy noticed. */
const LOST_WITH_INSTANCE = 5;
const MAX_BAD_ANSWERS = 0.05;

export interface Seen {
  readonly record: ReleaseRecord;
  readonly statuses: readonly ProxyStatus[];
  /** Releases that the proxy's answers come from. */
  readonly serving: readonly string[];
  readonly requests: StepRequests | null;
  readonly footprint: Footprint;
  readonly ports: readonly number[];
}

export function complaintsAfter(played: Played, seen: Seen): string[] {
  const { expected, exitCode, reason } = played;
  return [
    ...(expected.includes(exitCode)
      ? []
      : [`ended with ${exitCode}, not ${expected.join(" or ")}: ${reason}`]),
    ...disagreements(played, seen),
    ...lostRequests(played, seen.requests),
    ...leftovers(played, seen),
  ];
}

/** Record, proxy and answers must agree. */
function disagreements({ version, kind }: Played, { record, statuses, serving }: Seen): string[] {
  const found: string[] = [];
  const served = serving.map(versionOf);
  if (served.join() !== version) found.push(`users get ${serving.join(", ")}, not ${version}`);
  for (const { proxy, state, traffic } of statuses) {
    const stable = state.stable?.releaseId ?? "nothing";
    if (versionOf(stable) !== version) found.push(`${proxy} has ${stable} as stable, not ${version}`);
    if (state.sequence !== record.sequence) {
      found.push(`${proxy} is at ${state.sequence}, the record at ${record.sequence}`);
    }
    if (traffic.weight !== 0 || traffic.mode !== "serve") {
      found.push(`${proxy} still divides its traffic: ${JSON.stringify(traffic)}`);
    }
    if (kind !== "staged" && state.phase === "frozen") found.push(`${proxy} is frozen`);
  }
  return found;
}

function lostRequests({ tolerance, candidate }: Played, requests: StepRequests | null): string[] {
  if (requests === null) return [];
  const { sent, failed, failures, badAnswers } = requests;
  const ofCandidate = Object.entries(badAnswers).reduce(
    (sum, [id, count]) => (versionOf(id) === candidate ? sum + count : sum),
    0,
  );
  const allowed =
    tolerance === "none"
      ? 0
      : tolerance === "killedInstance"
        ? LOST_WITH_INSTANCE
        : Math.min(ofCandidate, MAX_BAD_ANSWERS * sent);
  return failed <= allowed
    ? []
    : [`${failed} of ${sent} requests failed, ${allowed} may: ${JSON.stringify(failures)}`];
}

function leftovers({ exitCode }: Played, { footprint, ports }: Seen): string[] {
  const { instances, strayProcesses, listeningPorts, deposed, keptReleases, temporary } = footprint;
  const unknown = listeningPorts.filter((port) => !ports.includes(port));
  const most = KEPT_RELEASES + SLOTS_ON_SERVER;
  return [
    ...(instances <= SERVERS * SLOTS_ON_SERVER ? [] : [`${instances} instances run`]),
    ...strayProcesses.map((command) => `left running: ${command}`),
    ...(unknown.length === 0 ? [] : [`unexpected listening ports: ${unknown.join(", ")}`]),
    ...(exitCode !== 0 || deposed === 0 ? [] : [`${deposed} deposed records after a good sequence`]),
    ...(keptReleases <= most ? [] : [`a server keeps ${keptReleases} releases, at most ${most}`]),
    ...(temporary.length === 0 ? [] : [`temporary files are left: ${temporary.slice(0, 5).join(", ")}`]),
  ];
}

export interface Trend {
  readonly name: string;
  readonly early: number;
  readonly late: number;
  readonly limit: number;
  readonly unit: string;
}

/** The load's default. */
const LOAD_CONNECTIONS = 256;

/** Growth from the second quarter's median to the last quarter's, with the limit for each figure. */
export function trendsOf(footprints: readonly Footprint[]): Trend[] {
  const quarter = Math.max(1, Math.floor(footprints.length / 4));
  const early = footprints.slice(quarter, 2 * quarter);
  const late = footprints.slice(-quarter);
  const between = Math.max(1, footprints.length - 2 * quarter);
  const trend = (name: string, unit: string, of: (one: Footprint) => number, more: number): Trend => {
    const from = median(early.map(of));
    return { name, unit, early: from, late: median(late.map(of)), limit: from + more };
  };
  const kib = (part: Part) => (one: Footprint) => Math.round(one.bytes[part] / 1024);
  return [
    // One connection to the user and one to a server for each request; more while requests wait.
    {
      ...trend("the proxy's open files", "", ({ proxyFiles }) => proxyFiles, 0),
      limit: 2 * LOAD_CONNECTIONS + 64,
    },
    trend("the proxy's memory", "KiB", ({ proxyKiB }) => proxyKiB, 8_192),
    trend("instances", "", ({ instances }) => instances, 2),
    trend("releases on a server", "", ({ keptReleases }) => keptReleases, 2),
    ...PARTS.map((part) => trend(`disk: ${part}`, "KiB", kib(part), GROWTH_KIB[part] * between)),
  ];
}

/** How much a sequence may add permanently, in KiB. */
const GROWTH_KIB: Readonly<Record<Part, number>> = {
  // `bluegreen publish --prune` removes unused ones.
  artifacts: 400,
  releases: 100,
  // The names of all steps stay, because none is used twice.
  commands: 64,
  // An application's logs, rotated at 10 MiB.
  logs: 400,
  proxy: 32,
  state: 8,
  // One per sequence, kept until you remove them.
  receipts: 64,
};

export function growing(trends: readonly Trend[]): string[] {
  return trends
    .filter(({ late, limit }) => late > limit)
    .map(
      ({ name, early, late, unit, limit }) =>
        `${name} grew from ${early} to ${late} ${unit}, more than ${Math.round(limit)}`,
    );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function versionOf(releaseId: string): string {
  return releaseId.replace(/-\d+$/, "");
}
