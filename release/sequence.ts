/**
 * What a sequence asks for: the resolved facts of its record. The director's spec carries them to the proxies, and the gate
 * (gate.ts) compares them with what users get.
 */
import * as z from "zod/mini";
import { Sha256 } from "./patterns";
import { CatchUp, EndSessions, Goal, healedServers, recordDigest, ServerName, touchedSlots } from "./record";
import type { ReleaseRecord } from "./record";
import { releaseId, ScriptName } from "./release";
import type { Release } from "./release";
import { SLOTS } from "./slot";

const RecordedRelease = z.strictObject({
  /** A version of up to 40 characters, a hyphen, and a run. */
  releaseId: z.string().check(z.regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,56}$/)),
  sha256: Sha256,
  /** The contract migrations that it works after. */
  contracts: z.array(ScriptName),
});
export type RecordedRelease = z.infer<typeof RecordedRelease>;

export const Sequence = z.strictObject({
  sequence: z.int().check(z.minimum(0)),
  recordDigest: Sha256,
  /** The slot that the record wants live. */
  target: z.enum(SLOTS),
  goal: Goal,
  slots: z.strictObject({ blue: z.nullable(RecordedRelease), green: z.nullable(RecordedRelease) }),
  previous: z.nullable(RecordedRelease),
  /** Slots that this sequence installs into or empties. */
  touched: z.array(z.enum(SLOTS)),
  /** Servers on which this sequence reinstalls the live (and retained) release. The slots' other servers keep their traffic. */
  healing: z.array(ServerName),
  converge: z.boolean(),
  retry: z.boolean(),
  /** Contract migrations that have run, or run in this sequence. */
  contracted: z.array(ScriptName),
  /** As in the record: absent in specs of versions without it. */
  endSessions: z.optional(EndSessions),
  rollsBack: z.optional(z.boolean()),
  catchUp: z.optional(CatchUp),
  follows: z.optional(z.int().check(z.minimum(0))),
});
export type Sequence = z.infer<typeof Sequence>;

export function sequenceOf(record: ReleaseRecord): Sequence {
  const healing = healedServers(record);
  return {
    sequence: record.sequence,
    recordDigest: recordDigest(record),
    target: record.active,
    goal: record.goal,
    slots: { blue: recorded(record.slots.blue), green: recorded(record.slots.green) },
    previous: recorded(record.previous),
    touched: touchedSlots(record),
    healing,
    // A heal does not repeat the convergence.
    converge: record.converge === true && healing.length === 0,
    retry: record.retry === true,
    contracted: record.contracted ?? [],
    ...(record.endSessions === undefined ? {} : { endSessions: record.endSessions }),
    ...(record.rollsBack === undefined ? {} : { rollsBack: record.rollsBack }),
    ...(record.catchUp === undefined ? {} : { catchUp: record.catchUp }),
    ...(record.follows === undefined ? {} : { follows: record.follows }),
  };
}

function recorded(release: Release | null): RecordedRelease | null {
  if (release === null) return null;
  const { artifact, contracts = [] } = release;
  return { releaseId: releaseId(release), sha256: artifact.sha256, contracts };
}
