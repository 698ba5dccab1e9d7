/**
 * switch: verifies the candidate, moves the traffic to it step by step, watches it, and rolls back on a failure.
 * It succeeds if and only if users get what the record's goal asks for.
 */
import { Failure } from "../../../release/failure";
import { EXIT } from "../../../release/exit-code";
import { maySwitch } from "../../../release/gate";
import type { Case } from "../../../release/gate";
import { releaseLeft } from "../../../release/draining";
import { otherSlot } from "../../../release/slot";
import type { PerSlot, Slot } from "../../../release/slot";
import { activateServers, activateSlot, NotificationFailed } from "../activation";
import { stableBefore } from "../baseline";
import { bucketOffset, describeTraffic } from "../director";
import type { Director } from "../director";
import { sameTraffic } from "../drivers/driver";
import type { SlotCounts, Traffic } from "../drivers/driver";
import { Interrupted } from "../interruption";
import type { PlacedRelease } from "../../../release/director-status";
import { answersLikeStable } from "../same-pages";
import { admit } from "../verify";
import type { Besides } from "../verify";
import { CandidateWatch } from "../watch";
import { rollBack } from "../roll-back";
import { StableWatch, UsersHarmed } from "../stable-watch";
import { endWatch, stopCounting } from "../users";
import type { StepEnd } from "./step";

export async function switchTraffic(director: Director): Promise<StepEnd> {
  const { spec } = director;
  const found = maySwitch(spec, director.state);
  const { candidate } = director;
  if (candidate === null) {
    director.save({ finished: true });
    await endWatch(director);
    return { outcome: "unchanged", reason: "the record has no release" };
  }
  return withUsers(director, () => perform(director, found, candidate));
}

async function perform(director: Director, found: Case, candidate: PlacedRelease): Promise<StepEnd> {
  switch (found) {
    case "targetIsLive":
      return director.spec.healing.length > 0
        ? healed(director, candidate)
        : alreadyLive(director, candidate);
    case "neverLive":
      return firstDeployment(director, candidate);
    case "recreate":
      return recreated(director, candidate);
    case "otherIsLive":
      return shift(director, candidate);
  }
}

/** begin turned the counting on; it ends with the sequence. */
async function withUsers(director: Director, work: () => Promise<StepEnd>): Promise<StepEnd> {
  const { driver } = director;
  await driver.measureLatencies?.(true);
  let first: PerSlot<SlotCounts> | null = null;
  try {
    first = await driver.counts();
    return await work();
  } finally {
    const { finished, phase } = director.state;
    if (finished || phase === "converging") await endWatch(director, first);
    else await stopCounting(director);
  }
}

/** Also completes a promotion whose director was killed between two effects. */
async function alreadyLive(director: Director, candidate: PlacedRelease): Promise<StepEnd> {
  const traffic = await director.driver.observe();
  const { shared } = director.state;
  const alone = { live: candidate.slot, weight: 0, mode: "serve", fallback: false } as const;
  const wanted: Traffic = { ...traffic, ...(shared ? { mode: "serve" } : alone) };
  if (!sameTraffic(traffic, wanted)) {
    const { healthy, problem } = await director.answers(candidate.slot, candidate.releaseId);
    if (!healthy)
      throw frozen(
        director,
        `${candidate.releaseId} in ${candidate.slot} is not healthy: ${problem}`,
        traffic,
      );
    await director.setTraffic(wanted, { mayStay: true });
  }
  await notifyOrFreeze(director, () => activateSlot(director, candidate.slot));
  director.save({
    phase: director.spec.converge ? "converging" : "stable",
    finished: !director.spec.converge,
    ...{ candidate: null, weight: 0, deadline: null },
  });
  return { outcome: "unchanged", reason: `${candidate.releaseId} is already live in ${candidate.slot}` };
}

/**
 * Returns the healed servers to the rotation as they are verified: first in the live slot, then in the retained one.
 * The slots' other endpoints serve meanwhile and are not touched.
 */
async function healed(director: Director, live: PlacedRelease): Promise<StepEnd> {
  const { spec } = director;
  const idle = otherSlot(live.slot);
  const retained = director.state.shared ? live.releaseId : spec.slots[idle]?.releaseId;
  const names = spec.healing.join(", ");
  for (const [slot, release] of [[live.slot, live.releaseId] as const, [idle, retained] as const]) {
    const endpoints = spec.endpoints[slot].filter(({ server }) => spec.healing.includes(server));
    if (endpoints.length === 0) continue;
    const servers = endpoints.map(({ server }) => server);
    // The slot has no release: the next release into it verifies these servers.
    if (release === undefined) await director.putIntoRotation(slot, servers);
    else await requireHealed(director, slot, release, servers);
    await notifyOrFreeze(director, () => activateServers(director, slot, servers));
  }
  director.save({ phase: "stable", finished: true });
  return {
    outcome: "healed",
    reason: `${names} ${spec.healing.length === 1 ? "has" : "have"} ${live.releaseId} again`,
  };
}

async function requireHealed(
  director: Director,
  slot: Slot,
  release: string,
  servers: readonly string[],
): Promise<void> {
  let exitCode: typeof EXIT.rejected | typeof EXIT.aborted = EXIT.rejected;
  let reason: string;
  try {
    const verdict = await admit(director, slot, release, servers);
    if (verdict.passed) return;
    reason = verdict.reason;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    exitCode = EXIT.aborted;
    reason = error.message;
  }
  director.save({ phase: "stable", finished: true });
  throw new Failure(
    `${servers.join(", ")} was not healed (${release} in ${slot}): ${reason}; ${servers.join(", ")} gets no requests there, the other servers keep serving. Next: \`bluegreen retry\``,
    exitCode,
  );
}

async function firstDeployment(director: Director, candidate: PlacedRelease): Promise<StepEnd> {
  await requireVerified(director, candidate, { further: () => answersLikeStable(director, candidate) });
  if (director.spec.goal === "staged") return staged(director, candidate);
  try {
    await activateSlot(director, candidate.slot);
  } catch (error) {
    if (!(error instanceof NotificationFailed)) throw error;
    throw gotNoRequests(director, candidate, EXIT.rejected, error.message);
  }
  // Without a stable release there is nothing to compare with or roll back to: no shift, no bake.
  await commit(director, candidate);
  return {
    outcome: "installed",
    reason: `${candidate.releaseId} is the first release, live in ${candidate.slot}`,
  };
}

async function recreated(director: Director, candidate: PlacedRelease): Promise<StepEnd> {
  let verdict;
  try {
    verdict = await admit(director, candidate.slot, candidate.releaseId);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    await rollBack(director, error.message, { sure: true });
    throw abortedTo(director, error.message);
  }
  if (!verdict.passed)
    throw frozen(
      director,
      `${candidate.releaseId} was recreated in ${candidate.slot}, but ${verdict.reason}`,
    );
  await notifyOrFreeze(director, () => activateSlot(director, candidate.slot));
  await commit(director, candidate);
  return {
    outcome: "recreated",
    reason: `${candidate.releaseId} replaced the release in ${candidate.slot}`,
  };
}

async function shift(director: Director, candidate: PlacedRelease): Promise<StepEnd> {
  const { spec } = director;
  const traffic = await director.driver.observe();
  const resumes = traffic.weight > 0;
  const other = otherSlot(candidate.slot);
  const first = (await director.driver.counts())[other];
  if (!resumes) {
    const stable = await StableWatch.start(director);
    const further = async () => {
      const pages = await answersLikeStable(director, candidate);
      await stable?.settle();
      return pages;
    };
    await requireVerified(director, candidate, { further, look: () => stable?.look() });
  }
  if (spec.goal === "staged") return staged(director, candidate);

  director.save({ candidate });
  try {
    const baseline = await stableBefore(director, first);
    const watch = new CandidateWatch(director, candidate.slot, candidate.releaseId, baseline);
    for (const weight of remainingWeights(director, traffic.weight)) {
      await setWeight(director, candidate, weight, traffic.weight);
      if (weight === 100) await activateSlot(director, candidate.slot);
      const verdict = await watch.until(director.state.deadline!);
      if (!verdict.passed) return await failed(director, verdict.reason, verdict.sure);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    const reason =
      error instanceof Interrupted ? error.message : `${candidate.releaseId}: ${(error as Error).message}`;
    if (error instanceof NotificationFailed) return await failed(director, reason);
    await rollBack(director, reason, { sure: true });
    throw abortedTo(director, reason);
  }
  if (spec.goal !== "live") {
    director.save({ deadline: null, finished: true });
    return {
      outcome: "paused",
      reason: `${candidate.releaseId} is paused at ${spec.goal} %. Next: \`bluegreen promote\` or \`bluegreen abort\``,
    };
  }
  await commit(director, candidate);
  const left = releaseLeft(director.state.traffic.intended);
  if (left === null) await director.drain(other, { cut: spec.converge });
  const stays =
    left === null ? "" : `; clients of ${left.releaseId} stay in ${left.slot} while they are active`;
  return { outcome: "promoted", reason: `${candidate.releaseId} is live in ${candidate.slot}${stays}` };
}

/** The weights still to set, including one that a crash interrupted. 100 is always followed by the bake. */
function remainingWeights({ spec, state }: Director, current: number): number[] {
  const { goal, schedule, proxy } = spec;
  const until = goal === "live" ? 100 : Number(goal);
  if (current > until) return [until];
  const steps = proxy.index === 0 ? schedule.steps : [];
  const weights = [...steps.filter((weight) => weight < until), until];
  const interrupted = state.deadline !== null && state.weight === current;
  return weights.filter(
    (weight) => weight > current || (weight === current && (interrupted || weight === 100)),
  );
}

async function setWeight(
  director: Director,
  candidate: PlacedRelease,
  weight: number,
  current: number,
): Promise<void> {
  director.interruption.check();
  const { schedule } = director.spec;
  const { state, clock } = director;
  const resumes = weight === current && state.deadline !== null;
  const seconds = weight === 100 ? schedule.bakeSeconds : schedule.stepSeconds;
  const deadline = clock.now() + seconds * 1000;
  director.save({
    phase: weight === 100 ? "baking" : "shifting",
    candidate,
    weight,
    // If the system time was set back meanwhile, the step lasts no longer than configured.
    deadline: resumes ? Math.min(state.deadline!, deadline) : deadline,
  });
  if (weight === current) return;
  const live = otherSlot(candidate.slot);
  const offset = bucketOffset(candidate.releaseId);
  await director.setTraffic({ live, weight, offset, mode: "serve", fallback: true }, { mayStay: true });
}

async function failed(director: Director, reason: string, sure = true): Promise<never> {
  if (director.spec.schedule.onFailure === "freeze") throw frozen(director, reason);
  await rollBack(director, reason, { sure });
  throw abortedTo(director, reason, sure ? "" : ". The same artifact may be released again");
}

/** Only this changes stable. It is saved before the proxy is set: users get the same from both values by now. */
async function commit(director: Director, candidate: PlacedRelease): Promise<void> {
  const { converge, schedule } = director.spec;
  const { stable } = director.state;
  const keeps = stable !== null && stable.slot !== candidate.slot && !converge && schedule.retainSeconds > 0;
  const retainedUntil = keeps ? director.clock.now() + schedule.retainSeconds * 1000 : null;
  // An artifact that failed before has passed now: a rollback to it is not refused.
  const failedDigests = director.state.failedDigests.filter(({ sha256 }) => sha256 !== candidate.sha256);
  director.save({
    stable: candidate,
    weight: 0,
    deadline: null,
    shared: false,
    failedDigests,
    retainedUntil,
  });
  const { slot: live, releaseId } = candidate;
  await director.setTraffic(
    { live, weight: 0, offset: bucketOffset(releaseId), mode: "serve", fallback: false },
    { mayStay: true },
  );
  director.save({ candidate: null, phase: converge ? "converging" : "stable", finished: !converge });
}

function staged(director: Director, candidate: PlacedRelease): StepEnd {
  director.save({ phase: "staged", candidate, finished: true });
  return {
    outcome: "staged",
    reason: `${candidate.releaseId} is verified in ${candidate.slot}. Next: \`bluegreen promote\``,
  };
}

async function requireVerified(
  director: Director,
  candidate: PlacedRelease,
  besides: Besides = {},
): Promise<void> {
  let reason: string;
  let exitCode: typeof EXIT.rejected | typeof EXIT.aborted = EXIT.rejected;
  try {
    const verdict = await admit(director, candidate.slot, candidate.releaseId, undefined, besides);
    if (verdict.passed) return director.save({ phase: "verified", candidate });
    reason = verdict.reason;
  } catch (error) {
    if (error instanceof UsersHarmed) throw stillRuns(director, candidate, error.message);
    if (!(error instanceof Interrupted)) throw error;
    reason = error.message;
    exitCode = EXIT.aborted;
  }
  throw gotNoRequests(director, candidate, exitCode, reason);
}

/** Its instances run on, and may do harm until they are stopped: by Terraform, so by the next sequence. */
function stillRuns(director: Director, candidate: PlacedRelease, reason: string): Failure {
  director.save({ phase: "stable", candidate: null, finished: true });
  return new Failure(
    `${candidate.releaseId} got no requests: ${reason}; ${director.state.stable?.releaseId} keeps all requests. ${candidate.releaseId} still runs in ${candidate.slot} and may still do harm. Next: \`bluegreen abort\`, which stops it`,
    EXIT.rejected,
  );
}

function gotNoRequests(
  director: Director,
  candidate: PlacedRelease,
  exitCode: typeof EXIT.rejected | typeof EXIT.aborted,
  reason: string,
): Failure {
  director.save({ phase: "stable", candidate: null, finished: true });
  const { stable } = director.state;
  const live = stable === null ? "no release is live yet" : `${stable.releaseId} keeps all requests`;
  return new Failure(
    `${candidate.releaseId} got no requests: ${reason}; ${live}. Next: a fixed release, or \`bluegreen retry\``,
    exitCode,
  );
}

/** If an instance can't be notified, users are served but the instance does not know its role. */
async function notifyOrFreeze(director: Director, notify: () => Promise<void>): Promise<void> {
  try {
    await notify();
  } catch (error) {
    if (!(error instanceof NotificationFailed)) throw error;
    throw frozen(director, `an instance was not notified that it is live: ${error.message}`);
  }
}

function abortedTo(director: Director, reason: string, next = ""): Failure {
  director.save({ finished: true });
  const { stable } = director.state;
  const live = stable === null ? "no release is live" : `traffic is back on ${stable.releaseId}`;
  return new Failure(`${reason}; ${live}${next}`, EXIT.aborted);
}

function frozen(
  director: Director,
  reason: string,
  traffic: Traffic = director.state.traffic.intended,
): Failure {
  director.save({ phase: "frozen", finished: true, deadline: null });
  return new Failure(
    `${reason}; traffic stays as it is (${describeTraffic(traffic)}). Next: \`bluegreen abort\`, \`bluegreen retry\` or a new release`,
    EXIT.frozen,
  );
}
