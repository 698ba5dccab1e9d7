/**
 * The gate: whether a sequence may begin, switch or share, given what its record asks for and what a proxy's director
 * remembers. Each rule and its message is here once: the director checks it before every step, the command and the
 * transitions before they write a record. Pure functions of observations and time that throw typed refusals.
 */
import { requireTakenOver } from "./moved-by-hand";
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

/** The record and its schedule, as in a director's spec. */
export interface Asked extends Sequence {
  readonly schedule: Pick<Schedule, "strategy">;
}

/** A release in its slot. The status of a proxy may lack the artifact's digest. */
export interface Stable {
  readonly slot: Slot;
  readonly releaseId: string;
  readonly sha256?: string | undefined;
}

/** The fields of a director's state that the gate uses. */
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
> &
  Partial<Pick<DirectorState, "brokenGlass">> & { readonly result: { readonly outcome: string } | null };

/** The four cases that begin accepts; see {@link caseOf}. */
export type Case = "otherIsLive" | "targetIsLive" | "neverLive" | "recreate";

// --- the director's steps ---------------------------------------------------------------------------------------------

/** @throws Refusal if the proxy has a newer record, different content for this sequence, or this sequence has finished. */
export function requireUnfinished(asked: Asked, known: Remembered): void {
  requireCurrent(asked, known);
  if (asked.sequence === known.sequence && known.finished && known.sequence > 0) throw finished(known);
}

/**
 * After {@link requireUnfinished}: record and proxy match, and a rollback stays possible.
 * @returns the case; and a description of what this sequence replaces, null if nothing.
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

/** Running the step again does not retry a failed sequence. A sequence that is already live passes. */
export function maySwitch(asked: Asked, known: Remembered): Case {
  requireBegun(asked, known);
  const found = caseOf(asked, known.stable);
  const isDone = asked.slots[asked.target] === null || found === "targetIsLive";
  const isOver = known.finished && (known.phase === "stable" || known.phase === "frozen");
  if (isOver && !isDone) throw finished(known);
  return found;
}

/** Both slots may serve only the stable release, never a candidate. @returns that release. */
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
 * What an abort has to do. An abort is never refused.
 * @param asStable whether the proxy's traffic is as the director set it, with all requests on stable.
 */
export function abortOf(
  asked: Asked,
  known: Remembered,
  asStable: boolean,
): "nothing" | "endHeal" | "rollBack" {
  if (!asStable || known.phase !== "stable") return "rollBack";
  if (known.finished && asked.sequence <= known.sequence) return "nothing";
  // A heal moves no traffic between the slots.
  return asked.healing.length > 0 && asked.sequence >= known.sequence ? "endHeal" : "rollBack";
}

/** @throws Refusal unless begin accepted this sequence with the same record, and it was not aborted. */
function requireBegun(asked: Asked, known: Remembered): void {
  requireCurrent(asked, known);
  const { sequence, recordDigest } = asked;
  if (sequence !== known.sequence || recordDigest !== known.recordDigest) {
    throw new Refusal(
      "not-begun",
      `record ${sequence} has not begun on this proxy (it is at ${known.sequence}): apply the whole web stack`,
    );
  }
  if (known.aborted) throw new Refusal("aborted", `record ${sequence} was aborted`, EXIT.aborted);
}

// --- the fence --------------------------------------------------------------------------------------------------------

function requireCurrent({ sequence, recordDigest }: Asked, known: Remembered): void {
  requireTakenOver(sequence, known.brokenGlass);
  if (sequence < known.sequence) {
    throw new Refusal(
      "stale",
      `record ${sequence} is older than ${known.sequence}, which this proxy already has; use \`bluegreen rollback\` to go back`,
    );
  }
  if (sequence === known.sequence && known.recordDigest !== "" && recordDigest !== known.recordDigest) {
    throw new Refusal(
      "stale",
      `record ${sequence} is already known with different content: a changed record needs the next sequence, ${sequence + 1}`,
    );
  }
}

/** @throws Refusal if the checkout is stale: its next sequence was already applied. */
export function requireNewer(sequence: number, proxy: string, known: number): void {
  if (sequence > known) return;
  throw new Refusal(
    "stale",
    `the record here is at ${sequence - 1}, but ${proxy} already has record ${known}: pull, then try again; nothing was changed`,
  );
}

function finished({ sequence, result, aborted, phase }: Remembered): Refusal {
  const end = result?.outcome ?? (aborted ? "aborted" : phase);
  return new Refusal(
    "finished",
    `record ${sequence} is finished (${end}): the next change needs sequence ${sequence + 1}; \`bluegreen retry\` writes it`,
  );
}

// --- what is recorded and what users get ------------------------------------------------------------------------------

/**
 * What begin accepts:
 *   (a) otherIsLive: the other slot is live with its recorded release
 *   (b) targetIsLive: the target is live with its recorded release (this includes heals)
 *   (c) neverLive: nothing was ever live
 *   (d) recreate: the schedule is recreate, and the target is live with `previous`
 * @throws Refusal for anything else.
 */
function caseOf(asked: Asked, stable: Stable | null): Case {
  if (stable === null) return "neverLive";
  if (stable.slot !== asked.target) {
    if (isSame(asked.slots[stable.slot], stable)) return "otherIsLive";
    throw doesNotMatch(asked, stable);
  }
  if (isTargetLive(asked, stable)) return "targetIsLive";
  if (asked.schedule.strategy === "recreate" && isSame(asked.previous, stable)) return "recreate";
  throw doesNotMatch(asked, stable, `A release goes to the idle slot, ${otherSlot(stable.slot)}`);
}

export function isTargetLive({ target, slots }: Sequence, stable: Stable | null): boolean {
  return stable?.slot === target && isSame(slots[target], stable);
}

/** Whether all requests go to the release that the record wants live. */
export function isSettled(asked: Sequence, stable: Stable | null): boolean {
  return asked.goal === "live" && isTargetLive(asked, stable);
}

export function isSame(
  recorded: RecordedRelease | null,
  { releaseId, sha256 = recorded?.sha256 }: Omit<Stable, "slot">,
): boolean {
  return recorded !== null && recorded.releaseId === releaseId && recorded.sha256 === sha256;
}

export function doesNotMatch(
  { sequence, slots, target }: Sequence,
  stable: Stable | null,
  hint = "Pull if this checkout is old; else `bluegreen recover` writes a record that matches",
): Refusal {
  return new Refusal(
    "unknown-release",
    `record ${sequence} does not match what users get: it has ${idOf(slots.blue)} in blue and ${idOf(slots.green)} in green, ` +
      `with ${target} active; the proxy has ${idOf(stable)} live in ${stable?.slot ?? "no slot"}. ${hint}`,
  );
}

/** @throws Refusal if the first release would pause at a weight: no release can get the rest. */
export function requireFirstGoal(goal: Goal): void {
  if (typeof goal !== "number") return;
  throw new Refusal(
    "not-possible-here",
    `nothing is live yet: the first release can't be paused at ${goal} %, its goal must be "live" or "staged"`,
  );
}

// --- what must not come back ------------------------------------------------------------------------------------------

/** A release id names one artifact: a different artifact needs a new run. */
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
    `${known.releaseId} was recorded with sha256 ${known.sha256}, record ${sequence} gives it ${wanted.sha256}: a different artifact needs a new run`,
  );
}

/** An artifact that was aborted, or failed for certain, is not retried by accident. Statistics alone refuse none. */
function refuseFailedBefore({ slots, target }: Asked, { failedDigests }: Remembered): void {
  const failed = failedDigests.find(({ sha256 }) => sha256 === slots[target]?.sha256);
  if (failed === undefined) return;
  throw new Refusal(
    "failed-before",
    `this artifact failed before, as ${failed.releaseId} (${failed.reason}): \`bluegreen retry\` retries it, or set "retry": true in the record`,
  );
}

/** @throws Refusal if the release needs what a contract migration removed. */
export function requireSchema(name: string, release: KnownContracts, contracted: readonly string[]): void {
  const missing = missingFrom(release, contracted);
  if (missing === undefined) return;
  throw new Refusal(
    "old-schema",
    `${name} needs what ${missing} removed from the database: release a version whose migrations include it`,
  );
}

/**
 * A contract migration waits until each release that gets traffic, or may get it again, works without what it removes. From
 * then on, no other release is accepted.
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
        `${needed} removes what ${release.releaseId} needs, and that release can still get traffic: first promote a release that works without it, then release the migration`,
      );
    }
  }
  if (candidate === null) return;
  requireSchema(candidate.releaseId, candidate, [...known.contracted, ...asked.contracted]);
}

// --- what must stay ---------------------------------------------------------------------------------------------------

/**
 * A slot kept for an instant rollback may be replaced by the next release, or emptied if its release is cancelled. A
 * convergence has to wait.
 * @returns a description of what this sequence replaces; null if nothing.
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
  throw new Refusal("retained", `${retained} is ${until}: until then, only a release into it may replace it`);
}

/** Whether this sequence ends the retention: its slot gets another release. */
export function endsRetention({ touched, converge }: Sequence, stable: Stable | null): boolean {
  return stable === null || converge || touched.includes(otherSlot(stable.slot));
}

/** A heal reinstalls what is live with all requests. @throws Refusal if the record asks for something else. */
export function requireSettled(asked: Sequence, stable: Stable | null): void {
  if (isSettled(asked, stable)) return;
  const { slots, target, goal } = asked;
  throw new Refusal(
    "not-possible-here",
    `${idOf(slots[target])} (goal ${describeGoal(goal)}) is not stable, ${idOf(stable)} is: use \`bluegreen promote\`, \`retry\` or \`abort\` first, then \`heal\``,
  );
}

/**
 * Healthy servers are not healed if no other server serves their release.
 * @param well the servers on which the release is healthy. @param isAgain a repeated heal continues anyway.
 * @returns whether only healed servers serve it: then their install has nothing to do.
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
    `${release} is only served by ${healing.join(", ")} and is healthy there: there is nothing to heal`,
  );
}

function idOf(release: { readonly releaseId: string } | null): string {
  return release?.releaseId ?? "nothing";
}
