/** The results of a rehearsal, as `--json` writes them; and the check of each step's promise. */
import type { ReleaseId } from "../../release/release";
import type { SessionCounts, TimelinePoint } from "../../release/receipt";
import type { Slot } from "../../release/slot";
import type { StepRequests } from "../load/messages";
import type { ScenarioStep, Tolerance } from "./scenarios";

/** Format 1. `from`, `to` and `versions` come from the proxies and the answers, not from the request. */
export interface RehearsalResults {
  readonly formatVersion: 1;
  readonly driver: string;
  readonly terraform: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly scenarios: readonly RehearsedScenario[];
  readonly steps: readonly RehearsedStep[];
  readonly totals: Totals;
  readonly passed: boolean;
}

export interface Totals {
  readonly sent: number;
  readonly failed: number;
  /** POSTs that the application acknowledged; `found` counts those still there at the end. */
  readonly acknowledged: number;
  readonly found: number;
  /** What became of sessions in instances' memory. */
  readonly sessions?: SessionCounts;
}

export interface RehearsedScenario {
  readonly name: string;
  readonly title: string;
  /** The slot of each release. */
  readonly slots: Readonly<Record<ReleaseId, Slot>>;
  /** What the load measured since the first deployment, between steps too. */
  readonly timeline: readonly TimelinePoint[];
  /** What became of sessions in instances' memory, between steps too. */
  readonly sessions?: SessionCounts;
}

export interface RehearsedStep {
  readonly name: string;
  readonly scenario: string;
  readonly strategy: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly outcome: string;
  readonly exitCode: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly seconds: number;
  /** Which failed requests the step tolerates. */
  readonly tolerance: Tolerance;
  readonly requests: {
    readonly sent: number;
    readonly failed: number;
    /** By kind. */
    readonly failures: Readonly<Record<string, number>>;
    readonly longestGapMs: number;
    readonly versions: Readonly<Record<string, number>>;
    readonly latencyMs: StepRequests["latencyMs"] | null;
    /** A lost session is no failed request. */
    readonly sessions?: SessionCounts;
  };
  /** Whether the step moves users at once to servers that do not know their sessions. */
  readonly mayLoseSessions?: boolean;
  /** The broken promises. */
  readonly broken: readonly string[];
}

/** The fraction of a step's requests that the bad release may fail before it is rolled back. */
const BAD_ANSWERS_LIMIT = 0.02;
const DOWN_MARGIN_MS = 2_000;

export interface Measured {
  readonly outcome: string;
  readonly exitCode: number;
  readonly to: string | null;
  readonly requests: StepRequests | null;
  readonly mayLoseSessions: boolean;
  /** How long the instances of a recreate took to stop and start. */
  readonly downMs: number;
  /** The version that must be stable afterwards. */
  readonly expectedVersion: string;
  /** The version under test, if any. */
  readonly version: string | undefined;
}

export function brokenPromises(step: ScenarioStep, measured: Measured): string[] {
  const { outcome, exitCode } = step.expect;
  const broken: string[] = [];
  if (measured.outcome !== outcome) broken.push(`ended ${measured.outcome}, not ${outcome}`);
  if (measured.exitCode !== exitCode) broken.push(`exit code ${measured.exitCode}, not ${exitCode}`);
  if (versionOf(measured.to) !== measured.expectedVersion) {
    broken.push(`${measured.to ?? "nothing"} is stable, not ${measured.expectedVersion}`);
  }
  if (measured.requests !== null) {
    broken.push(...failures(step.expect.tolerance, measured.requests, measured));
    const lost = measured.requests.sessions?.lost ?? 0;
    if (lost > 0 && !measured.mayLoseSessions)
      broken.push(`${lost} sessions were lost, in a step that moves no user at once`);
  }
  return broken;
}

function failures(tolerance: Tolerance, requests: StepRequests, { downMs, version }: Measured): string[] {
  const { sent, failed, badAnswers, longestGapMs } = requests;
  if (tolerance === "whileDown") {
    const limit = downMs + DOWN_MARGIN_MS;
    return longestGapMs <= limit
      ? []
      : [`no request was answered for ${longestGapMs} ms; the limit is ${limit} ms`];
  }
  if (tolerance === "none" || failed === 0) {
    return failed === 0 ? [] : [`${failed} of ${sent} requests failed: ${JSON.stringify(requests.failures)}`];
  }
  const bad = Object.entries(badAnswers).reduce(
    (sum, [id, count]) => (versionOf(id) === version ? sum + count : sum),
    0,
  );
  const broken: string[] = [];
  if (failed > bad)
    broken.push(
      `${failed - bad} failed requests were not bad answers of ${version}: ${JSON.stringify(requests.failures)}`,
    );
  if (bad > BAD_ANSWERS_LIMIT * sent)
    broken.push(`${version} gave ${bad} bad answers of ${sent}; the limit is 2 %`);
  return broken;
}

export function versionOf(releaseId: string | null): string | null {
  return releaseId === null ? null : releaseId.slice(0, releaseId.lastIndexOf("-"));
}
