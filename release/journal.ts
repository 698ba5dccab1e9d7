/**
 * What a director did in one sequence, in order: the part of a receipt that only the proxy knows. It is kept in the
 * director's state and returned in its step's output, so it is small.
 */
import * as z from "zod/mini";
import { readsFormer } from "./former-names";
import { SLOTS } from "./slot";

export const Figures = z.strictObject({
  requests: z.int(),
  /** 5xx answers, and requests without an answer. */
  errors: z.int(),
  /** The 95th percentile in milliseconds; null without answers. */
  p95Ms: z.nullable(z.number()),
});
export type Figures = z.infer<typeof Figures>;

/** A difference of two ratios, candidate minus stable: the estimate, and where it is with 95 % confidence, however often one looks. */
export const Difference = z.strictObject({ estimate: z.number(), low: z.number(), high: z.number() });
export type Difference = z.infer<typeof Difference>;

/** The basis of a judgement: answers of the candidate and of stable over the last seconds. */
export const Comparison = readsFormer(
  z.strictObject({
    candidate: Figures,
    stable: Figures,
    /** The candidate's part of the users' requests, in per cent. */
    weight: z.int(),
    seconds: z.number(),
    /** Failed answers that the judgement left out: what one client repeated, or only one client got. Absent if none. */
    leftOut: z.optional(z.int()),
    /** How much more of the candidate's answers failed. Absent from directors of version 0.1.0. */
    failed: z.optional(Difference),
    /** How sure it is that the candidate is worse in what is judged: 0 to 1. Absent from directors of version 0.1.0. */
    confidence: z.optional(z.number()),
    /** Where the candidate's failed answers gather, as in "29 of 31 came from web-2". */
    gathered: z.optional(z.string()),
    /** Why a step that passed proves little: too few answers. */
    notJudged: z.optional(z.string()),
  }),
  { share: "weight" },
);
export type Comparison = z.infer<typeof Comparison>;

/** Milliseconds since 1970, by the proxy's clock. */
const at = z.number();

export const JournalEntry = readsFormer(
  z.discriminatedUnion("event", [
    /** Every endpoint of the slot answered as this release, before it got any request of a user. */
    z.strictObject({
      at,
      event: z.literal("verified"),
      slot: z.enum(SLOTS),
      releaseId: z.string(),
      endpoints: z.int(),
      seconds: z.number(),
      /** How many pages of users were compared with stable's, and agreed. Absent if none was to be compared. */
      pages: z.optional(z.int()),
      /** What answers otherwise than stable, as expected: each with its pages. Absent if nothing does. */
      changed: z.optional(z.array(z.string())),
    }),
    /** How requests were routed from then on. */
    z.strictObject({
      at,
      event: z.literal("traffic"),
      live: z.nullable(z.enum(SLOTS)),
      /** Of the other slot, in per cent. */
      weight: z.int(),
      mode: z.enum(["serve", "hold", "page"]),
      /** With affinity the weight is of new clients, otherwise of the requests. */
      ofNewClients: z.optional(z.literal(true)),
    }),
    /** A weight (100: the bake) ended, with this verdict. */
    z.strictObject({
      at,
      event: z.literal("judged"),
      verdict: z.enum(["pass", "fail"]),
      comparison: Comparison,
    }),
    /**
     * What all users got from this proxy while the sequence ran, and before it. `before` is null if nothing was counted.
     * Written when the sequence ends.
     */
    z.strictObject({
      at,
      event: z.literal("users"),
      answers: z.int(),
      failed: z.int(),
      seconds: z.number(),
      before: z.nullable(
        z.strictObject({
          answers: z.int(),
          failed: z.int(),
          seconds: z.number(),
          /** How old the figures are, in seconds, when the sequence began: 0 if they were counted right before it. */
          age: z.number(),
        }),
      ),
      /** Whether users' failed answers rose, by the same test as a candidate's. */
      worse: z.boolean(),
    }),
    /** A slot was drained: what still ran there when the drain time was over. */
    z.strictObject({
      at,
      event: z.literal("drained"),
      slot: z.enum(SLOTS),
      running: z.int(),
      cut: z.boolean(),
    }),
    /**
     * What became of the clients of a release that users leave: `stay` on it while they are active, or their sessions `ended`.
     * Only with affinity.
     */
    z.strictObject({
      at,
      event: z.literal("sessions"),
      slot: z.enum(SLOTS),
      releaseId: z.string(),
      clients: z.enum(["stay", "ended"]),
      /** Since a client's last request when they ended; absent if the proxy can't tell. */
      idleSeconds: z.optional(z.number()),
    }),
    /** An operator on the proxy moved all its users to this slot, for this reason. */
    z.strictObject({
      at,
      event: z.literal("byHand"),
      slot: z.enum(SLOTS),
      from: z.string(),
      releaseId: z.string(),
      reason: z.string(),
    }),
  ]),
  { share: "weight" },
);
export type JournalEntry = z.infer<typeof JournalEntry>;
