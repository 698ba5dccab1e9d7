/**
 * What a director remembers and reports: its state beside the proxy, its status, and the last line of a step. The
 * director builds each with the type here; every reader validates it with the schema.
 */
import * as z from "zod/mini";
import { Draining } from "./draining";
import { BrokenGlass } from "./moved-by-hand";
import { readsFormer, readsFormerValues } from "./former-names";
import { Comparison, JournalEntry } from "./journal";
import { DrainedServer, ServerDrain } from "./server-drain";
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
    /** The slot that gets all requests except the other one's; null: nothing was ever live, users get a 503 page. */
    live: z.nullable(SlotName),
    /** Per cent of the requests (and of the buckets) that go to the other slot. 0 to 100. */
    weight: z.int(),
    /** Selects the buckets of the other slot: `(bucket + offset) mod 100 < weight`, so it is not always the same users. 0 to 99. */
    offset: z.int(),
    /**
     * `serve`: as usual. `hold`: requests wait until something listens on the live slot again. `page`: they get a
     * 503 page meanwhile. Both end as soon as an instance answers.
     */
    mode: z.enum(["serve", "hold", "page"]),
    /**
     * Whether a slot without a healthy endpoint fails over to the other. Only while both are verified, so always while the
     * director divides traffic; then a client without a bucket gets one.
     */
    fallback: z.boolean(),
    /**
     * With affinity: the release ids whose clients stay on their servers, by slot. A client without such a server goes where
     * weight says. Absent without affinity.
     */
    sessions: z.optional(perSlot(z.nullable(z.string()))),
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

/** Requests, WebSockets and downloads that did not finish in time. */
const Unfinished = z.strictObject({
  slot: SlotName,
  running: z.int(),
  /** Ended by the proxy or by stopping the instance; otherwise they continue in the old slot. */
  cut: z.boolean(),
});
export type Unfinished = z.infer<typeof Unfinished>;

const StepResult = z.strictObject({
  step: z.string(),
  sequence: z.int(),
  exitCode: z.int(),
  outcome: readsFormerValues(z.enum(OUTCOMES), { held: "paused" }),
  reason: z.string(),
  /** Set if a candidate was judged under traffic. */
  comparison: z._default(z.nullable(Comparison), null),
});
export type StepResult = z.infer<typeof StepResult>;

/** Answers to users, and how many of them failed (5xx, or no whole answer). Cumulated by slot, where a slot is named. */
const Answers = z.strictObject({ answers: z.number(), failed: z.number() });

/** What users got before a sequence, as its journal has it. */
const Before = z.strictObject({
  ...Answers.shape,
  seconds: z.number(),
  /** How old the figures were when the sequence began, in seconds. */
  age: z.number(),
});
export type Before = z.infer<typeof Before>;

/** What users got while a sequence ran, at its end: it stands in where nothing was counted before the next one. */
const Usual = z.strictObject({
  /** Milliseconds since 1970. */
  at: z.number(),
  /** Of the release that is stable since then; no answers if the sequence made them worse, or interrupted them. */
  ...Answers.shape,
  seconds: z.number(),
  /** Number of answers by milliseconds, possibly of a sample. */
  latency: z.record(z.string(), z.number()),
  /** All that the proxy had counted when the last sequence ended: some proxies count at rest, too. */
  counted: z.object({ at: z.number(), blue: Answers, green: Answers }),
});

/** What the proxy had counted when a sequence had begun, and what users got before. */
const Watched = z.strictObject({
  sequence: z.int(),
  /** Milliseconds since 1970. */
  at: z.number(),
  counted: perSlot(Answers),
  before: z.nullable(Before),
  /** What the proxy had counted of stable then besides: numbers of answers by milliseconds and by class. */
  stable: z.optional(
    z.strictObject({
      latency: z.record(z.string(), z.number()),
      classes: z.optional(z.record(z.string(), z.number())),
    }),
  ),
});

/** What the director remembers between two steps, in a file beside the proxy. */
export const DirectorState = z.strictObject({
  formatVersion: z.literal(1),
  /** The highest sequence seen, and the digest of its record. */
  sequence: z.int(),
  recordDigest: z.string(),
  /** The record itself, for `bluegreen recover`. Version 0.1.0 kept none. */
  record: z.optional(z.record(z.string(), z.unknown())),
  /** This sequence has ended, successfully or not: its steps don't run again. */
  finished: z.boolean(),
  /** This sequence was aborted; steps that still run must not promote. */
  aborted: z.boolean(),
  phase: z.enum(DIRECTOR_PHASES),
  /** The last release that passed its bake; a failed candidate rolls back to it. */
  stable: z.nullable(PlacedRelease),
  candidate: z.nullable(PlacedRelease),
  /** The slots' releases in the last record: a release keeps its artifact. */
  recorded: z._default(z.array(PlacedRelease), []),
  /** Both slots serve the stable release (after `converge`). */
  shared: z.boolean(),
  /** The slot whose instances were notified that they are live; null if none were. */
  active: z._default(z.nullable(SlotName), null),
  /** Until when the idle slot is kept for an instant rollback, in milliseconds since 1970. */
  retainedUntil: z._default(z.nullable(z.number()), null),
  /** Contract migrations that were allowed to run: no release that needs the old schema gets traffic again. */
  contracted: z._default(z.array(z.string()), []),
  /** The candidate's current weight according to the schedule. */
  weight: z.int(),
  /** Written before the proxy is changed, so the proxy serves one of the two; anything else was changed by hand. */
  traffic: z.strictObject({ intended: Traffic, before: Traffic }),
  /** When the current phase ends, in milliseconds since 1970. Absolute, so that a restart does not prolong it. */
  deadline: z.nullable(z.number()),
  /** Artifacts that were aborted, or failed for certain under traffic: refused until a record has `retry`. */
  failedDigests: z.array(z.strictObject({ sha256: z.string(), releaseId: z.string(), reason: z.string() })),
  /** Requests that still ran after this sequence's drains. */
  unfinished: z._default(z.array(Unfinished), []),
  /** The journal of this sequence, for its receipt. */
  journal: z._default(z.array(JournalEntry), []),
  /** The last sequence that ended here, which the other proxies compare with theirs. Absent with a single proxy. */
  announced: z.optional(z.int()),
  /** What users usually get. Absent before the first sequence of this version. */
  usual: z.optional(Usual),
  /** Users' answers are watched since this sequence has begun. Absent at rest. */
  watched: z.optional(Watched),
  /** Since when users leave the slot that is not live (milliseconds since 1970). Absent long after they did. */
  leftSince: z.optional(z.number()),
  /** Servers that an operator took out of use. Absent before the first. */
  drained: z.optional(z.array(DrainedServer)),
  /** Users were moved by hand, and no record has taken that over yet. */
  brokenGlass: z._default(z.nullable(BrokenGlass), null),
  /** How the last step ended. */
  result: z.nullable(StepResult),
});
export type DirectorState = z.infer<typeof DirectorState>;

/** The last line of a step only has room for slot and id. */
const ReportedRelease = z.object({
  ...z.partial(PlacedRelease).shape,
  ...z.pick(PlacedRelease, { slot: true, releaseId: true }).shape,
});

/** The state as reported. The last line of a step omits what is optional here. */
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
  /** Whether the proxy sends it requests: not while it is being healed, or after its heal failed. */
  inRotation: z.boolean(),
});
export type EndpointStatus = z.infer<typeof EndpointStatus>;

export interface SlotCounts {
  readonly requests: number;
  /** 5xx answers, including those of the proxy itself. */
  readonly errors: number;
  /** Requests, WebSockets and downloads that run now. */
  readonly inFlight: number;
}
/** Drivers may count more; extra fields are passed on unchanged. */
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

/** What a proxy found when it was started: whether its state is as new as the other proxies'. */
export const Arrival = z.strictObject({
  at: z.string(),
  found: z.enum(["current", "unverified", "behind"]),
  reason: z.string(),
});
export type Arrival = z.infer<typeof Arrival>;

/** What the proxy's port for users answered to one request, as a user sends it. */
const UsersAnswer = z.object({
  /** As the verification expects it, of whatever release. */
  healthy: z.boolean(),
  releaseId: z.nullable(z.string()),
  /** Empty if healthy. */
  problem: z.string(),
});

/** The output of `director status`. */
export const ProxyStatus = z.object({
  ...Reported.shape,
  /** Absent from directors of version 0.1.0, from a last line, and while requests are held. */
  users: z.optional(UsersAnswer),
  endpoints: perSlot(z.array(EndpointStatus)),
  /** Set from a start of the proxy until its state is known to be as new as the others'. */
  arrival: z.optional(Arrival),
  /** A slot that users leave one by one. Absent if there is none. */
  draining: z.optional(Draining),
  /** Servers that an operator takes out of use. Absent if there is none. */
  drained: z.optional(z.array(ServerDrain)),
  /** How users' failed answers rose since the sequence began, if they did, before its candidate is verified. */
  harm: z.optional(z.string()),
  /** Counters since the proxy started; absent if only the last line of its last step is known. */
  counts: z.optional(perSlot(SlotCounts)),
  /** Set if the proxy reported this at that time (ISO 8601), not now. */
  at: z.optional(z.string()),
});
export type ProxyStatus = z.infer<typeof ProxyStatus>;

/** The last line of a step: its result, and the status without the endpoints. */
export const LastWords = z.object({
  ...StepResult.shape,
  ...Reported.shape,
  seconds: z.number(),
  at: z.string(),
});
export type LastWords = z.infer<typeof LastWords>;
