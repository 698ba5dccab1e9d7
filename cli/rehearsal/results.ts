/** What a rehearsal measured, in the format that `--json` writes; and whether a step kept its promise. */
import type { ReleaseId } from "../../release/release";
import type { TimelinePoint } from "../../release/receipt";
import type { Slot } from "../../release/slot";
import type { StepRequests } from "../load/messages";
import type { ScenarioStep, Tolerance } from "./scenarios";

/** Format 1. `from`, `to` and `versions` are what the proxies and the answers said, not what was asked for. */
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
  /** POSTs that the application acknowledged, and those of them that were there at the end. */
  readonly acknowledged: number;
  readonly found: number;
}

export interface RehearsedScenario {
  readonly name: string;
  readonly title: string;
  /** Where each release was installed. */
  readonly slots: Readonly<Record<ReleaseId, Slot>>;
  /** What the load met from the first deployment on, between steps too. */
  readonly timeline: readonly TimelinePoint[];
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
  /** The failed requests that it may have. */
  readonly tolerance: Tolerance;
  readonly requests: {
    readonly sent: number;
    readonly failed: number;
    /** By kind. */
    readonly failures: Readonly<Record<string, number>>;
    readonly longestGapMs: number;
    readonly versions: Readonly<Record<string, number>>;
    readonly latencyMs: StepRequests["latencyMs"] | null;
  };
  /** What did not go as promised; empty where all did. */
  readonly broken: readonly string[];
}

/** Bad answers that the release under test may give before it is taken back, as a part of the step's requests. */
const OWN_BAD_ANSWERS = 0.02;
const DOWN_MARGIN_MS = 2_000;

export interface Measured {
  readonly outcome: string;
  readonly exitCode: number;
  readonly to: string | null;
  readonly requests: StepRequests | null;
  /** How long the instances of a recreate took to stop and to start. */
  readonly downMs: number;
  /** What the story says is stable afterwards. */
  readonly expectedVersion: string;
  /** The version under test, where there is one. */
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
  if (measured.requests !== null)
    broken.push(...failures(step.expect.tolerance, measured.requests, measured));
  return broken;
}

function failures(tolerance: Tolerance, requests: StepRequests, { downMs, version }: Measured): string[] {
  const { sent, failed, badAnswers, longestGapMs } = requests;
  if (tolerance === "whileDown") {
    const limit = downMs + DOWN_MARGIN_MS;
    return longestGapMs <= limit ? [] : [`nobody was served for ${longestGapMs} ms, more than ${limit} ms`];
  }
  if (tolerance === "none" || failed === 0) {
    return failed === 0 ? [] : [`${failed} of ${sent} requests failed: ${JSON.stringify(requests.failures)}`];
  }
  const own = Object.entries(badAnswers).reduce(
    (sum, [id, count]) => (versionOf(id) === version ? sum + count : sum),
    0,
  );
  const broken: string[] = [];
  if (failed > own)
    broken.push(
      `${failed - own} requests failed that ${version} did not answer: ${JSON.stringify(requests.failures)}`,
    );
  if (own > OWN_BAD_ANSWERS * sent)
    broken.push(`${version} gave ${own} bad answers of ${sent}, more than 2 %`);
  return broken;
}

export function versionOf(releaseId: string | null): string | null {
  return releaseId === null ? null : releaseId.slice(0, releaseId.lastIndexOf("-"));
}
