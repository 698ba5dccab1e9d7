/**
 * What a director did in one sequence, in the order of events: the part of a receipt that only the proxy knows. It is
 * kept in the director's state, comes back through its step's output, and is small for that reason.
 */
import * as z from "zod/mini";
import { readsFormer } from "./former-names";
import { SLOTS } from "./slot";

export const Figures = z.strictObject({
  requests: z.int(),
  /** Answers with 5xx, and requests without any. */
  errors: z.int(),
  /** The 95th percentile in milliseconds; null without answers. */
  p95Ms: z.nullable(z.number()),
});
export type Figures = z.infer<typeof Figures>;

/** What a judgement of a candidate rests on: its answers and stable's over the last seconds. */
export const Comparison = readsFormer(
  z.strictObject({
    candidate: Figures,
    stable: Figures,
    /** Of the users' requests, in per cent. */
    weight: z.int(),
    seconds: z.number(),
  }),
  { share: "weight" },
);
export type Comparison = z.infer<typeof Comparison>;

/** Milliseconds since 1970, by the proxy's clock. */
const at = z.number();

export const JournalEntry = readsFormer(
  z.discriminatedUnion("event", [
    /** Every endpoint of the slot answered as this release, before it got any of the users' requests. */
    z.strictObject({
      at,
      event: z.literal("verified"),
      slot: z.enum(SLOTS),
      releaseId: z.string(),
      endpoints: z.int(),
      seconds: z.number(),
    }),
    /** From here on the requests went like this. */
    z.strictObject({
      at,
      event: z.literal("traffic"),
      live: z.nullable(z.enum(SLOTS)),
      /** Of the other slot, in per cent. */
      weight: z.int(),
      mode: z.enum(["serve", "hold", "page"]),
    }),
    /** A weight (100: the bake) came to its end, well or badly. */
    z.strictObject({
      at,
      event: z.literal("judged"),
      verdict: z.enum(["pass", "fail"]),
      comparison: Comparison,
    }),
    /** A slot that got its last new request: what still ran there when the time to drain was over. */
    z.strictObject({
      at,
      event: z.literal("drained"),
      slot: z.enum(SLOTS),
      running: z.int(),
      cut: z.boolean(),
    }),
  ]),
  { share: "weight" },
);
export type JournalEntry = z.infer<typeof JournalEntry>;
