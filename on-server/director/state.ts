/**
 * What the director remembers between two steps, in one file beside the proxy: the fence (highest sequence seen),
 * the phase, and *stable*. What requests do now is the proxy's to say, not this file's.
 */
import { existsSync, readFileSync } from "node:fs";
import * as z from "zod/mini";
import { EXIT } from "../../release/exit-code";
import { Comparison, JournalEntry } from "../../release/journal";
import { SLOTS } from "../../release/slot";
import { writeAtomically } from "../../system/atomic-file";
import { CLOSED } from "./drivers/driver";
import { StepFailure } from "./step-failure";

const STATE_FILE = "state.json";

export const PHASES = [
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
  "held",
  "frozen",
  "shared",
  "healed",
  "unchanged",
  "refused",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

const PlacedRelease = z.strictObject({
  slot: z.enum(SLOTS),
  releaseId: z.string(),
  sha256: z.string(),
  /** The contract migrations that it works after. */
  contracts: z._default(z.array(z.string()), []),
});
export type PlacedRelease = z.infer<typeof PlacedRelease>;

const TrafficEntry = z.strictObject({
  live: z.nullable(z.enum(SLOTS)),
  share: z.int(),
  offset: z.int(),
  mode: z.enum(["serve", "hold", "page"]),
  fallback: z.boolean(),
});

/** Requests, WebSockets and downloads whose time to finish was over. */
const Unfinished = z.strictObject({
  slot: z.enum(SLOTS),
  running: z.int(),
  /** Ended by the proxy, or by the stop of the instance that follows; else they go on in the old slot. */
  cut: z.boolean(),
});

const Result = z.strictObject({
  step: z.string(),
  sequence: z.int(),
  exitCode: z.int(),
  outcome: z.enum(OUTCOMES),
  reason: z.string(),
  /** Where a candidate was judged under traffic. */
  comparison: z._default(z.nullable(Comparison), null),
});

const State = z.strictObject({
  formatVersion: z.literal(1),
  /** The highest sequence seen, and the digest of its record. */
  sequence: z.int(),
  recordDigest: z.string(),
  /** This sequence reached its end, well or badly: its steps don't run again. */
  finished: z.boolean(),
  /** This sequence was aborted; whatever of it still runs must not promote. */
  aborted: z.boolean(),
  phase: z.enum(PHASES),
  /** What was live and stayed so through its bake; where traffic goes back to. */
  stable: z.nullable(PlacedRelease),
  candidate: z.nullable(PlacedRelease),
  /** What the last record said of the slots: a release keeps its artifact. */
  recorded: z._default(z.array(PlacedRelease), []),
  /** Both slots serve the stable release (after `converge`). */
  shared: z.boolean(),
  /** The slot whose instances were told that they are live; null where nobody is told, or nobody is. */
  active: z._default(z.nullable(z.enum(SLOTS)), null),
  /** Until when the idle slot is kept for an instant rollback, in milliseconds since 1970. */
  retainedUntil: z._default(z.nullable(z.number()), null),
  /** Contract migrations that were let run: nothing that needs the old schema gets traffic again. */
  contracted: z._default(z.array(z.string()), []),
  /** The share of the requests that the candidate shall have at this moment of its schedule. */
  weight: z.int(),
  /** Written before the proxy is told, so the proxy serves one of the two; anything else was set by somebody else. */
  traffic: z.strictObject({ intended: TrafficEntry, before: TrafficEntry }),
  /** When the current phase is over, in milliseconds since 1970; absolute, so that a restart does not prolong it. */
  deadline: z.nullable(z.number()),
  /** Artifacts that were aborted or taken back: refused until a record says `retry`. */
  failedDigests: z.array(z.strictObject({ sha256: z.string(), releaseId: z.string(), reason: z.string() })),
  /** What this sequence's drains left running. */
  unfinished: z._default(z.array(Unfinished), []),
  /** What happened in this sequence, for its receipt. */
  journal: z._default(z.array(JournalEntry), []),
  /** How the last step ended. */
  result: z.nullable(Result),
});
export type State = z.infer<typeof State>;

export const NEVER_LIVE: State = {
  formatVersion: 1,
  sequence: 0,
  recordDigest: "",
  finished: true,
  aborted: false,
  phase: "stable",
  stable: null,
  candidate: null,
  recorded: [],
  shared: false,
  active: null,
  retainedUntil: null,
  contracted: [],
  weight: 0,
  traffic: { intended: CLOSED, before: CLOSED },
  deadline: null,
  failedDigests: [],
  unfinished: [],
  journal: [],
  result: null,
};

export const KEEP_FAILED_DIGESTS = 20;

export interface StateStore {
  load(): State;
  save(state: State): void;
}

export class StateFile implements StateStore {
  load(): State {
    if (!existsSync(STATE_FILE)) return NEVER_LIVE;
    try {
      return z.parse(State, JSON.parse(readFileSync(STATE_FILE, "utf8")));
    } catch {
      throw new StepFailure(
        EXIT.refused,
        `${STATE_FILE} of this proxy is damaged: nothing was changed. Compare \`director status\` with the record, then remove the file to start afresh`,
      );
    }
  }

  save(state: State): void {
    writeAtomically(STATE_FILE, `${JSON.stringify(state, null, 2)}\n`);
  }
}
