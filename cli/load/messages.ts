/** The IPC messages between the parent (`load.ts`) and the process that sends the requests (`worker.ts`). */
import { z } from "zod";
import type { SessionCounts, TimelinePoint } from "../../release/receipt";
import { loadPlanSchema } from "./plan";
import type { Period } from "./timeline";

const id = z.int();

/** From the parent to the worker. Each gets one reply, with the same id. */
export const commandSchema = z.discriminatedUnion("command", [
  z.object({ id, command: z.literal("start"), plan: loadPlanSchema }),
  z.object({ id, command: z.literal("beginStep"), name: z.string() }),
  z.object({ id, command: z.literal("endStep") }),
  z.object({ id, command: z.literal("stop") }),
]);

export type Command = z.output<typeof commandSchema>;

/** From the worker to the parent. */
export type Reply =
  | { readonly type: "done"; readonly id: number; readonly result: unknown }
  | { readonly type: "refused"; readonly id: number; readonly reason: string }
  | ({ readonly type: "progress" } & LoadProgress);

/** Why a request failed. After the space: the status, or the error code of Node.js or undici. */
export type FailureKind =
  | `connection ${string}`
  | `status ${number}`
  | "time limit"
  | "in-flight cap"
  | "release id missing"
  | "release id malformed"
  | "location"
  | "body";

interface LatencyMs {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** The requests that were due in one period. */
export interface RequestCounts {
  /** Requests that were due, including those not sent because of the in-flight cap. */
  readonly sent: number;
  readonly failed: number;
  /** Failed requests by kind (`FailureKind`). */
  readonly failures: Readonly<Record<string, number>>;
  /** Answers, good and bad, by release. */
  readonly versions: Readonly<Record<string, number>>;
  /** Answers that failed a check, by release; "unknown" if the answer names none. */
  readonly badAnswers: Readonly<Record<string, number>>;
  /** From the due time to the whole answer or the time limit. Without lost connections. */
  readonly latencyMs: LatencyMs;
  /** The longest time without a good answer, between the period's begin and end. */
  readonly longestGapMs: number;
  readonly durationMs: number;
  /** The longest delay between due time and sending: how far to trust the latencies. */
  readonly startedLateMs: number;
  /** Only of a plan with a form. */
  readonly sessions?: SessionCounts;
}

/** One step of the rehearsal. */
export type StepRequests = RequestCounts;

export interface FailedRequest {
  /** The due time, ISO 8601. */
  readonly at: string;
  /** The step in which it was due; null between steps. */
  readonly step: string | null;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly kind: FailureKind;
  readonly status: number | null;
  /** The error code, if there was no answer. */
  readonly code: string | null;
  readonly releaseId: string | null;
}

/** The whole load, from start to stop. */
export interface LoadTotals extends RequestCounts {
  /** POSTs that the application acknowledged. */
  readonly acknowledged: number;
  /** Acknowledged POSTs that were found at the end. */
  readonly found: number;
  /** Ids of the first 20 that were missing. */
  readonly missing: readonly string[];
  /** The first 200 failed requests. */
  readonly failedRequests: readonly FailedRequest[];
  /** Processor time that the worker used. */
  readonly cpuSeconds: number;
}

/** The current counts. */
interface LoadPosition {
  readonly sent: number;
  readonly failed: number;
  readonly inFlight: number;
}

/** Sent once a second, and once more when the load has stopped. */
export interface LoadProgress extends LoadPosition {
  /** Since the last message. */
  readonly period: Period;
}

/** For a progress line. At most a second old. */
export interface LoadSnapshot extends LoadPosition {
  /** null until the first second is over. */
  readonly lastSecond: TimelinePoint | null;
}
