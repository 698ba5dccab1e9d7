/**
 * What users get from begin to the end of a sequence, against what they got before: a candidate can harm stable by
 * starting. begin turns the counting on and remembers where it was; the end of the sequence notes what users got in
 * the journal, and keeps it as the usual figures of the next one. The figures of both slots
 * are added up: before the candidate gets any traffic, all answers are stable's.
 */
import { analysisSettings } from "../../release/schedule";
import type { AnalysisSettings } from "../../release/schedule";
import { isWayBack } from "../../release/way-back";
import { SLOTS } from "../../release/slot";
import type { PerSlot } from "../../release/slot";
import type { Before } from "../../release/director-status";
import { between } from "./analysis";
import type { Director } from "./director";
import type { SlotCounts } from "./drivers/driver";
import type { State } from "./state";
import { isWorse, sum } from "./worse";
import type { Answers } from "./worse";

/** Right before a sequence, users' answers are looked at for so long: is something wrong already? */
const LOOK_MS = 50;
const SHORTEST_LOOK_MS = 300;
/** NGINX counts from now on, and writes late: that there were no answers is not known at once. */
const SILENT_LOOK_MS = 1_000;
/** If something is, or nothing else is known of them. */
const LONGEST_LOOK_MS = 3_000;
const ENOUGH_ANSWERS = 60;
/** Fewer answers since the last sequence say less than those that were counted in it. */
const ENOUGH_AT_REST = 100;
/** A site that fails already must not stop its own repair: less evidence suffices to see that. */
const ALREADY_WRONG = 0.05;

/** Users' answers are judged beside a candidate's, with a part of the chance of a false rollback. */
const PART = 5;

const NONE: Answers = { answers: 0, failed: 0 };

/** Turns the counting on. @returns what users got before this sequence; null if nothing was counted. */
export async function countBefore(director: Director): Promise<Before | null> {
  const { driver, clock, state, spec } = director;
  const atRest = answersOf(await driver.counts());
  await driver.measureLatencies?.(true);
  // After a crash, what was counted since then is not "before".
  if (state.watched?.sequence === spec.sequence) return state.watched.before;
  const startedAt = clock.now();
  const first = answersOf(await driver.counts());
  const usual = usualAnswers(state, atRest, startedAt);
  // A rollback waits for nothing.
  if (isWayBack(spec)) return usual;
  const already = { ...chance(spec), falseRollbackRate: ALREADY_WRONG };
  for (;;) {
    await clock.sleep(LOOK_MS);
    const milliseconds = clock.now() - startedAt;
    const now = total(since(first, answersOf(await driver.counts())));
    const wrong = usual !== null && isWorse(now, usual, already);
    const isSilent = now.answers === 0 && (total(atRest).answers > 0 || milliseconds >= SILENT_LOOK_MS);
    const isKnown = isSilent || now.answers >= (usual === null ? ENOUGH_ANSWERS : 1);
    const isClear = isKnown && now.failed === 0;
    if (milliseconds < SHORTEST_LOOK_MS || (!isClear && milliseconds < LONGEST_LOOK_MS)) continue;
    if (usual !== null && !wrong) return usual;
    return now.answers === 0 ? usual : { ...now, seconds: milliseconds / 1000, age: 0 };
  }
}

/** From here on, users' answers count for this sequence. */
export async function watchUsers(director: Director, before: Before | null): Promise<void> {
  const { driver, clock, spec, state } = director;
  const isAgain = state.watched?.sequence === spec.sequence;
  // What a killed director left counted belongs to no sequence.
  if (!isAgain) await driver.measureLatencies?.(false);
  // Setting the traffic stopped the counting.
  await driver.measureLatencies?.(true);
  if (isAgain) return;
  const counts = await driver.counts();
  const counted = answersOf(counts);
  const slot = state.stable?.slot;
  const stable = slot && { latency: counts[slot].latency, classes: counts[slot].classes };
  director.save({ watched: { sequence: spec.sequence, at: clock.now(), counted, before, stable } });
}

/** The end of a sequence in this step: notes what users got, and stops the counting. It hides no result of the step. */
export async function endWatch(director: Director, first: PerSlot<SlotCounts> | null = null): Promise<void> {
  try {
    // A step that did not count has to read what was counted since begin.
    if (first === null) await director.driver.measureLatencies?.(true);
    await noteUsers(director, first);
  } catch (error) {
    director.logEvent("users-unknown", { problem: (error as Error).message });
  }
  await stopCounting(director);
}

/** A failure must not hide the result of a step. An unreachable proxy stops counting when it restarts. */
export async function stopCounting({ driver }: Director): Promise<void> {
  await driver.measureLatencies?.(false).catch(() => undefined);
}

/**
 * Notes what users got since begin. Later steps of the sequence don't count again.
 * @param first the counts when the step began, for the latencies; null if it measured none.
 */
async function noteUsers(director: Director, first: PerSlot<SlotCounts> | null): Promise<void> {
  const { clock, driver, state, spec } = director;
  const { stable, watched, usual } = state;
  const counts = await driver.counts();
  const [at, counted] = [clock.now(), answersOf(counts)];
  const rest = { at, ...counted };
  const nothing = { at, ...NONE, seconds: 0, latency: {}, counted: rest };
  if (watched?.sequence !== spec.sequence) return director.save({ usual: nothing, watched: undefined });
  const got = since(watched.counted, counted);
  const seconds = (at - watched.at) / 1000;
  const { before } = watched;
  const worse = director.harmed || (before !== null && isWorse(total(got), before, chance(spec)));
  const journal = director.journalWith({ event: "users", ...total(got), seconds, before, worse });
  const interrupted = spec.schedule.strategy === "recreate";
  if (worse || interrupted || stable === null) {
    return director.save({ journal, usual: nothing, watched: undefined });
  }
  const latency = first === null ? {} : between(first[stable.slot], counts[stable.slot]).latency;
  const fresh = { ...nothing, ...got[stable.slot], seconds, latency };
  const kept = usual !== undefined && fresh.answers < Math.min(ENOUGH_AT_REST, usual.answers);
  director.save({ journal, usual: kept ? { ...usual, counted: rest } : fresh, watched: undefined });
}

/** What the proxy counted at rest since the last sequence, or else what it counted in it. */
function usualAnswers({ usual }: State, atRest: PerSlot<Answers>, now: number): Before | null {
  if (usual === undefined) return null;
  const seconds = (now - usual.counted.at) / 1000;
  const isSame = SLOTS.every((slot) => atRest[slot].answers >= usual.counted[slot].answers);
  const counted = isSame ? total(since(usual.counted, atRest)) : NONE;
  if (counted.answers >= ENOUGH_AT_REST) return { ...counted, seconds, age: 0 };
  const { answers, failed } = usual;
  if (answers > 0) return { answers, failed, seconds: usual.seconds, age: (now - usual.at) / 1000 };
  return counted.answers > 0 ? { ...counted, seconds, age: 0 } : null;
}

export function chance({ schedule }: Director["spec"]): AnalysisSettings {
  const settings = analysisSettings(schedule.analysis);
  return { ...settings, falseRollbackRate: settings.falseRollbackRate / PART };
}

export function answersOf(counts: PerSlot<SlotCounts>): PerSlot<Answers> {
  const of = ({ requests, errors }: SlotCounts) => ({ answers: requests, failed: errors });
  return { blue: of(counts.blue), green: of(counts.green) };
}

/**
 * What was counted since then. A lower number of answers means that the proxy restarted and counts from 0. A lower number
 * of failed ones does not: HAProxy forgets some of them.
 */
export function since(then: PerSlot<Answers>, now: PerSlot<Answers>): PerSlot<Answers> {
  const isNew = SLOTS.some((slot) => now[slot].answers < then[slot].answers);
  const of = (slot: "blue" | "green"): Answers => {
    const before = isNew ? NONE : then[slot];
    const answers = now[slot].answers - before.answers;
    return { answers, failed: Math.min(answers, Math.max(0, now[slot].failed - before.failed)) };
  };
  return { blue: of("blue"), green: of("green") };
}

export function total({ blue, green }: PerSlot<Answers>): Answers {
  return sum(blue, green);
}
