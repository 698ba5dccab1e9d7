/**
 * The gate: whether a sequence may begin, switch or weight, given what its record asks for and what the director of a
 * proxy remembers. Each rule and its words stand here once: the director asks before every step, the command and the
 * transitions ask before they write a record. Pure: observations and the time come in, a typed refusal goes out.
 */
import type { DirectorState } from "./director-status";
import { EXIT } from "./exit-code";
import { describeGoal } from "./record";
import type { Goal } from "./record";
import { Refusal } from "./failure";
import { missingFrom } from "./release";
import type { KnownContracts } from "./release";
import type { Schedule } from "./schedule";
import type { RecordedRelease, Sequence } from "./sequence";
import { otherSlot } from "./slot";
import type { Slot } from "./slot";

/** What a director's spec carries of the record and its schedule. */
export interface Asked extends Sequence {
  readonly schedule: Pick<Schedule, "strategy">;
}

/** A release in its slot. An operator's view of a proxy may lack the digest of the artifact. */
export interface Stable {
  readonly slot: Slot;
  readonly releaseId: string;
  readonly sha256?: string | undefined;
}

/** What the gate uses of a director's state. */
export type Remembered = Pick<
  DirectorState,
  | "sequence"
  | "recordDigest"
  | "finished"
  | "aborted"
  | "phase"
  | "stable"
  | "candidate"
  | "recorded"
  | "retainedUntil"
  | "contracted"
  | "failedDigests"
> & { readonly result: { readonly outcome: string } | null };

/** The four cases that begin accepts; see {@link caseOf}. */
export type Case = "otherIsLive" | "targetIsLive" | "neverLive" | "recreate";

// --- the director's steps ---------------------------------------------------------------------------------------------

/** @throws Refusal where the proxy knows a newer record, other content under this number, or the end of this sequence. */
export function requireUnfinished(asked: Asked, known: Remembered): void {
  requireCurrent(asked, known);
  if (asked.sequence === known.sequence && known.finished && known.sequence > 0) throw finished(known);
}

/**
 * After {@link requireUnfinished}: record and proxy fit, and every way back stays open.
 * @returns which case it is; and in words what this sequence costs, null where that is nothing.
 * @throws Refusal for anything else.
 */
export function mayBegin(
  asked: Asked,
  known: Remembered,
  now: number,
): { readonly found: Case; readonly replaces: string | null } {
  const found = caseOf(asked, known.stable);
  if (found === "neverLive") requireFirstGoal(asked.goal);
  refuseExchanged(asked, known);
  if (found !== "targetIsLive" && !asked.retry) refuseFailedBefore(asked, known);
  refuseOldSchema(asked, known);
  const replaces = retention(asked, known, now);
  if (asked.healing.length > 0) requireSettled(asked, known.stable);
  return { found, replaces };
}

/** A sequence that failed does not get a second try by running its step again; one that is live already may. */
export function maySwitch(asked: Asked, known: Remembered): Case {
  requireBegun(asked, known);
  const found = caseOf(asked, known.stable);
  const isDone = asked.slots[asked.target] === null || found === "targetIsLive";
  const isOver = known.finished && (known.phase === "stable" || known.phase === "frozen");
  if (isOver && !isDone) throw finished(known);
  return found;
}

/** Both slots serve the release that is stable, never a candidate. @returns that release. */
export function mayShare(asked: Asked, known: Remembered): Stable {
  requireBegun(asked, known);
  const { stable } = known;
  if (stable !== null && isTargetLive(asked, stable)) return stable;
  throw new Refusal(
    "not-possible-here",
    `nothing to share: ${idOf(stable)} is stable, not ${idOf(asked.slots[asked.target])}`,
  );
}

/**
 * What an abort has to do, which is never refused.
 * @param asStable whether the proxy's traffic is what the director set, and as it is while stable has all of it.
 */
export function abortOf(
  asked: Asked,
  known: Remembered,
  asStable: boolean,
): "nothing" | "endHeal" | "takeBack" {
  if (!asStable || known.phase !== "stable") return "takeBack";
  if (known.finished && asked.sequence <= known.sequence) return "nothing";
  // A heal moves no traffic between the slots.
  return asked.healing.length > 0 && asked.sequence >= known.sequence ? "endHeal" : "takeBack";
}

/** @throws Refusal unless begin let this sequence in, with the same record, and it was not aborted. */
function requireBegun(asked: Asked, known: Remembered): void {
  requireCurrent(asked, known);
  const { sequence, recordDigest } = asked;
  if (sequence !== known.sequence || recordDigest !== known.recordDigest) {
    throw new Refusal(
      "not-begun",
      `record ${sequence} was not begun on this proxy (${known.sequence} was): apply the whole web stack`,
    );
  }
  if (known.aborted) throw new Refusal("aborted", `record ${sequence} was aborted`, EXIT.aborted);
}

// --- the fence --------------------------------------------------------------------------------------------------------

function requireCurrent({ sequence, recordDigest }: Asked, known: Remembered): void {
  if (sequence < known.sequence) {
    throw new Refusal(
      "stale",
      `record ${sequence} is older than ${known.sequence}, which this proxy knows; use \`bluegreen rollback\` to go back`,
    );
  }
  if (sequence === known.sequence && known.recordDigest !== "" && recordDigest !== known.recordDigest) {
    throw new Refusal(
      "stale",
      `record ${sequence} is already known with other content: a changed record takes the next sequence, ${sequence + 1}`,
    );
  }
}

/** @throws Refusal where a checkout is stale: its next sequence was applied already. */
export function requireNewer(sequence: number, proxy: string, known: number): void {
  if (sequence > known) return;
  throw new Refusal(
    "stale",
    `the record here is at ${sequence - 1}, but ${proxy} knows record ${known}: pull, then try again; nothing was changed`,
  );
}

function finished({ sequence, result, aborted, phase }: Remembered): Refusal {
  const end = result?.outcome ?? (aborted ? "aborted" : phase);
  return new Refusal(
    "finished",
    `record ${sequence} is finished (${end}): the next change takes sequence ${sequence + 1}; \`bluegreen retry\` writes it`,
  );
}

// --- what is recorded and what users get ------------------------------------------------------------------------------

/**
 * What begin accepts:
 *   (a) otherIsLive: the other slot is live with its recorded release
 *   (b) targetIsLive: the target is live with its recorded release (a heal is let in as this)
 *   (c) neverLive: nothing was ever live
 *   (d) recreate: the schedule is recreate, and the target is live with `previous`
 * @throws Refusal for anything else.
 */
function caseOf(asked: Asked, stable: Stable | null): Case {
  if (stable === null) return "neverLive";
  if (stable.slot !== asked.target) {
    if (isSame(asked.slots[stable.slot], stable)) return "otherIsLive";
    throw doesNotFit(asked, stable);
  }
  if (isTargetLive(asked, stable)) return "targetIsLive";
  if (asked.schedule.strategy === "recreate" && isSame(asked.previous, stable)) return "recreate";
  throw doesNotFit(asked, stable, `A release goes to the idle slot, ${otherSlot(stable.slot)}`);
}

export function isTargetLive({ target, slots }: Sequence, stable: Stable | null): boolean {
  return stable?.slot === target && isSame(slots[target], stable);
}

/** Whether users get, with all requests, what the record asks for. */
export function isSettled(asked: Sequence, stable: Stable | null): boolean {
  return asked.goal === "live" && isTargetLive(asked, stable);
}

export function isSame(
  recorded: RecordedRelease | null,
  { releaseId, sha256 = recorded?.sha256 }: Omit<Stable, "slot">,
): boolean {
  return recorded !== null && recorded.releaseId === releaseId && recorded.sha256 === sha256;
}

export function doesNotFit(
  { sequence, slots, target }: Sequence,
  stable: Stable | null,
  way = "Is this checkout up to date?",
): Refusal {
  return new Refusal(
    "unknown-release",
    `record ${sequence} does not fit what users get: recorded ${idOf(slots.blue)} in blue and ${idOf(slots.green)} in green, ` +
      `${target} to be live; observed ${idOf(stable)} live in ${stable?.slot ?? "no slot"}. ${way}`,
  );
}

/** @throws Refusal where the first release is to stop at a weight: no release can get the rest. */
export function requireFirstGoal(goal: Goal): void {
  if (typeof goal !== "number") return;
  throw new Refusal(
    "not-possible-here",
    `nothing is live yet: the first release can't be held at ${goal} %, its goal is "live" or "staged"`,
  );
}

// --- what must not come back ------------------------------------------------------------------------------------------

/** A release id names one artifact: another one takes a new run. */
function refuseExchanged(
  { sequence, slots, target }: Asked,
  { stable, candidate, recorded }: Remembered,
): void {
  const wanted = slots[target];
  if (wanted === null) return;
  const known = [stable, candidate, ...recorded].find(
    (each) => each?.releaseId === wanted.releaseId && each.sha256 !== wanted.sha256,
  );
  if (!known) return;
  throw new Refusal(
    "not-possible-here",
    `${known.releaseId} was recorded with sha256 ${known.sha256}, record ${sequence} gives it ${wanted.sha256}: another artifact takes a new run`,
  );
}

/** An artifact that was aborted or rolled back is not tried again by accident. */
function refuseFailedBefore({ slots, target }: Asked, { failedDigests }: Remembered): void {
  const failed = failedDigests.find(({ sha256 }) => sha256 === slots[target]?.sha256);
  if (failed === undefined) return;
  throw new Refusal(
    "failed-before",
    `this artifact failed before, as ${failed.releaseId} (${failed.reason}): \`bluegreen retry\` tries it again, or set "retry": true in the record`,
  );
}

/** What a contract migration took away does not come back. @throws Refusal where the release needs it. */
export function requireSchema(name: string, release: KnownContracts, contracted: readonly string[]): void {
  const missing = missingFrom(release, contracted);
  if (missing === undefined) return;
  throw new Refusal(
    "old-schema",
    `${name} needs what ${missing} took away from the database: release a version whose migrations include it`,
  );
}

/**
 * A contract migration waits until each release that gets traffic, or may get it again, works without what it takes
 * away; and from then on no other one is let in.
 */
function refuseOldSchema(asked: Asked, known: Remembered): void {
  const { slots, previous, target } = asked;
  const due = asked.contracted.filter((script) => !known.contracted.includes(script));
  const candidate = slots[target];
  for (const release of [known.stable, known.candidate, slots.blue, slots.green, previous]) {
    if (release === null || release.releaseId === candidate?.releaseId) continue;
    const needed = missingFrom(release, due);
    if (needed !== undefined) {
      throw new Refusal(
        "old-schema",
        `${needed} takes away what ${release.releaseId} needs, and that can still get traffic: promote a release that works without it first, then release the migration`,
      );
    }
  }
  if (candidate === null) return;
  requireSchema(candidate.releaseId, candidate, [...known.contracted, ...asked.contracted]);
}

// --- what must stay ---------------------------------------------------------------------------------------------------

/**
 * A slot that is kept for an instant rollback is given up for the next release, or where its release is cancelled; never
 * for a convergence, which can wait.
 * @returns in words what this sequence costs; null where that is nothing.
 */
export function retention(
  { touched, converge }: Sequence,
  { stable, retainedUntil }: { readonly stable: Stable | null } & Pick<DirectorState, "retainedUntil">,
  now: number,
): string | null {
  const end = retainedUntil ?? now;
  if (stable === null || end <= now) return null;
  const retained = otherSlot(stable.slot);
  const until = `kept for an instant rollback until ${new Date(end).toISOString()}`;
  if (touched.includes(retained)) return `it gives up ${retained}, which was ${until}`;
  if (!converge) return null;
  throw new Refusal("retained", `${retained} is ${until}: only a release into it may replace it before`);
}

/** Whether this sequence ends the retention: its slot gets another release. */
export function endsRetention({ touched, converge }: Sequence, stable: Stable | null): boolean {
  return stable === null || converge || touched.includes(otherSlot(stable.slot));
}

/** Servers get again what is live, and has all requests. @throws Refusal where the record asks for something else. */
export function requireSettled(asked: Sequence, stable: Stable | null): void {
  if (isSettled(asked, stable)) return;
  const { slots, target, goal } = asked;
  throw new Refusal(
    "not-possible-here",
    `${idOf(slots[target])} (goal ${describeGoal(goal)}) is not what is stable, ${idOf(stable)} is: \`bluegreen promote\`, \`retry\` or \`abort\` comes first, then \`heal\``,
  );
}

/**
 * Servers that serve well, and whose release no other server serves, are left alone.
 * @param well the servers that serve the release well. @param isAgain a heal that is tried again goes on all the same.
 * @returns whether the healed servers are all that serve it well: their install finds nothing to do.
 */
export function cannotSpare(
  healing: readonly string[],
  release: string | null,
  well: readonly string[],
  isAgain: boolean,
): boolean {
  if (well.length === 0 || !well.every((server) => healing.includes(server))) return false;
  if (isAgain) return true;
  throw new Refusal(
    "already-there",
    `nothing else serves ${release} than ${healing.join(", ")}, and well: there is nothing to heal`,
  );
}

function idOf(release: { readonly releaseId: string } | null): string {
  return release?.releaseId ?? "nothing";
}
