/**
 * The receipt of one sequence: who did what, when, what the plan proved, what the proxies did, and what users got
 * meanwhile. It is written when the sequence ends; `docs/receipts.md` explains every field. Changing a field's meaning
 * needs another `formatVersion`.
 */
import * as z from "zod/mini";
import { readsFormer, readsFormerValues } from "./former-names";
import { HookRun } from "./hook-run";
import { JournalEntry } from "./journal";
import { Goal, ReleaseRecord } from "./record";
import { ApplicationName } from "./patterns";
import { Schedule } from "./schedule";
import { SLOTS } from "./slot";

const RECEIPT_FORMAT = 1;

const Time = z.iso.datetime();

export const ACTIONS = [
  "release",
  "stage",
  "promote",
  "rollback",
  "retry",
  "resolve",
  "heal",
  "abort",
] as const;
export type Action = (typeof ACTIONS)[number];

/** The person in a lock, a receipt or a ban. */
export const Person = z.strictObject({
  user: z.string(),
  host: z.string(),
  /** The pipeline run, if there was one. */
  ci: z.nullable(z.strictObject({ name: z.string(), run: z.nullable(z.string()) })),
});
export type Person = z.infer<typeof Person>;

const LatencyMs = z.strictObject({ p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() });

/**
 * One interval of the load: at least a second, the last one at least about half a second. `sent` counts requests that
 * became due in it, all other fields requests that ended in it. An interval without answers has `sent` and no versions.
 */
export const TimelinePoint = z.strictObject({
  /** When it began. */
  at: Time,
  seconds: z.number(),
  sent: z.int(),
  failed: z.int(),
  /** All answers by release; empty if the application does not report one. */
  versions: z.record(z.string(), z.int()),
  /** Latency of answers and of timed-out requests; all 0 without any. */
  latencyMs: LatencyMs,
});
export type TimelinePoint = z.infer<typeof TimelinePoint>;

/** What became of a form of several steps, which users of the load filled in. */
export const SessionCounts = z.strictObject({
  /** Users who began it. */
  begun: z.int(),
  /** Users who did its last step. */
  completed: z.int(),
  /** Users whose session the application did not know at a later step: it is no failed request. */
  lost: z.int(),
});
export type SessionCounts = z.infer<typeof SessionCounts>;

/** Results of the command's synthetic requests, sent at a fixed rate while the sequence ran, without retries. */
export const MeasuredRequests = z.strictObject({
  /** The address for users. */
  origin: z.string(),
  /** Requests per second. */
  rate: z.number(),
  sent: z.int(),
  failed: z.int(),
  /** By kind, as in "status 503" or "connection ECONNRESET". */
  failures: z.record(z.string(), z.int()),
  /** The longest time without a successful answer. */
  longestGapMs: z.number(),
  versions: z.record(z.string(), z.int()),
  latencyMs: LatencyMs,
  /** POSTs that the application acknowledged, and how many of them existed at the end; 0 if none are sent. */
  acknowledged: z.int(),
  found: z.int(),
  /** Only of a load plan with a form. */
  sessions: z.optional(SessionCounts),
  /** At most 600 points; in a longer load, the shortest neighbours are merged. */
  timeline: z.array(TimelinePoint).check(z.maxLength(600)),
});
export type MeasuredRequests = z.infer<typeof MeasuredRequests>;

/** @internal */
export const Receipt = z.strictObject({
  formatVersion: z.literal(RECEIPT_FORMAT),
  application: ApplicationName,
  environment: z.string(),
  sequence: z.int(),
  action: z.enum(ACTIONS),
  who: Person,
  startedAt: Time,
  endedAt: Time,
  seconds: z.number(),
  /** The stable release on the proxies, before and after. */
  from: z.nullable(z.string()),
  to: z.nullable(z.string()),
  /** As the director reports it: promoted, rejected, rolledBack, frozen ... */
  outcome: readsFormerValues(z.string(), { held: "paused" }),
  exitCode: z.int(),
  /** Why it ended so, in one line. */
  reason: z.string(),
  goal: Goal,
  /** The effective one: the record's, or the environment's. */
  schedule: Schedule,
  /** `before` is null if the command was not involved. */
  record: z.strictObject({ before: z.nullable(ReleaseRecord), after: ReleaseRecord }),
  /** null if the command was not involved. */
  plan: z.nullable(
    z.strictObject({
      /** The slot that served users. */
      live: z.nullable(z.enum(SLOTS)),
      /** The proof in one line. */
      proof: z.string(),
      changes: z.array(z.strictObject({ address: z.string(), actions: z.array(z.string()) })),
      token: z.string(),
    }),
  ),
  /** What each proxy's director did. */
  proxies: z.array(z.strictObject({ proxy: z.string(), journal: z.array(JournalEntry) })),
  /** null if nothing was measured; `notMeasured` is the reason. */
  requests: z.nullable(MeasuredRequests),
  notMeasured: z.nullable(z.string()),
  hooks: z.array(readsFormer(HookRun, { said: "lastLine" })),
  warnings: z.array(z.string()),
  /** A freeze window that was overridden, and the operator's reason. */
  freezeOverride: z.nullable(z.strictObject({ window: z.string(), reason: z.string() })),
});
/** What one sequence did: the plan, the phases, the requests and how it ended (docs/receipts.md). */
export interface Receipt extends z.infer<typeof Receipt> {}

/** @internal */
export const MeasureReceipt = z.strictObject({
  formatVersion: z.literal(RECEIPT_FORMAT),
  action: z.literal("measure"),
  /** null without an environment file. */
  application: z.nullable(ApplicationName),
  environment: z.nullable(z.string()),
  who: Person,
  /** The program and its arguments. */
  command: z.array(z.string()).check(z.minLength(1)),
  /** When the command ran. The load began before and ended after it: see the timeline. */
  startedAt: Time,
  endedAt: Time,
  seconds: z.number(),
  /** Its exit code; if a signal ended it, 128 plus the signal's number. */
  commandExitCode: z.int(),
  /** How many failed requests and lost acknowledged POSTs still count as unnoticed. */
  allowedFailures: z.int(),
  /** "unknown": the load itself failed. */
  outcome: z.enum(["unnoticed", "noticed", "commandFailed", "unknown"]),
  /** Of `bluegreen measure`: the measured command's exit code if that is not 0. */
  exitCode: z.int(),
  reason: z.string(),
  requests: z.nullable(MeasuredRequests),
  notMeasured: z.nullable(z.string()),
});
/** What users got while a command ran (`bluegreen measure`), without a sequence, plan or proxy. */
export interface MeasureReceipt extends z.infer<typeof MeasureReceipt> {}

export function formatReceipt(receipt: Receipt | MeasureReceipt): string {
  return `${JSON.stringify(receipt, null, 2)}\n`;
}
