/**
 * begin: the gate of a sequence, before anything is installed. It compares the record with what users get, and takes
 * the slots that this sequence installs into out of rotation. For a recreate it holds the requests (or shows the page);
 * for a heal it takes only the healed servers out of rotation. Accepted cases: release/gate.ts.
 */
import { Failure } from "../../../release/failure";
import { EXIT } from "../../../release/exit-code";
import { activateStable, deactivateAll, NotificationFailed } from "../activation";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { canHold } from "../../../configuration/drivers";
import { cannotSpare, endsRetention, isSame, mayBegin, requireUnfinished } from "../../../release/gate";
import type { Case } from "../../../release/gate";
import { releaseLeft, replacesLeft, requireDrained } from "../../../release/draining";
import { requireNotDrained } from "../../../release/server-drain";
import { otherSlot, SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";
import { catchUp } from "../catch-up";
import { drainingNow } from "../leaving";
import { describeTraffic, placed } from "../director";
import type { Director } from "../director";
import { CLOSED, sameTraffic } from "../drivers/driver";
import type { Traffic } from "../drivers/driver";
import { clearAbortRequest } from "../interruption";
import { appliedEntries } from "../journal";
import type { PlacedRelease } from "../../../release/director-status";
import { stableAnswers } from "../roll-back";
import { countBefore, stopCounting, watchUsers } from "../users";
import type { StepEnd } from "./step";

export async function begin(director: Director): Promise<StepEnd> {
  const { spec } = director;
  requireUnfinished(spec, director.state);
  const caughtUp = await catchUp(director);
  const { state } = director;
  const observed = await director.driver.observe();
  requireUnchangedTraffic(director, observed);
  const now = director.clock.now();
  const { found, replaces } = mayBegin(spec, state, now);
  requireDrained(spec, await drainingNow(director, observed), now);
  requireNotDrained(spec, state.drained ?? []);
  await refuseOtherRelease(director, observed);

  const kept = spec.healing.length > 0 ? await requireSomethingToHeal(director, state.stable!) : null;

  const wanted = wantedTraffic(director, found, observed);
  const losesWeight = state.stable !== null && returns(observed, wanted);
  const accepted = { found, observed, wanted, losesWeight, replaces, kept };
  if (state.stable === null) await effects(director, accepted);
  else
    await watched(director, async () => {
      // Right before its effect: counting takes a while.
      if (losesWeight && found !== "neverLive") await requireStableAnswers(director, director.state.stable!);
      await effects(director, accepted);
    });
  const caught = caughtUp === null ? null : `caught up with ${caughtUp}`;
  const facts = [caught, found, describeTraffic(wanted), replaces].filter(Boolean);
  return { outcome: "begun", reason: facts.join(", ") };
}

interface Accepted {
  readonly found: Case;
  readonly observed: Traffic;
  readonly wanted: Traffic;
  /** Whether users leave a slot. */
  readonly losesWeight: boolean;
  /** A description of what this sequence replaces; null if nothing. */
  readonly replaces: string | null;
  /** The release whose healthy endpoints stay in rotation; null if none has to. */
  readonly kept: string | null;
}

/** A begin that fails leaves nothing that counts. */
async function watched(director: Director, perform: () => Promise<void>): Promise<void> {
  try {
    const before = await countBefore(director);
    await perform();
    await watchUsers(director, before);
  } catch (error) {
    await stopCounting(director);
    throw error;
  }
}

async function effects(
  director: Director,
  { found, observed, wanted, losesWeight, replaces, kept }: Accepted,
): Promise<void> {
  const { spec, state } = director;
  director.logEvent("begin", {
    sequence: spec.sequence,
    case: found,
    observed: { ...observed },
    wanted: { ...wanted },
    ...(replaces === null ? {} : { replaces }),
  });
  const sameCandidate = state.candidate !== null && isSame(spec.slots[spec.target], state.candidate);
  director.save({
    sequence: spec.sequence,
    recordDigest: spec.recordDigest,
    record: spec.record,
    finished: false,
    aborted: false,
    brokenGlass: null,
    deadline: null,
    unfinished: [],
    journal: spec.sequence === state.sequence ? appliedEntries(director.state, observed) : [],
    phase: "stable",
    shared: state.shared && wanted.weight > 0,
    retainedUntil: endsRetention(spec, state.stable) ? null : state.retainedUntil,
    recorded: SLOTS.flatMap((slot) => placed(slot, spec.slots[slot]) ?? []),
    contracted: [...new Set([...state.contracted, ...spec.contracted])],
    ...(found === "otherIsLive" && wanted.weight > 0 && sameCandidate ? {} : { candidate: null, weight: 0 }),
  });
  clearAbortRequest();

  const { active } = director.state;
  if (active !== null && spec.touched.includes(active)) await deactivateBeforeStop(director);
  const idle = wanted.live === null ? null : otherSlot(wanted.live);
  const replaced = idle !== null && (spec.converge || spec.touched.includes(idle));
  const reached = asStable(observed, director.state.stable);
  const left = releaseLeft(reached);
  // A recreate is chosen because no other release may run beside it.
  const mayStay =
    found !== "recreate" && !returns(reached, wanted) && !(left !== null && replacesLeft(spec, left));
  const endsSessions = !mayStay && left !== null;
  if (endsSessions || !sameTraffic(observed, wanted)) await director.setTraffic(wanted, { mayStay });
  if (losesWeight) await activateStable(director);
  // If a previous director took the slot out of rotation, its last requests may still run.
  if (idle !== null && wanted.weight === 0 && (losesWeight || replaced || endsSessions))
    await director.drain(idle, { cut: replaced });
  for (const slot of SLOTS) await takeOutOfRotation(director, slot, kept);
}

/** A director that was killed right after its release became stable had not set this yet. Users get the same from both. */
function asStable(observed: Traffic, stable: PlacedRelease | null): Traffic {
  const { live, weight } = observed;
  return live !== null && weight === 100 && stable?.slot === otherSlot(live)
    ? { ...observed, live: stable.slot, weight: 0, fallback: false }
    : observed;
}

/** Whether users leave a slot: a candidate's, or the one that they were moved from by a director that was killed. */
function returns(observed: Traffic, wanted: Traffic): boolean {
  if (observed.weight > 0) return wanted.weight === 0;
  return observed.live !== null && observed.live !== wanted.live;
}

/** A failed notification is ignored: the instance is stopped next. */
async function deactivateBeforeStop(director: Director): Promise<void> {
  try {
    await deactivateAll(director);
  } catch (error) {
    if (!(error instanceof NotificationFailed)) throw error;
    director.logEvent("notification-failed", { problem: error.message });
    director.save({ active: null });
  }
}

function requireUnchangedTraffic(director: Director, observed: Traffic): void {
  if (director.isAsSet(observed)) return;
  const { intended } = director.state.traffic;
  const [now, set] = [describeTraffic(observed), describeTraffic(intended)];
  const difference =
    now === set ? `${JSON.stringify(observed)}, not ${JSON.stringify(intended)}` : `${now}, not ${set}`;
  throw refused(
    `traffic on ${director.spec.proxy.name} was changed outside the director: it is ${difference}; \`bluegreen abort\` returns all requests to stable`,
  );
}

/** Refuses if another release than stable answers on the live slot: the slot was changed by hand. */
async function refuseOtherRelease(director: Director, observed: Traffic): Promise<void> {
  const { stable } = director.state;
  // During an unfinished recreate another release may answer, and the recreate must be able to continue.
  if (stable === null || observed.mode !== "serve") return;
  // A server that is to be healed may answer as any release.
  const stays = (server: string) => !director.spec.healing.includes(server);
  const { healthy, others, problem } = await director.answers(stable.slot, stable.releaseId, stays);
  if (others.length > 0) {
    throw refused(
      `${stable.slot} answers as ${others.join(", ")}, not as ${stable.releaseId}, which is stable: it was changed by hand. Restore ${stable.releaseId} there, or \`bluegreen heal\` its servers`,
    );
  }
  // If the live release is down, its fix must still be releasable.
  if (!healthy) director.logEvent("live-down", { slot: stable.slot, releaseId: stable.releaseId, problem });
}

async function requireStableAnswers(director: Director, stable: PlacedRelease): Promise<void> {
  const { healthy, problem } = await stableAnswers(director, stable);
  if (!healthy) {
    throw refused(
      `this record would return the candidate's requests to ${stable.releaseId} in ${stable.slot}, which is not healthy: ${problem}. Repair ${stable.slot} first`,
    );
  }
}

/**
 * The only servers of a release are healed only if they are down: taking them out of rotation then costs nothing. Other
 * servers are healed in any state. A retried heal continues even if its servers have recovered.
 * @returns the release whose healthy endpoints must stay in rotation; null if all healed servers can leave it.
 */
async function requireSomethingToHeal(
  director: Director,
  { slot: live, releaseId }: PlacedRelease,
): Promise<string | null> {
  const { driver, spec, state } = director;
  const counts = await driver.counts();
  const healing = (server: string) => spec.healing.includes(server);
  for (const slot of SLOTS) {
    const known = counts[slot].endpoints.map(({ server }) => server);
    const missing = spec.endpoints[slot].find(({ server }) => healing(server) && !known.includes(server));
    if (missing !== undefined) {
      throw refused(`${spec.proxy.name} does not know ${missing.server} yet: deploy the base stack first`);
    }
  }
  const serving = state.shared ? SLOTS : [live];
  const answers = await Promise.all(serving.map((slot) => director.answers(slot, releaseId)));
  const well = answers.flatMap((each) => each.well);
  return cannotSpare(spec.healing, releaseId, well, spec.retry) ? releaseId : null;
}

/** @param kept the release whose healthy endpoints stay in rotation: there is nothing to install on them. */
async function takeOutOfRotation(director: Director, slot: Slot, kept: string | null): Promise<void> {
  const { driver, spec, logEvent } = director;
  const endpoints = spec.endpoints[slot].filter(({ server }) => spec.healing.includes(server));
  const probes = await Promise.all(endpoints.map((endpoint) => director.probe(endpoint, kept)));
  const excluded = endpoints.filter((_, index) => kept === null || !probes[index]!.healthy);
  if (excluded.length === 0) return;
  const servers = excluded.map(({ server }) => server);
  logEvent("rotation", { slot, exclude: servers });
  await driver.exclude(slot, servers);
}

function wantedTraffic({ spec, state }: Director, found: Case, observed: Traffic): Traffic {
  if (state.stable === null) return CLOSED;
  const idle = otherSlot(state.stable.slot);
  const serving: Traffic = {
    ...observed,
    live: state.stable.slot,
    mode: "serve",
    weight: 0,
    fallback: false,
  };
  if (found === "recreate") return { ...serving, mode: whileDown(spec) };
  const promotesPaused =
    found === "otherIsLive" &&
    spec.goal !== "staged" &&
    !spec.touched.includes(idle) &&
    state.candidate !== null &&
    isSame(spec.slots[idle], state.candidate);
  const staysShared =
    found === "targetIsLive" && state.shared && !spec.converge && !spec.touched.includes(idle);
  return promotesPaused || staysShared ? { ...observed, mode: "serve" } : serving;
}

/** During a recreate, requests still go to the slot's instances, which finish running requests when they stop. */
function whileDown({ proxy, schedule }: DirectorSpec): Traffic["mode"] {
  return canHold(proxy) && schedule.whileDown === "hold" ? "hold" : "page";
}

function refused(message: string): Failure {
  return new Failure(message, EXIT.refused);
}
