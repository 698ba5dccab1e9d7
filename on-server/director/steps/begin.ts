/**
 * begin: the gate of a sequence, before anything is installed. It compares what is recorded with what users get,
 * and takes the slots that this sequence installs into out of rotation. Which cases it accepts: release/gate.ts. For a
 * recreate it holds the requests (or shows the page); for a heal it takes only its servers out of rotation.
 */
import { Failure } from "../../../release/failure";
import { EXIT } from "../../../release/exit-code";
import { activateStable, deactivateAll, NotificationFailed } from "../activation";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { canHold } from "../../../configuration/drivers";
import { cannotSpare, endsRetention, isSame, mayBegin, requireUnfinished } from "../../../release/gate";
import type { Case } from "../../../release/gate";
import { otherSlot, SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";
import { describeTraffic, placed } from "../director";
import type { Director } from "../director";
import { CLOSED, sameTraffic } from "../drivers/driver";
import type { Traffic } from "../drivers/driver";
import { clearAbortRequest } from "../interruption";
import { cameTrue } from "../journal";
import type { PlacedRelease } from "../state";
import { stableAnswers } from "../roll-back";
import type { StepEnd } from "./step";

export async function begin(director: Director): Promise<StepEnd> {
  const { spec, state } = director;
  requireUnfinished(spec, state);
  const observed = await director.driver.observe();
  requireOwnTraffic(director, observed);
  const { found, replaces } = mayBegin(spec, state, director.clock.now());
  await refuseOtherRelease(director, observed);

  const kept = spec.healing.length > 0 ? await requireSomethingToHeal(director, state.stable!) : null;

  const wanted = wantedTraffic(director, found, observed);
  const losesWeight = observed.weight > 0 && wanted.weight === 0 && state.stable !== null;
  if (losesWeight && found !== "neverLive") await requireStableAnswers(director, state.stable!);

  director.say("begin", {
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
    deadline: null,
    unfinished: [],
    journal: spec.sequence === state.sequence ? cameTrue(director.state, observed) : [],
    phase: "stable",
    shared: state.shared && wanted.weight > 0,
    retainedUntil: endsRetention(spec, state.stable) ? null : state.retainedUntil,
    recorded: SLOTS.flatMap((slot) => placed(slot, spec.slots[slot]) ?? []),
    contracted: [...new Set([...state.contracted, ...spec.contracted])],
    ...(found === "otherIsLive" && wanted.weight > 0 && sameCandidate ? {} : { candidate: null, weight: 0 }),
  });
  clearAbortRequest();

  const { active } = director.state;
  if (active !== null && spec.touched.includes(active)) await reportStop(director);
  if (!sameTraffic(observed, wanted)) await director.setTraffic(wanted);
  if (losesWeight) await activateStable(director);
  // Where a director before this one took the slot out of rotation, its last requests may run still.
  const idle = wanted.live === null ? null : otherSlot(wanted.live);
  const replaced = idle !== null && (spec.converge || spec.touched.includes(idle));
  if (idle !== null && wanted.weight === 0 && (losesWeight || replaced))
    await director.drain(idle, { cut: replaced });
  for (const slot of SLOTS) await takeOutOfRotation(director, slot, kept);
  const facts = [found, describeTraffic(wanted), replaces].filter(Boolean);
  return { outcome: "begun", reason: facts.join(", ") };
}

/** Instances that are about to be stopped: whoever can't be told any more is not at work for long. */
async function reportStop(director: Director): Promise<void> {
  try {
    await deactivateAll(director);
  } catch (error) {
    if (!(error instanceof NotificationFailed)) throw error;
    director.say("not-told", { problem: error.message });
    director.save({ active: null });
  }
}

function requireOwnTraffic(director: Director, observed: Traffic): void {
  if (director.isAsSet(observed)) return;
  const { intended } = director.state.traffic;
  throw refused(
    `the proxy sends ${describeTraffic(observed)}, but the director last set ${describeTraffic(intended)}: somebody changed it; \`bluegreen abort\` puts traffic back on stable`,
  );
}

/** Something else than the director's stable release answers on the live slot: somebody changed it by hand. */
async function refuseOtherRelease(director: Director, observed: Traffic): Promise<void> {
  const { stable } = director.state;
  // A recreate that was not finished: what answers is its doing, and the way on must stay open.
  if (stable === null || observed.mode !== "serve") return;
  // A server that is to be healed may answer with whatever its image came with.
  const stays = (server: string) => !director.spec.healing.includes(server);
  const { healthy, others, problem } = await director.answers(stable.slot, stable.releaseId, stays);
  if (others.length > 0) {
    throw refused(
      `${stable.slot} should serve ${stable.releaseId}, but answers as ${others.join(", ")}: it was changed by hand`,
    );
  }
  // A live release that is down must not keep its repair from being shipped.
  if (!healthy) director.say("live-down", { slot: stable.slot, releaseId: stable.releaseId, problem });
}

async function requireStableAnswers(director: Director, stable: PlacedRelease): Promise<void> {
  const { healthy, problem } = await stableAnswers(director, stable);
  if (!healthy) {
    throw refused(
      `${stable.releaseId} in ${stable.slot} ${problem || "does not answer"}, and the other slot carries its traffic: bring it up first`,
    );
  }
}

/**
 * A server that nobody stands in for is healed when it is down: then it costs nothing to take it out of rotation. All
 * others may be healed in any state. A heal that is tried again goes on although its servers came up by themselves.
 * @returns the release whose healthy endpoints can't be spared; null where all healed ones can.
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

/** @param kept the release whose healthy endpoints stay in rotation: their install finds nothing to do. */
async function takeOutOfRotation(director: Director, slot: Slot, kept: string | null): Promise<void> {
  const { driver, spec, say } = director;
  const endpoints = spec.endpoints[slot].filter(({ server }) => spec.healing.includes(server));
  const probes = await Promise.all(endpoints.map((endpoint) => director.probe(endpoint, kept)));
  const excluded = endpoints.filter((_, index) => kept === null || !probes[index]!.healthy);
  if (excluded.length === 0) return;
  const servers = excluded.map(({ server }) => server);
  say("rotation", { slot, exclude: servers });
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

/** Requests of a recreated slot go to its instances as before, which finish what runs when they are stopped. */
function whileDown({ proxy, schedule }: DirectorSpec): Traffic["mode"] {
  return canHold(proxy) && schedule.whileDown === "hold" ? "hold" : "page";
}

function refused(message: string): Failure {
  return new Failure(message, EXIT.refused);
}
