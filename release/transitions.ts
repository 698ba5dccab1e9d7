/**
 * What may happen to a record: pure functions from a record (and what the proxies were seen to do) to the next
 * record, or a typed refusal. Every transition raises the sequence by one; only an idle slot takes a release
 * (recreate excepted).
 */
import { requireNotBanned } from "./bans";
import { doesNotFit, isSettled, isTargetLive, requireFirstGoal, requireSchema, requireSettled } from "./gate";
import type { Stable } from "./gate";
import { bringsMigrations, withMigration } from "./needed-schema";
import { describeGoal, healedServers, idOrNull, touchedSlots, target } from "./record";
import type { Goal, ReleaseRecord } from "./record";
import { Refusal } from "./failure";
import { releaseId } from "./release";
import type { Candidate, Release, ReleaseId } from "./release";
import { resolveSchedule } from "./schedule";
import type { Schedule, ScheduleChoice } from "./schedule";
import { sequenceOf } from "./sequence";
import { otherSlot, SLOTS } from "./slot";
import type { Slot } from "./slot";

/** What users get at this moment, as all proxies agree. */
export interface Observed {
  /** The slot whose release is stable; null while nothing was ever live. */
  readonly live: Slot | null;
  /** The release that is stable there. */
  readonly releaseId: ReleaseId | null;
  /** Slots that at least one proxy sends requests to. */
  readonly serving: readonly Slot[];
}

/** How the traffic should shift to what a transition makes live. */
export interface Intent {
  /** The environment's schedule, used where this sequence brings none of its own. */
  readonly environmentSchedule: Schedule;
  /** A schedule for this sequence only. */
  readonly schedule?: ScheduleChoice;
}

/**
 * Puts a candidate into the idle slot (recreate: into the active one), says how far it shall go, and what it brings to the
 * database.
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
      throw new Refusal("not-possible-here", `a recreate goes live at once: it can't stop at "${goal}"`);
    }
    // A candidate that never became stable, or a second copy of what is replaced, does not stay beside it.
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
      `${live} was to be recreated with ${describe(target(record))}, and ${idOrNull(stable)} still is stable: \`bluegreen abort\` puts it in order first`,
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

/** Puts a candidate into the idle slot and verifies it, without any traffic. */
export function stage(
  record: ReleaseRecord,
  candidate: Candidate,
  observed: Observed,
  intent: Intent,
): ReleaseRecord {
  return release(record, candidate, observed, { ...intent, goal: "staged" });
}

/** Takes a staged or held candidate further: to a larger weight, or all the way. */
export function promote(record: ReleaseRecord, observed: Observed, to: Goal = "live"): ReleaseRecord {
  const candidate = target(record);
  if (record.goal === "live" || candidate === null) {
    throw new Refusal(
      "nothing-to-promote",
      `nothing waits for promotion: record ${record.sequence} already asks for ${describe(candidate)} to be live`,
    );
  }
  if (to === "staged" || (typeof to === "number" && typeof record.goal === "number" && to <= record.goal)) {
    throw new Refusal(
      "not-possible-here",
      `the candidate is at ${describeGoal(record.goal)}: a promotion goes further, not to ${describeGoal(to)}`,
    );
  }
  if (observed.live === record.active) throw disagree(record, observed);
  requireNotBanned(record, candidate.version);
  if (observed.live === null) requireFirstGoal(to);
  return following(record, { goal: to });
}

/**
 * Goes back to `previous`: at once where it still runs in the other slot, else as a release of it. It was stable,
 * so its artifact is taken (`retry`) even if an earlier attempt with it had failed.
 */
export function rollback(record: ReleaseRecord, observed: Observed, intent: Intent): ReleaseRecord {
  const { live } = observed;
  if (live === null) {
    throw new Refusal("nothing-live", "nothing is live yet: there is nothing to go back from");
  }
  if (!isSettled(sequenceOf(record), stableOf(observed))) {
    throw new Refusal(
      "not-promoted",
      `${describe(target(record))} never became stable: ${observed.releaseId} still is; use \`bluegreen abort\` to cancel it`,
    );
  }
  return back(record, observed, live, intent);
}

/**
 * Goes back to `previous` although the proxies disagree about what is live: some already serve the release that
 * the others rejected.
 */
export function rollbackOnDisagreement(record: ReleaseRecord, intent: Intent): ReleaseRecord {
  const live = record.active;
  // All proxies come before the converge steps, so the idle slot still is what it was.
  const { converge: _, ...unshared } = record;
  return back(unshared, { live, releaseId: idOrNull(target(record)), serving: SLOTS }, live, intent);
}

/** Whether {@link rollback} moves traffic only, because the release to go back to is still running. */
export function rollbackIsInstant(record: ReleaseRecord): boolean {
  const idle = record.slots[otherSlot(record.active)];
  return (
    record.converge !== true &&
    idle !== null &&
    record.previous !== null &&
    idOrNull(idle) === idOrNull(record.previous)
  );
}

/**
 * Tries this record again under a new sequence. With `reinstall`, the candidate's install failed: it gets a new
 * run, so that its install steps have names that were never used. A heal is tried again as one.
 */
export function retry(record: ReleaseRecord, observed: Observed, reinstall: boolean): ReleaseRecord {
  const healed = healedServers(record);
  if (healed.length > 0 && observed.live !== null) return heal(record, observed, healed);
  const candidate = target(record);
  if (candidate === null) throw new Refusal("nothing-to-retry", "the record has no release to try again");
  requireNotBanned(record, candidate.version);
  if (reinstall && isLive(record, observed)) {
    throw new Refusal(
      "not-possible-here",
      `${releaseId(candidate)} is live, but does not answer everywhere, and nothing is installed under its users: \`bluegreen heal <server>\` takes the server out of rotation first`,
    );
  }
  if (reinstall && record.active !== observed.live && observed.serving.includes(record.active)) {
    throw new Refusal(
      "not-possible-here",
      `${record.active} still gets requests: \`bluegreen abort\` first, then nothing is installed under its users`,
    );
  }
  const sequence = record.sequence + 1;
  const slots = reinstall
    ? { ...record.slots, [record.active]: { ...candidate, run: sequence } }
    : record.slots;
  // What failed may be the migration; one that came to its end has nothing left to do.
  const migrate = candidate.migrations !== undefined && bringsMigrations(record) ? { migrate: true } : {};
  return following(record, { slots, retry: true, ...migrate });
}

/**
 * Gives servers that base replaced or added what the other servers of their slots serve, under traffic: the live
 * release, and the retained one beside it. Everything else stays as it is.
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
      `the convergence to ${describe(target(record))} did not come to its end: \`bluegreen retry\` goes on with it, on healed servers too`,
    );
  }
  const { schedule: _, retry: __, ...rest } = record;
  const healed = servers.map((server) => [server, record.sequence + 1] as const);
  const again = healedServers(record).some((server) => servers.includes(server));
  return following(rest, {
    heals: { ...record.heals, ...Object.fromEntries(healed) },
    // The one before may not have come to its end: this one shall, even if all is well by now.
    ...(again ? { retry: true } : {}),
  });
}

/** Gives up a candidate that failed, was aborted, or waits: its slot becomes empty, the live release stays. */
export function cancel(record: ReleaseRecord, observed: Observed): ReleaseRecord {
  const candidate = target(record);
  if (candidate === null) throw new Refusal("nothing-to-cancel", "the record has no candidate");
  const { live } = observed;
  if (isLive(record, observed)) {
    throw new Refusal(
      "nothing-to-cancel",
      `${releaseId(candidate)} is live and stable: there is nothing to abort; \`bluegreen rollback\` goes back`,
    );
  }
  if (live === null) {
    return anew(record, { goal: "live", slots: { blue: null, green: null }, previous: null });
  }
  const stable = stableRelease(record, observed, live);
  if (live === record.active) {
    // A recreate whose new release did not come up: the old one is back. A new run gives its steps unused names.
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
    // The candidate took the second half's servers; they shall serve the stable release again.
    ...(record.converge === true ? { converge: true } : {}),
  });
}

/** Whether the record's install steps are among what runs with this sequence. */
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
      schedule: atOnce(effective(intent)),
    });
  }
  const { run: _, ...candidate } = previous;
  const schedule = effective(backIntent(record, intent));
  // It was live: the database has what it needs, and a contract script that is due can wait for the next release.
  const again = placed(record, candidate, observed, {
    ...intent,
    schedule:
      schedule.strategy === "recreate"
        ? schedule
        : { ...atOnce(schedule), afterPromotion: schedule.afterPromotion },
  });
  return { ...again, retry: true };
}

/** What was recreated must not run beside the other version, and the way back is one, too: unless somebody says else. */
function backIntent(record: ReleaseRecord, intent: Intent): Intent {
  const { schedule } = record;
  if (intent.schedule !== undefined || schedule?.strategy !== "recreate") return intent;
  return { ...intent, schedule };
}

/** @throws Refusal where the version is banned, or needs what a migration took away. */
function requireAllowed(record: ReleaseRecord, candidate: Candidate): void {
  requireNotBanned(record, candidate.version);
  requireSchema(candidate.version, candidate, record.contracted ?? []);
}

/** Back is no experiment: all requests at once, as the release that is left may be the trouble. */
function atOnce(schedule: Schedule): ScheduleChoice {
  const { bakeSeconds, drainSeconds, onFailure, analysis } = schedule;
  return { strategy: "blueGreen", steps: [100], bakeSeconds, drainSeconds, onFailure, analysis };
}

function nextRecord(record: ReleaseRecord, intent: Intent, changes: Partial<ReleaseRecord>): ReleaseRecord {
  return anew(record, {
    ...changes,
    ...(intent.schedule === undefined ? {} : { schedule: intent.schedule }),
  });
}

/** The record after this one, without what this sequence alone was given. */
function anew(record: ReleaseRecord, changes: Partial<ReleaseRecord>): ReleaseRecord {
  const { schedule: _, converge: __, retry: ___, ...rest } = record;
  return following(rest, changes);
}

/** The record after this one: the next sequence, and of the heals those that a slot's release did not outlive yet. */
function following(record: ReleaseRecord, changes: Partial<ReleaseRecord>): ReleaseRecord {
  const { migrate: _, resolve: __, ...rest } = record;
  const { heals = {}, ...next } = { ...rest, ...changes, sequence: record.sequence + 1 };
  const runs = [next.slots.blue, next.slots.green].flatMap((entry) => (entry === null ? [] : [entry.run]));
  const needed = Object.entries(heals).filter(([, healed]) => runs.some((run) => run < healed));
  return needed.length === 0 ? next : { ...next, heals: Object.fromEntries(needed) };
}

/** The recorded release that the proxies call stable. */
function stableRelease(record: ReleaseRecord, observed: Observed, live: Slot): Release {
  const known = [record.slots[live], target(record), record.previous];
  const stable = known.find((entry) => entry !== null && releaseId(entry) === observed.releaseId);
  if (!stable) throw disagree(record, observed);
  return stable;
}

function disagree(record: ReleaseRecord, observed: Observed): Refusal {
  return doesNotFit(sequenceOf(record), stableOf(observed));
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
