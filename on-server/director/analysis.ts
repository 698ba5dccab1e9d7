/** Answers that were counted over some time, of one slot: differences, sums and figures. Pure. */
import type { Figures } from "../../release/journal";
import { ANSWER_CLASSES } from "./drivers/driver";
import type { AnswerClass, Classes, ClientCounts, Latencies, SlotCounts } from "./drivers/driver";

/** Answers of one slot over some time. */
export interface Sample {
  readonly requests: number;
  readonly errors: number;
  readonly latency: Latencies;
  readonly classes?: Classes | undefined;
  /** The same by client, if the driver distinguishes clients. */
  readonly clients?: Readonly<Record<string, ClientCounts>>;
  /** For how long they were counted, if that is longer than from one look to the next. */
  readonly seconds?: number;
}

export const NOTHING: Sample = { requests: 0, errors: 0, latency: {} };

/** What was counted between two snapshots. A lower count means that the proxy restarted and counts from 0. */
export function between(before: SlotCounts, now: SlotCounts): Sample {
  return more(before, now);
}

/** The same, also by client. */
export function betweenByClient(before: SlotCounts, now: SlotCounts): Sample {
  if (now.clients === undefined) return between(before, now);
  const clients: Record<string, ClientCounts> = {};
  for (const key in now.clients) {
    const client = now.clients[key]!;
    const known = before.clients?.[key];
    if (known === client || known?.requests === client.requests) continue;
    const each = more(known ?? NOTHING, client);
    if (each.requests > 0) clients[key] = each;
  }
  return { ...between(before, now), clients };
}

/** How many answers the latencies are of. */
export function numberOf(latency: Latencies): number {
  return Object.values(latency).reduce((sum, each) => sum + each, 0);
}

/** The answers alone, where nothing else is asked for at each look. */
export function requestsBetween(before: SlotCounts, now: SlotCounts): number {
  return grown(before.requests, now.requests);
}

function more(before: ClientCounts, now: ClientCounts): ClientCounts {
  const requests = grown(before.requests, now.requests);
  const errors = grown(before.errors, now.errors);
  const latency = moreLatency(before.latency, now.latency);
  if (now.classes === undefined) return { requests, errors, latency };
  return { requests, errors, latency, classes: moreOfClasses(before.classes ?? {}, now.classes) };
}

/** Looked at often, so without lists in between. */
function moreLatency(before: Latencies, now: Latencies): Latencies {
  const increases: Record<number, number> = {};
  if (before === now) return increases;
  for (const milliseconds in now) {
    const increase = grown(before[milliseconds] ?? 0, now[milliseconds]!);
    if (increase > 0) increases[milliseconds] = increase;
  }
  return increases;
}

function moreOfClasses(before: Classes, now: Classes): Classes {
  const classes: Partial<Record<AnswerClass, number>> = {};
  for (const each of ANSWER_CLASSES) classes[each] = grown(before[each] ?? 0, now[each] ?? 0);
  return classes;
}

function sumOfClasses(one: Classes, other: Classes): Classes {
  const classes: Partial<Record<AnswerClass, number>> = {};
  for (const each of ANSWER_CLASSES) classes[each] = (one[each] ?? 0) + (other[each] ?? 0);
  return classes;
}

export function together(...samples: readonly Sample[]): Sample {
  const latency: Record<number, number> = {};
  const clients: Record<string, ClientCounts> = {};
  let [requests, errors] = [0, 0];
  let classes: Classes | undefined;
  for (const sample of samples) {
    if (sample.classes !== undefined) classes = sumOfClasses(classes ?? {}, sample.classes);
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
  return {
    ...{ requests, errors, latency },
    ...(classes !== undefined && { classes }),
    ...(distinguished && { clients }),
  };
}

export function figures({ requests, errors, latency }: Sample): Figures {
  return { requests, errors, p95Ms: percentile(latency, 0.95) };
}

export function percentile(latency: Latencies, part: number): number | null {
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

function grown(before: number, now: number): number {
  return now >= before ? now - before : now;
}
