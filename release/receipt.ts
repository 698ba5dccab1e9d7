/**
 * The receipt of one sequence: who did what, when, what the plan proved, what the proxies did, and what users got
 * meanwhile. It is written when a sequence has ended; `docs/receipts.md` explains every field. Another meaning of a field
 * is another `formatVersion`.
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

/** Who a lock, a receipt and a ban name. */
export const Person = z.strictObject({
  user: z.string(),
  host: z.string(),
  /** The pipeline run, where it was one. */
  ci: z.nullable(z.strictObject({ name: z.string(), run: z.nullable(z.string()) })),
});
export type Person = z.infer<typeof Person>;

const LatencyMs = z.strictObject({ p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() });

/**
 * One stretch of the load, a second or more long, and about half a second at least where it is the last. `sent` became
 * due in it; everything else ended in it. So a stretch in which nobody answered is a point with `sent` and no versions.
 */
export const TimelinePoint = z.strictObject({
  /** When it began. */
  at: Time,
  seconds: z.number(),
  sent: z.int(),
  failed: z.int(),
  /** Answers, good and bad, by the release that gave them; empty where the application names none. */
  versions: z.record(z.string(), z.int()),
  /** Of answers and of requests whose time was over; all 0 where there were none. */
  latencyMs: LatencyMs,
});
export type TimelinePoint = z.infer<typeof TimelinePoint>;

/** What the command's own requests met, sent on a fixed schedule while the sequence ran, without retries. */
export const MeasuredRequests = z.strictObject({
  /** Where users come in. */
  origin: z.string(),
  /** Due each second. */
  rate: z.number(),
  sent: z.int(),
  failed: z.int(),
  /** By kind, as in "status 503" or "connection ECONNRESET". */
  failures: z.record(z.string(), z.int()),
  /** The longest time without any good answer. */
  longestGapMs: z.number(),
  versions: z.record(z.string(), z.int()),
  latencyMs: LatencyMs,
  /** POSTs that the application acknowledged, and those of them that were there at the end; 0 where none are sent. */
  acknowledged: z.int(),
  found: z.int(),
  /** At most 600 points; of a longer load, the shortest neighbours were merged. */
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
  /** What the proxies called stable before and after. */
  from: z.nullable(z.string()),
  to: z.nullable(z.string()),
  /** As the director says it: promoted, rejected, rolledBack, frozen ... */
  outcome: readsFormerValues(z.string(), { held: "paused" }),
  exitCode: z.int(),
  /** Why it ended so, in one line. */
  reason: z.string(),
  goal: Goal,
  /** What applied: the record's, or the environment's. */
  schedule: Schedule,
  /** `before` is null where the command was not there. */
  record: z.strictObject({ before: z.nullable(ReleaseRecord), after: ReleaseRecord }),
  /** null where the command was not there. */
  plan: z.nullable(
    z.strictObject({
      /** The slot that users were served from. */
      live: z.nullable(z.enum(SLOTS)),
      /** The proof in one line. */
      proof: z.string(),
      changes: z.array(z.strictObject({ address: z.string(), actions: z.array(z.string()) })),
      token: z.string(),
    }),
  ),
  /** What each proxy's director did. */
  proxies: z.array(z.strictObject({ proxy: z.string(), journal: z.array(JournalEntry) })),
  /** null where nothing was measured, and `notMeasured` says why. */
  requests: z.nullable(MeasuredRequests),
  notMeasured: z.nullable(z.string()),
  hooks: z.array(readsFormer(HookRun, { said: "lastLine" })),
  warnings: z.array(z.string()),
  /** A freeze window that was passed over, and the reason that somebody gave. */
  freezeOverride: z.nullable(z.strictObject({ window: z.string(), reason: z.string() })),
});
/** What one sequence did: the plan, the phases, the requests and how it ended (docs/receipts.md). */
export interface Receipt extends z.infer<typeof Receipt> {}

/** @internal */
export const MeasureReceipt = z.strictObject({
  formatVersion: z.literal(RECEIPT_FORMAT),
  action: z.literal("measure"),
  /** null where no environment file said what to measure. */
  application: z.nullable(ApplicationName),
  environment: z.nullable(z.string()),
  who: Person,
  /** The program and its arguments. */
  command: z.array(z.string()).check(z.minLength(1)),
  /** When it ran. The load began before and ended after it: see the timeline. */
  startedAt: Time,
  endedAt: Time,
  seconds: z.number(),
  /** How it ended: 128 and the signal's number where a signal ended it. */
  commandExitCode: z.int(),
  /** Failed requests, and acknowledged POSTs that are gone, that count as unnoticed. */
  allowedFailures: z.int(),
  /** "unknown": the load itself failed. */
  outcome: z.enum(["unnoticed", "noticed", "commandFailed", "unknown"]),
  /** Of `bluegreen measure`: the command's own where that is not 0. */
  exitCode: z.int(),
  reason: z.string(),
  requests: z.nullable(MeasuredRequests),
  notMeasured: z.nullable(z.string()),
});
/** What users met while some command ran (`bluegreen measure`): there is no sequence, plan or proxy to tell of. */
export interface MeasureReceipt extends z.infer<typeof MeasureReceipt> {}

export function formatReceipt(receipt: Receipt | MeasureReceipt): string {
  return `${JSON.stringify(receipt, null, 2)}\n`;
}
