/** What the parent (`load.ts`) and the process that sends the requests (`worker.ts`) say to each other over IPC. */
import { z } from "zod";
import type { TimelinePoint } from "../../release/receipt";
import { loadPlanSchema } from "./plan";
import type { Stretch } from "./timeline";

const id = z.int();

/** From the parent to the worker. Each is answered once, by a reply with the same id. */
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

/** Why a request failed: the part after the space is the status, or the code of Node.js or undici. */
export type FailureKind =
  | `connection ${string}`
  | `status ${number}`
  | "time limit"
  | "in-flight cap"
  | "release id missing"
  | "release id malformed"
  | "body";

interface LatencyMs {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** The requests that were due in one stretch of time. */
export interface RequestCounts {
  /** Requests that were due, among them those that the in-flight cap kept from being sent. */
  readonly sent: number;
  readonly failed: number;
  /** Failed requests by kind (`FailureKind`). */
  readonly failures: Readonly<Record<string, number>>;
  /** Answers, good and bad, by the release that gave them. */
  readonly versions: Readonly<Record<string, number>>;
  /** Answers that failed a check, by the release that gave them; "unknown" where the answer named none. */
  readonly badAnswers: Readonly<Record<string, number>>;
  /** From when a request was due to its whole answer or its time limit. Lost connections are not in it. */
  readonly latencyMs: LatencyMs;
  /** The longest time without any good answer, from the stretch's begin to its end. */
  readonly longestGapMs: number;
  readonly durationMs: number;
  /** The most that a request was sent after it was due: how far to trust the latencies. */
  readonly startedLateMs: number;
}

/** One step of the rehearsal. */
export type StepRequests = RequestCounts;

export interface FailedRequest {
  /** When it was due, ISO 8601. */
  readonly at: string;
  /** The step in which it was due, or null between steps. */
  readonly step: string | null;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly kind: FailureKind;
  readonly status: number | null;
  /** The code of the error, where there was no answer. */
  readonly code: string | null;
  readonly releaseId: string | null;
}

/** The whole load, from start to stop. */
export interface LoadTotals extends RequestCounts {
  /** POSTs that the application said it has. */
  readonly acknowledged: number;
  /** Those of them that were there at the end. */
  readonly found: number;
  /** Ids of the first 20 that were not. */
  readonly missing: readonly string[];
  /** The first 200 failed requests. */
  readonly failedRequests: readonly FailedRequest[];
  /** Processor time that the worker used. */
  readonly cpuSeconds: number;
}

/** Where the load is. */
interface LoadPosition {
  readonly sent: number;
  readonly failed: number;
  readonly inFlight: number;
}

/** Said once a second, and a last time when the load has stopped. */
export interface LoadProgress extends LoadPosition {
  /** Since the last time. */
  readonly stretch: Stretch;
}

/** For a progress line. At most a second old. */
export interface LoadSnapshot extends LoadPosition {
  /** null until the first second is over. */
  readonly lastSecond: TimelinePoint | null;
}
