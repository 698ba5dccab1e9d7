/**
 * The questions to a custom driver and its answers: one JSON document on stdin, one on stdout, one process for each
 * operation. The format is public (docs/library.md, "A custom driver").
 */
import * as z from "zod/mini";
import type { Endpoint } from "../../../../configuration/naming";
import { SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { isError } from "../answer-class";
import { ANSWER_CLASSES } from "../driver";
import type { Classes, Traffic } from "../driver";

export const EXCHANGE_FORMAT = 1;

export type Operation =
  | { readonly operation: "configure" | "observe" | "counts" }
  | { readonly operation: "setTraffic"; readonly traffic: Traffic }
  | { readonly operation: "exclude" | "include"; readonly slot: Slot; readonly servers: readonly string[] }
  | { readonly operation: "cut"; readonly slot: Slot };

export type Question = Operation & {
  readonly formatVersion: typeof EXCHANGE_FORMAT;
  readonly proxy: { readonly name: string; readonly host: string; readonly port: number };
  readonly endpoints: PerSlot<readonly Endpoint[]>;
};

const count = z.int().check(z.minimum(0));

const latency = z._default(z.record(z.string().check(z.regex(/^\d{1,5}$/)), count), {});

/** An address, and the client's bucket if the proxy has buckets. */
const Client = z.string().check(z.regex(/^[0-9A-Za-z.:]{1,45}\|(\d{1,2})?$/));

const classes = z.optional(z.partialRecord(z.enum(ANSWER_CLASSES), count));

/** What failed is counted once as an error, and once by its class. */
const failuresHaveClasses = z.refine<{ readonly errors: number; readonly classes?: Classes | undefined }>(
  ({ errors, classes: counted = { none: errors } }) =>
    ANSWER_CLASSES.filter(isError).reduce((sum, each) => sum + (counted[each] ?? 0), 0) === errors,
  { path: ["classes"], error: "5xx and none must be the errors" },
);

const ClientCounts = z
  .object({ requests: count, errors: count, latency, classes })
  .check(failuresHaveClasses);

const Counts = z
  .object({
    requests: count,
    errors: count,
    inFlight: count,
    latency,
    classes,
    clients: z.optional(z.record(Client, ClientCounts)),
    endpoints: z.array(
      z.object({
        ...{ server: z.string(), healthy: z.boolean(), inRotation: z.boolean() },
        ...{ requests: z.optional(count), errors: z.optional(count) },
      }),
    ),
  })
  .check(failuresHaveClasses);

/** Other fields of an answer are ignored. */
export const TrafficAnswer = z.object({
  traffic: z.object({
    live: z.nullable(z.enum(SLOTS)),
    weight: z.int().check(z.minimum(0), z.maximum(100)),
    offset: z.int().check(z.minimum(0), z.maximum(99)),
    mode: z.enum(["serve", "hold", "page"]),
    fallback: z.boolean(),
  }),
});
export const CountsAnswer = z.object({
  counts: z.object({ blue: Counts, green: Counts }),
  /** Paths that users ask for most, of the slot that is live. */
  pages: z.optional(z.array(z.string())),
});
export const Done = z.object({});
