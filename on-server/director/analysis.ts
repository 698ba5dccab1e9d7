/**
 * Compares a candidate's answers with stable's. Pure: counts go in, a verdict with its figures comes out. Too few
 * answers are inconclusive.
 */
import type { Figures } from "../../release/journal";
import type { Analysis } from "../../release/schedule";
import type { ClientCounts, Latencies, SlotCounts } from "./drivers/driver";

/** Answers of one slot over some time. */
export interface Sample {
  readonly requests: number;
  readonly errors: number;
  readonly latency: Latencies;
  /** The same by client, if the driver distinguishes clients. */
  readonly clients?: Readonly<Record<string, ClientCounts>>;
}

export type Judgement = (Passed | Inconclusive | Failed) & {
  /** Failed answers of one client that don't count (see `one-client.ts`). */
  readonly leftOut?: number;
};
interface Passed {
  readonly verdict: "pass";
}
interface Inconclusive {
  readonly verdict: "inconclusive";
  readonly reason: string;
}
export interface Failed {
  readonly verdict: "fail";
  readonly reason: string;
  /** By how much the candidate is worse than allowed. */
  readonly excess: number;
  readonly leftOut?: number;
}

export const NOTHING: Sample = { requests: 0, errors: 0, latency: {} };

/** Fewer failed answers may be chance. */
const MINIMUM_ERRORS = 3;

/** What was counted between two snapshots. A lower count means that the proxy restarted and counts from 0. */
export function between(before: SlotCounts, now: SlotCounts): Sample {
  const answers = more(before, now);
  if (now.clients === undefined) return answers;
  const clients = Object.entries(now.clients).flatMap(([key, client]) => {
    const each = more(before.clients?.[key] ?? NOTHING, client);
    return each.requests > 0 ? [[key, each] as const] : [];
  });
  return { ...answers, clients: Object.fromEntries(clients) };
}

function more(before: ClientCounts, now: ClientCounts): ClientCounts {
  const latency = Object.entries(now.latency).flatMap(([milliseconds, count]) => {
    const increase = grown(before.latency[Number(milliseconds)] ?? 0, count);
    return increase > 0 ? [[milliseconds, increase] as const] : [];
  });
  return {
    requests: grown(before.requests, now.requests),
    errors: grown(before.errors, now.errors),
    latency: Object.fromEntries(latency),
  };
}

export function together(...samples: readonly Sample[]): Sample {
  const latency: Record<number, number> = {};
  const clients: Record<string, ClientCounts> = {};
  let [requests, errors] = [0, 0];
  for (const sample of samples) {
    for (const [key, client] of Object.entries(sample.clients ?? {})) {
      clients[key] = together(clients[key] ?? NOTHING, client);
    }
    requests += sample.requests;
    errors += sample.errors;
    for (const [milliseconds, count] of Object.entries(sample.latency)) {
      latency[Number(milliseconds)] = (latency[Number(milliseconds)] ?? 0) + count;
    }
  }
  const distinguished = samples.some((sample) => sample.clients !== undefined);
  return { requests, errors, latency, ...(distinguished && { clients }) };
}

export function figures({ requests, errors, latency }: Sample): Figures {
  return { requests, errors, p95Ms: percentile(latency, 0.95) };
}

/** Whether more of the candidate's answers fail than of stable's. The number of answers is judged by `judgeAmount`. */
export function judgeErrors(candidate: Sample, stable: Sample, { maxErrorRatio }: Analysis): Judgement {
  const [ratio, stableRatio] = [errorRatio(candidate), errorRatio(stable)];
  if (candidate.errors < MINIMUM_ERRORS || ratio <= stableRatio + maxErrorRatio) return { verdict: "pass" };
  const { errors, requests } = candidate;
  return {
    verdict: "fail",
    excess: ratio - stableRatio - maxErrorRatio,
    reason: `${errors} of ${requests} answers failed (${percent(ratio)}), stable ${percent(stableRatio)}, allowed ${percent(maxErrorRatio)} more`,
  };
}

/** Whether the candidate is slower; inconclusive if either has too few answers. */
export function judgeLatency(candidate: Sample, stable: Sample, analysis: Analysis): Judgement {
  const { minimumRequests, maxLatencyRatio, latencySlackMs } = analysis;
  const fewest = Math.min(answers(candidate), answers(stable));
  const [slow, usual] = [figures(candidate).p95Ms, figures(stable).p95Ms];
  if (slow === null || usual === null || fewest < minimumRequests) {
    return {
      verdict: "inconclusive",
      reason: `only ${fewest} answers with a latency, minimumRequests is ${minimumRequests}`,
    };
  }
  const allowed = Math.max(usual * maxLatencyRatio, usual + latencySlackMs);
  if (slow <= allowed) return { verdict: "pass" };
  return {
    verdict: "fail",
    excess: slow - allowed,
    reason: `p95 latency ${slow} ms, stable ${usual} ms, allowed ${Math.floor(allowed)} ms`,
  };
}

/** No data is never success. */
export function judgeAmount(candidate: Sample, { minimumRequests }: Analysis): Judgement {
  if (candidate.requests >= minimumRequests) return { verdict: "pass" };
  return {
    verdict: "inconclusive",
    reason: `only ${candidate.requests} answers, minimumRequests is ${minimumRequests}`,
  };
}

function percentile(latency: Latencies, part: number): number | null {
  const classes = Object.entries(latency)
    .map(([milliseconds, count]) => [Number(milliseconds), count] as const)
    .sort(([one], [other]) => one - other);
  const all = classes.reduce((sum, [, count]) => sum + count, 0);
  if (all === 0) return null;
  let left = part * all;
  for (const [milliseconds, count] of classes) {
    left -= count;
    if (left <= 0) return milliseconds;
  }
  return null;
}

function answers({ latency }: Sample): number {
  return Object.values(latency).reduce((sum, count) => sum + count, 0);
}

function errorRatio({ requests, errors }: Sample): number {
  return errors / Math.max(1, requests);
}

function grown(before: number, now: number): number {
  return now >= before ? now - before : now;
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}
