/**
 * What a director remembers and reports: its state beside the proxy, the status that it answers with, and the line with
 * which a step ends. The director builds each as its type here; every reader checks what it reads with the schema.
 */
import * as z from "zod/mini";
import { readsFormer, readsFormerValues } from "./former-names";
import { Comparison, JournalEntry } from "./journal";
import { SLOTS } from "./slot";

export const DIRECTOR_PHASES = [
  "stable",
  "staged",
  "verified",
  "shifting",
  "baking",
  "converging",
  "aborting",
  "frozen",
] as const;

const OUTCOMES = [
  "begun",
  "installed",
  "promoted",
  "rejected",
  "rolledBack",
  "recreated",
  "staged",
  "paused",
  "frozen",
  "shared",
  "healed",
  "unchanged",
  "refused",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

const SlotName = z.enum(SLOTS);
const perSlot = <T extends z.ZodMiniType>(schema: T) => z.object({ blue: schema, green: schema });

/** Where requests go. The proxy holds exactly one such value and replaces it atomically. */
export const Traffic = readsFormer(
  z.strictObject({
    /** The slot that gets what the other one does not; null: nothing was ever live, users get a 503 page. */
    live: z.nullable(SlotName),
    /** Per cent of the requests (and of the buckets) that go to the other slot. 0 to 100. */
    weight: z.int(),
    /** Which buckets are first: `(bucket + offset) mod 100 < weight`. So it is not always the same users. 0 to 99. */
    offset: z.int(),
    /**
     * `serve`: as usual. `hold`: requests wait until something listens on the live slot again. `page`: they get a
     * 503 page meanwhile. Both heal by themselves as soon as an instance answers.
     */
    mode: z.enum(["serve", "hold", "page"]),
    /**
     * Whether a slot without a healthy endpoint may be stood in for by the other; only while both are verified, so always
     * while the director divides traffic: then a client without a bucket is given one.
     */
    fallback: z.boolean(),
  }),
  { share: "weight" },
);
export type Traffic = Readonly<z.infer<typeof Traffic>>;

const PlacedRelease = z.strictObject({
  slot: SlotName,
  releaseId: z.string(),
  sha256: z.string(),
  /** The contract migrations that it works after. */
  contracts: z._default(z.array(z.string()), []),
});
export type PlacedRelease = z.infer<typeof PlacedRelease>;

/** Requests, WebSockets and downloads whose time to finish was over. */
const Unfinished = z.strictObject({
  slot: SlotName,
  running: z.int(),
  /** Ended by the proxy, or by the stop of the instance that follows; else they go on in the old slot. */
  cut: z.boolean(),
});
export type Unfinished = z.infer<typeof Unfinished>;

const StepResult = z.strictObject({
  step: z.string(),
  sequence: z.int(),
  exitCode: z.int(),
  outcome: readsFormerValues(z.enum(OUTCOMES), { held: "paused" }),
  reason: z.string(),
  /** Where a candidate was judged under traffic. */
  comparison: z._default(z.nullable(Comparison), null),
});
export type StepResult = z.infer<typeof StepResult>;

/** What the director remembers between two steps, in a file beside the proxy. */
export const DirectorState = z.strictObject({
  formatVersion: z.literal(1),
  /** The highest sequence seen, and the digest of its record. */
  sequence: z.int(),
  recordDigest: z.string(),
  /** The record itself, as its step brought it, for `bluegreen recover`. Version 0.1.0 kept none. */
  record: z.optional(z.record(z.string(), z.unknown())),
  /** This sequence reached its end, well or badly: its steps don't run again. */
  finished: z.boolean(),
  /** This sequence was aborted; whatever of it still runs must not promote. */
  aborted: z.boolean(),
  phase: z.enum(DIRECTOR_PHASES),
  /** What was live and stayed so through its bake; where traffic goes back to. */
  stable: z.nullable(PlacedRelease),
  candidate: z.nullable(PlacedRelease),
  /** What the last record said of the slots: a release keeps its artifact. */
  recorded: z._default(z.array(PlacedRelease), []),
  /** Both slots serve the stable release (after `converge`). */
  shared: z.boolean(),
  /** The slot whose instances were notified that they are live; null where none are, or none is live. */
  active: z._default(z.nullable(SlotName), null),
  /** Until when the idle slot is kept for an instant rollback, in milliseconds since 1970. */
  retainedUntil: z._default(z.nullable(z.number()), null),
  /** Contract migrations that were let run: nothing that needs the old schema gets traffic again. */
  contracted: z._default(z.array(z.string()), []),
  /** The weight of the requests that the candidate shall have at this moment of its schedule. */
  weight: z.int(),
  /** Written before the proxy is changed, so the proxy serves one of the two; anything else was set by hand. */
  traffic: z.strictObject({ intended: Traffic, before: Traffic }),
  /** When the current phase is over, in milliseconds since 1970; absolute, so that a restart does not prolong it. */
  deadline: z.nullable(z.number()),
  /** Artifacts that were aborted or rolled back: refused until a record says `retry`. */
  failedDigests: z.array(z.strictObject({ sha256: z.string(), releaseId: z.string(), reason: z.string() })),
  /** What this sequence's drains left running. */
  unfinished: z._default(z.array(Unfinished), []),
  /** What happened in this sequence, for its receipt. */
  journal: z._default(z.array(JournalEntry), []),
  /** How the last step ended. */
  result: z.nullable(StepResult),
});
export type DirectorState = z.infer<typeof DirectorState>;

/** The last line of a step has no room for more than the slot and the id. */
const ReportedRelease = z.object({
  ...z.partial(PlacedRelease).shape,
  ...z.pick(PlacedRelease, { slot: true, releaseId: true }).shape,
});

/** The state as it is reported: in the last line of a step without what is optional here. */
const ReportedState = z.object({
  ...z.partial(DirectorState).shape,
  ...z.pick(DirectorState, {
    sequence: true,
    phase: true,
    finished: true,
    weight: true,
    deadline: true,
    retainedUntil: true,
    unfinished: true,
    journal: true,
    result: true,
  }).shape,
  stable: z.nullable(ReportedRelease),
  candidate: z.nullable(ReportedRelease),
});

const EndpointStatus = z.object({
  server: z.string(),
  address: z.string(),
  releaseId: z.nullable(z.string()),
  healthy: z.boolean(),
  /** Whether the proxy sends it requests: not where a heal is under way, or failed. */
  inRotation: z.boolean(),
});
export type EndpointStatus = z.infer<typeof EndpointStatus>;

export interface SlotCounts {
  readonly requests: number;
  /** Answers with status 5xx, the proxy's own included. */
  readonly errors: number;
  /** Requests, WebSockets and downloads that run now. */
  readonly inFlight: number;
}
/** A driver counts more, which a reader passes on as it is. */
const SlotCounts: z.ZodMiniType<SlotCounts> = z.looseObject({
  requests: z.number(),
  errors: z.number(),
  inFlight: z.number(),
});

const Reported = z.object({
  proxy: z.string(),
  traffic: Traffic,
  /** Slots that get requests. */
  serving: z.array(SlotName),
  state: ReportedState,
});

/** What `director status` answers. */
export const ProxyStatus = z.object({
  ...Reported.shape,
  endpoints: perSlot(z.array(EndpointStatus)),
  /** What the proxy counted since it started; absent where only the last line of its last step is known. */
  counts: z.optional(perSlot(SlotCounts)),
  /** Set where this is what the proxy reported at that time (ISO 8601), not what it reports now. */
  at: z.optional(z.string()),
});
export type ProxyStatus = z.infer<typeof ProxyStatus>;

/** The line with which a step ends: its result, and of the status what no endpoint has to be asked for. */
export const LastWords = z.object({
  ...StepResult.shape,
  ...Reported.shape,
  seconds: z.number(),
  at: z.string(),
});
export type LastWords = z.infer<typeof LastWords>;
