/** Moments of a release, for tests of how they look. */
import type { Snapshot, ProxySnapshot } from "../../../cli/live/snapshot";
import type { EndpointStatus, ProxyStatus } from "../../../release/director-status";
import type { JournalEntry } from "../../../release/journal";
import type { ReleaseRecord } from "../../../release/record";
import { Strategy } from "../../../release/schedule";

export const NOW = Date.UTC(2026, 10, 25, 12, 0, 0);

type State = ProxyStatus["state"];

const STABLE = { slot: "blue", releaseId: "1.3.0-16" } as const;
const CANDIDATE = { slot: "green", releaseId: "1.4.0-17" } as const;
const artifact = { url: "https://example.com/app.zip", sha256: "a".repeat(64) };

export const RECORD: ReleaseRecord = {
  ...{ formatVersion: 1, application: "socialgoal", sequence: 17, active: "green", goal: "live" },
  slots: { blue: { version: "1.3.0", run: 16, artifact }, green: { version: "1.4.0", run: 17, artifact } },
  previous: { version: "1.3.0", run: 16, artifact },
};

export function endpoints(releaseId: string | null, ...changes: Partial<EndpointStatus>[]): EndpointStatus[] {
  return ["web-1", "web-2"].map((server, index) => ({
    ...{ server, address: `10.0.0.${index + 4}:8080`, releaseId, healthy: releaseId !== null },
    ...{ inRotation: true, ...changes[index] },
  }));
}

export function status(state: Partial<State> = {}, changes: Partial<ProxyStatus> = {}): ProxyStatus {
  const weight = state.finished === true ? 0 : (state.weight ?? 0);
  return {
    proxy: "proxy-1",
    traffic: { live: "blue", weight, mode: "serve", offset: 0, fallback: false },
    serving: ["blue"],
    state: {
      ...{ sequence: 17, phase: "stable", finished: false, stable: STABLE, candidate: null, weight: 0 },
      ...{ deadline: null, retainedUntil: null, unfinished: [], journal: [], result: null, ...state },
    },
    endpoints: { blue: endpoints("1.3.0-16"), green: endpoints("1.4.0-17") },
    ...changes,
  };
}

export function seen(of: ProxyStatus, rates: ProxySnapshot["rates"] = null): ProxySnapshot {
  return { proxy: of.proxy, status: of, problem: null, rates };
}

export function moment(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    ...{ now: NOW, application: "socialgoal", environment: "production", record: RECORD },
    schedule: Strategy.canary({ steps: [5, 25, 50, 100], stepSeconds: 60, bakeSeconds: 120 }),
    ...{ proxies: [seen(status())], problem: null, measured: null },
    ...changes,
  };
}

const figures = (requests: number) => ({ requests, errors: 0, p95Ms: 12 });
const minutesAgo = (minutes: number): number => NOW - 60_000 * minutes;

const JOURNAL: JournalEntry[] = [
  {
    ...{ at: minutesAgo(2), event: "verified", slot: "green", releaseId: "1.4.0-17" },
    ...{ endpoints: 2, seconds: 1.23 },
  },
  { at: minutesAgo(2), event: "traffic", live: "blue", weight: 5, mode: "serve" },
  {
    ...{ at: minutesAgo(1), event: "judged", verdict: "pass" },
    comparison: { candidate: figures(40), stable: figures(760), weight: 5, seconds: 60 },
  },
  { at: minutesAgo(1), event: "traffic", live: "blue", weight: 25, mode: "serve" },
];

export const SHIFTING: Partial<State> = {
  ...{ phase: "shifting", candidate: CANDIDATE, weight: 25, deadline: NOW + 42_000, journal: JOURNAL },
};
export const BAKING: Partial<State> = {
  ...{ phase: "baking", candidate: CANDIDATE, weight: 100, deadline: NOW + 90_000 },
};
export const PROMOTED: Partial<State> = {
  ...{ finished: true, stable: CANDIDATE, retainedUntil: null },
  result: {
    ...{ step: "switch", sequence: 17, exitCode: 0, outcome: "promoted", comparison: null },
    reason: "1.4.0-17 is live in green",
  },
};
