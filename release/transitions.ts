/**
 * The transitions of a record: pure functions from a record and the observed traffic to the next record, or to a typed
 * refusal. Every transition raises the sequence by one. Only an idle slot takes a release (except recreate).
 */
import { requireNotBanned } from "./bans";
import {
  doesNotMatch,
  isSettled,
  isTargetLive,
  requireFirstGoal,
  requireSchema,
  requireSettled,
} from "./gate";
import type { Stable } from "./gate";
import { bringsMigrations, withMigration } from "./needed-schema";
import { describeGoal, healedServers, idOrNull, rollbackIsInstant, touchedSlots, target } from "./record";
import type { Goal, ReleaseRecord } from "./record";
import { Refusal } from "./failure";
import { releaseId } from "./release";
import type { Candidate, Release, ReleaseId } from "./release";
import { resolveSchedule } from "./schedule";
import type { Schedule, ScheduleChoice } from "./schedule";
import { sequenceOf } from "./sequence";
import { otherSlot, SLOTS } from "./slot";
import type { Slot } from "./slot";
import { isWayBack } from "./way-back";

/** What users get now, if all proxies agree. */
export interface Observed {
  /** The slot of the stable release; null if nothing was ever live. */
  readonly live: Slot | null;
  /** The stable release. */
  readonly releaseId: ReleaseId | null;
  /** Slots that at least one proxy sends requests to. */
  readonly serving: readonly Slot[];
}

/** How traffic shifts to the release that a transition makes live. */
export interface Intent {
  /** The environment's schedule, used if this sequence has none. */
  readonly environmentSchedule: Schedule;
  /** A schedule for this sequence only. */
  readonly schedule?: ScheduleChoice;
}

/**
 * Puts a candidate into the idle slot (recreate: into the active one), sets its goal, and adds the migrations that are
 * due.
 */
export function release(
  record: ReleaseRecord,
  candidate: Candidate,
  observed: Observed,
  intent: Intent & { readonly goal?: Goal },
): ReleaseRecord {
  return withMigration(placed(record, candidate, observed, intent), observed.releaseId);
}

function placed(
  record: ReleaseRecord,
  candidate: Candidate,
  observed: Observed,
  intent: Intent & { readonly goal?: Goal },
): ReleaseRecord {
  const schedule = effective(intent);
  const goal = intent.goal ?? "live";
  const { live } = observed;
  const sequence = record.sequence + 1;
  const entry: Release = { ...candidate, run: sequence };
  const next = (changes: Partial<ReleaseRecord>): ReleaseRecord => nextRecord(record, intent, changes);

  requireAllowed(record, candidate);
  const converge = schedule.afterPromotion === "converge" ? { converge: true } : {};

  if (live === null) {
    requireFirstGoal(goal);
    const slots = perSlot(record.active, entry, null);
    return next({ slots, goal, previous: null, ...converge });
  }
  const stable = stableRelease(record, observed, live);
  if (schedule.strategy === "recreate") {
    if (goal !== "live") {
      throw new Refusal("not-possible-here", `a recreate goes live immediately: it can't stop at "${goal}"`);
    }
    // Nothing is retained if the other slot has a candidate that never became stable, or a second copy of the replaced release.
    const retained =
      record.active === live && record.converge !== true ? record.slots[otherSlot(live)] : null;
    return next({
      active: live,
      slots: perSlot(live, entry, retained),
      goal,
      previous: stable,
    });
  }
  if (record.active === live && !isLive(record, observed)) {
    throw new Refusal(
      "not-possible-here",
      `the recreate of ${live} with ${describe(target(record))} did not finish, ${idOrNull(stable)} is still stable: run \`bluegreen abort\` first`,
    );
  }
  const idle = otherSlot(live);
  return next({
    active: idle,
    slots: perSlot(idle, entry, stable),
    goal,
    previous: stable,
    ...converge,
  });
}

/** Puts a candidate into the idle slot and verifies it, without traffic. */
export function stage(
  record: ReleaseRecord,
  candidate: Candidate,
  observed: Observed,
  intent: Intent,
): ReleaseRecord {
  return release(record, candidate, observed, { ...intent, goal: "staged" });
}

/** Takes a staged or paused candidate further: to a larger weight, or live. */
export function promote(
  record: ReleaseRecord,
  observed: Observed,
  to: Goal = "live",
  schedule?: ScheduleChoice,
): ReleaseRecord {
  const candidate = target(record);
  if (record.goal === "live" || candidate === null) {
    throw new Refusal(
      "nothing-to-promote",
      `nothing to promote: record ${record.sequence} already has goal "live" for ${describe(candidate)}`,
    );
  }
  if (to === "staged" || (typeof to === "number" && typeof record.goal === "number" && to <= record.goal)) {
    throw new Refusal(
      "not-possible-here",
      `the candidate is at ${describeGoal(record.goal)}: promote it further, not to ${describeGoal(to)}`,
    );
  }
  if (observed.live === record.active) throw disagree(record, observed);
  requireNotBanned(record, candidate.version);
  if (observed.live === null) requireFirstGoal(to);
  return following(record, { goal: to, ...(schedule !== undefined && { schedule }) });
}

/**
 * Rolls back to `previous`: immediately if it still runs in the other slot, otherwise by releasing it again. It was stable,
 * so `retry` accepts its artifact even if an earlier attempt with it failed.
 */
export function rollback(record: ReleaseRecord, observed: Observed, intent: Intent): ReleaseRecord {
  const { live } = observed;
  if (live === null) {
    throw new Refusal("nothing-live", "nothing is live yet: there is nothing to roll back");
  }
  if (!isSettled(sequenceOf(record), stableOf(observed))) {
    throw new Refusal(
      "not-promoted",
      `${describe(target(record))} never became stable, ${observed.releaseId} still is: use \`bluegreen abort\` to cancel it`,
    );
  }
  return back(record, observed, live, intent);
}

/**
 * Rolls back to `previous` although the proxies disagree about what is live: some already serve the release that others
 * rejected.
 */
export function rollbackOnDisagreement(record: ReleaseRecord, intent: Intent): ReleaseRecord {
  const live = record.active;
  // All proxies switch before the converge steps, so the idle slot has not changed.
  const { converge: _, ...unshared } = record;
  return back(unshared, { live, releaseId: idOrNull(target(record)), serving: SLOTS }, live, intent);
}

/**
 * Retries this record under a new sequence. With `reinstall` (the candidate's install failed), the candidate gets a new
 * run, so its install steps get unused names. A heal is retried as a heal.
 */
export function retry(
  record: ReleaseRecord,
  observed: Observed,
  reinstall: boolean,
  schedule?: ScheduleChoice,
): ReleaseRecord {
  const healed = healedServers(record);
  if (healed.length > 0 && observed.live !== null) return heal(record, observed, healed);
  const candidate = target(record);
  if (candidate === null) throw new Refusal("nothing-to-retry", "the record has no release to retry");
  requireNotBanned(record, candidate.version);
  // A record that was planned without knowing what users get must not be tried again.
  if (observed.live !== null) stableRelease(record, observed, observed.live);
  if (reinstall && isLive(record, observed)) {
    throw new Refusal(
      "not-possible-here",
      `${releaseId(candidate)} is live but does not answer on every server, and a live slot is never reinstalled: use \`bluegreen heal <server>\`, which takes the server out of rotation first`,
    );
  }
  if (reinstall && record.active !== observed.live && observed.serving.includes(record.active)) {
    throw new Refusal(
      "not-possible-here",
      `${record.active} still gets requests: run \`bluegreen abort\` first, so that nothing is installed while it serves users`,
    );
  }
  const sequence = record.sequence + 1;
  const slots = reinstall
    ? { ...record.slots, [record.active]: { ...candidate, run: sequence } }
    : record.slots;
  // The migration may have failed. If it did not, running it again changes nothing.
  const migrate = candidate.migrations !== undefined && bringsMigrations(record) ? { migrate: true } : {};
  const rollsBack = isWayBack({ ...record, schedule: record.schedule && resolveSchedule(record.schedule) });
  return following(record, {
    ...{ slots, retry: true, rollsBack, ...migrate },
    ...(schedule !== undefined && { schedule }),
  });
}

/**
 * Installs on servers that base replaced or added what the other servers of their slots serve: the live release, and the
 * retained one. Traffic continues and nothing else changes.
 */
export function heal(record: ReleaseRecord, observed: Observed, servers: readonly string[]): ReleaseRecord {
  const { live } = observed;
  if (live === null) {
    throw new Refusal(
      "nothing-live",
      "nothing is live yet: the first release goes to every server, there is nothing to heal",
    );
  }
  requireSettled(sequenceOf(record), stableOf(observed));
  if (record.converge === true && !observed.serving.includes(otherSlot(live))) {
    throw new Refusal(
      "not-possible-here",
      `the convergence to ${describe(target(record))} did not finish: \`bluegreen retry\` continues it, on healed servers too`,
    );
  }
  const { schedule: _, retry: __, ...rest } = record;
  const healed = servers.map((server) => [server, record.sequence + 1] as const);
  const again = healedServers(record).some((server) => servers.includes(server));
  return following(rest, {
    heals: { ...record.heals, ...Object.fromEntries(healed) },
    // The heal before may not have finished: this one must run, even if everything is healthy by now.
    ...(again ? { retry: true } : {}),
  });
}

/** Cancels a candidate that failed, was aborted, or is staged or paused. Its slot becomes empty; the live release stays. */
export function cancel(record: ReleaseRecord, observed: Observed): ReleaseRecord {
  const candidate = target(record);
  if (candidate === null) throw new Refusal("nothing-to-cancel", "the record has no candidate");
  const { live } = observed;
  if (isLive(record, observed)) {
    throw new Refusal(
      "nothing-to-cancel",
      `${releaseId(candidate)} is live and stable: there is nothing to abort; use \`bluegreen rollback\` to go back`,
    );
  }
  if (live === null) {
    return anew(record, { goal: "live", slots: { blue: null, green: null }, previous: null });
  }
  const stable = stableRelease(record, observed, live);
  if (live === record.active) {
    // A recreate that failed: the old release is back. A new run gives its steps unused names.
    return anew(record, {
      goal: "live",
      slots: { ...record.slots, [live]: { ...stable, run: record.sequence + 1 } },
      previous: stable,
      retry: true,
      ...(record.schedule === undefined ? {} : { schedule: record.schedule }),
    });
  }
  return anew(record, {
    active: live,
    goal: "live",
    slots: perSlot(live, stable, null),
    previous: null,
    // The candidate used the second half's servers; they must serve the stable release again.
    ...(record.converge === true ? { converge: true } : {}),
  });
}

/** Whether this sequence runs install steps for the candidate. */
export function installsCandidate(record: ReleaseRecord): boolean {
  return touchedSlots(record).includes(record.active);
}

function back(record: ReleaseRecord, observed: Observed, live: Slot, intent: Intent): ReleaseRecord {
  const { previous } = record;
  if (previous === null || idOrNull(previous) === observed.releaseId) {
    throw new Refusal(
      "nothing-to-roll-back-to",
      "no earlier release is recorded; release the version you want with `bluegreen release`",
    );
  }
  if (rollbackIsInstant(record)) {
    requireAllowed(record, previous);
    return anew(record, {
      active: otherSlot(live),
      goal: "live",
      previous: target(record),
      retry: true,
      rollsBack: true,
      schedule: atOnce(effective(intent)),
    });
  }
  const { run: _, ...candidate } = previous;
  const schedule = effective(backIntent(record, intent));
  // It was live, so the database has what it needs. Contract scripts that are due can wait for the next release.
  const again = placed(record, candidate, observed, {
    ...intent,
    schedule:
      schedule.strategy === "recreate"
        ? schedule
        : { ...atOnce(schedule), afterPromotion: schedule.afterPromotion },
  });
  return { ...again, retry: true, rollsBack: true };
}

/** A recreated release must not run beside the other version, so its rollback is a recreate too, unless the intent has a schedule. */
function backIntent(record: ReleaseRecord, intent: Intent): Intent {
  const { schedule } = record;
  if (intent.schedule !== undefined || schedule?.strategy !== "recreate") return intent;
  return { ...intent, schedule };
}

/** @throws Refusal if the version is banned, or needs what a migration removed. */
function requireAllowed(record: ReleaseRecord, candidate: Candidate): void {
  requireNotBanned(record, candidate.version);
  requireSchema(candidate.version, candidate, record.contracted ?? []);
}

/**
 * A rollback moves all requests at once, because the current release may be faulty. That pages answer otherwise than in
 * the release that it replaces must not stop it.
 */
function atOnce(schedule: Schedule): ScheduleChoice {
  const { bakeSeconds, drainSeconds, onFailure, analysis } = schedule;
  return {
    strategy: "blueGreen",
    steps: [100],
    bakeSeconds,
    drainSeconds,
    onFailure,
    analysis: { ...analysis, expectChange: true },
  };
}

function nextRecord(record: ReleaseRecord, intent: Intent, changes: Partial<ReleaseRecord>): ReleaseRecord {
  return anew(record, {
    ...changes,
    ...(intent.schedule === undefined ? {} : { schedule: intent.schedule }),
  });
}

/** The next record, without the fields that are for this sequence only. */
function anew(record: ReleaseRecord, changes: Partial<ReleaseRecord>): ReleaseRecord {
  const { schedule: _, converge: __, retry: ___, rollsBack: ____, ...rest } = record;
  return following(rest, changes);
}

/** The next record: the next sequence, with the heals that are newer than a slot's release. */
function following(record: ReleaseRecord, changes: Partial<ReleaseRecord>): ReleaseRecord {
  const { migrate: _, resolve: __, endSessions: ___, ...rest } = record;
  const { heals = {}, ...next } = { ...rest, ...changes, sequence: record.sequence + 1 };
  const runs = [next.slots.blue, next.slots.green].flatMap((entry) => (entry === null ? [] : [entry.run]));
  const needed = Object.entries(heals).filter(([, healed]) => runs.some((run) => run < healed));
  return needed.length === 0 ? next : { ...next, heals: Object.fromEntries(needed) };
}

/** The recorded release that is stable on the proxies. */
function stableRelease(record: ReleaseRecord, observed: Observed, live: Slot): Release {
  const known = [record.slots[live], target(record), record.previous];
  const stable = known.find((entry) => entry !== null && releaseId(entry) === observed.releaseId);
  if (!stable) throw disagree(record, observed);
  return stable;
}

function disagree(record: ReleaseRecord, observed: Observed): Refusal {
  return doesNotMatch(sequenceOf(record), stableOf(observed));
}

/** Whether the recorded release is what is stable, in its slot. */
export function isLive(record: ReleaseRecord, observed: Observed): boolean {
  return isTargetLive(sequenceOf(record), stableOf(observed));
}

function stableOf({ live, releaseId }: Observed): Stable | null {
  return live === null || releaseId === null ? null : { slot: live, releaseId };
}

function effective(intent: Intent): Schedule {
  return intent.schedule === undefined ? intent.environmentSchedule : resolveSchedule(intent.schedule);
}

function perSlot(slot: Slot, here: Release | null, there: Release | null): ReleaseRecord["slots"] {
  return slot === "blue" ? { blue: here, green: there } : { blue: there, green: here };
}

function describe(release: Release | null): string {
  return release === null ? "nothing" : releaseId(release);
}
