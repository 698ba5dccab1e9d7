/**
 * drain: an operator takes one server out of use, to restart or patch it, and returns it. New clients get the other servers; those
 * that have sessions there stay, until the operator ends that (`--now`): a client may use several proxies, so none of them knows
 * by itself when the server is idle. It moves no traffic between slots, and waits for nothing.
 */
import { hasAffinity, serverDrainLimits } from "../../../configuration/sessions";
import { EXIT } from "../../../release/exit-code";
import { Failure, InvalidInput, Refusal } from "../../../release/failure";
import { describeServerDrain, serverDrainOf } from "../../../release/server-drain";
import type { Activity, DrainedServer, ServerDrain, ServerDrainEnd } from "../../../release/server-drain";
import { otherSlot, SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";
import { activateServers, NotificationFailed } from "../activation";
import type { Director } from "../director";
import { servingSlots } from "../drivers/driver";
import type { Driver, Traffic } from "../drivers/driver";
import { verifyServers } from "../verify";

/** @param isNow whether the server gets no requests any more, and the sessions that are left end. @throws InvalidInput, Refusal; then nothing was changed. */
export async function drainServer(
  director: Director,
  server: string,
  { isNow }: { readonly isNow: boolean },
): Promise<ServerDrainEnd> {
  const slots = slotsOf(director, server);
  const known = drainedOf(director, server);
  if (known === undefined) {
    requireAtRest(director);
    await requireOthers(director, server, await director.driver.observe());
  }
  const { clock, driver } = director;
  const entry: DrainedServer = known ?? { server, since: clock.now(), isOut: false };
  if (known === undefined) save(director, server, entry);
  if (!entry.isOut) await keepFromNewClients(director, server, slots);
  if (!isNow && !entry.isOut) return ended("draining", await drainOf(director, entry), director);
  for (const slot of slots) await driver.exclude(slot, [server]);
  const out = { ...entry, isOut: true };
  save(director, server, out);
  return ended("drained", await drainOf(director, out), director);
}

/** Only where the server is in rotation: one that was taken out, as by a heal that failed, must not get its clients back. */
async function keepFromNewClients(director: Director, server: string, slots: readonly Slot[]): Promise<void> {
  const { spec, driver } = director;
  const keeps = hasAffinity(spec) && driver.keepClients !== undefined;
  const counts = await driver.counts();
  for (const slot of slots) {
    if (!counts[slot].endpoints.some((each) => each.server === server && each.inRotation)) continue;
    director.logEvent("rotation", { slot, [keeps ? "leave" : "exclude"]: [server] });
    await (keeps ? driver.keepClients!(slot, [server]) : driver.exclude(slot, [server]));
  }
}

/** Verifies what the server has to serve, and returns it to the rotation. @throws InvalidInput, Failure */
export async function returnServer(director: Director, server: string): Promise<ServerDrainEnd> {
  const slots = slotsOf(director, server);
  if (drainedOf(director, server) === undefined)
    return { step: "drain", outcome: "returned", reason: `${server} is in use already`, drain: null };
  requireAtRest(director);
  const left: string[] = [];
  for (const { slot, releaseId, hasUsers } of expectedIn(director, slots)) {
    const verdict = releaseId === null ? null : await verifyServers(director, slot, releaseId, [server]);
    if (verdict !== null && !verdict.passed) {
      if (hasUsers) throw stillOut(server, releaseId!, slot, verdict.reason);
      left.push(`without ${slot}, where ${releaseId} would be for a rollback: ${verdict.reason}`);
      continue;
    }
    await director.putIntoRotation(slot, [server]);
    await notified(director, slot, server);
  }
  save(director, server, null);
  return {
    step: "drain",
    outcome: "returned",
    reason: [`${server} is in use`, ...left].join("; "),
    drain: null,
  };
}

/** For `status`. */
export async function drainedServers(director: Director): Promise<ServerDrain[]> {
  return Promise.all((director.state.drained ?? []).map((entry) => drainOf(director, entry)));
}

async function drainOf(director: Director, entry: DrainedServer): Promise<ServerDrain> {
  const { driver, clock, spec } = director;
  const slots = SLOTS.filter((slot) => hasServer(director, slot, entry.server));
  const activity = await Promise.all(slots.map((slot) => activityIn(driver, slot, entry.server)));
  return serverDrainOf(entry, serverDrainLimits(spec), activity, clock.now());
}

async function activityIn(driver: Driver, slot: Slot, server: string): Promise<Activity> {
  return (await driver.activity?.(slot, server)) ?? { running: null, idleSeconds: null };
}

function ended(outcome: ServerDrainEnd["outcome"], drain: ServerDrain, { clock }: Director): ServerDrainEnd {
  return { step: "drain", outcome, reason: describeServerDrain(drain, clock.now()), drain };
}

function hasServer({ spec }: Director, slot: Slot, server: string): boolean {
  return spec.endpoints[slot].some((each) => each.server === server);
}

function slotsOf(director: Director, server: string): Slot[] {
  const slots = SLOTS.filter((slot) => hasServer(director, slot, server));
  if (slots.length > 0) return slots;
  const known = SLOTS.flatMap((slot) => director.spec.endpoints[slot].map((each) => each.server));
  throw new InvalidInput(
    `there is no server ${JSON.stringify(server)}: there are ${[...new Set(known)].sort().join(", ")}`,
  );
}

function drainedOf({ state }: Director, server: string): DrainedServer | undefined {
  return state.drained?.find((each) => each.server === server);
}

function save(director: Director, server: string, entry: DrainedServer | null): void {
  const others = (director.state.drained ?? []).filter((each) => each.server !== server);
  director.save({ drained: entry === null ? others : [...others, entry] });
}

function requireAtRest({ state }: Director): void {
  if (state.finished) return;
  throw new Refusal(
    "not-possible-here",
    `sequence ${state.sequence} is under way: it verifies its servers. Next: try again when it has ended, or \`bluegreen abort\``,
  );
}

/** New clients need another server, wherever they go. */
async function requireOthers({ driver }: Director, server: string, traffic: Traffic): Promise<void> {
  const counts = await driver.counts();
  for (const slot of servingSlots(traffic)) {
    const others = counts[slot].endpoints.filter(
      (each) => each.server !== server && each.healthy && each.inRotation,
    );
    const isThere = counts[slot].endpoints.some((each) => each.server === server && each.inRotation);
    if (isThere && others.length === 0) {
      throw new Refusal(
        "last-server",
        `${server} is the only server of ${slot} that serves users: without it they would get errors. Next: add a server, \`bluegreen heal\` another one, or release into ${otherSlot(slot)} first`,
      );
    }
  }
}

/** What a server has to answer as, the slots of users first. */
function expectedIn({ state }: Director, slots: readonly Slot[]) {
  const { stable, candidate, shared, recorded, traffic } = state;
  return slots
    .map((slot) => {
      const placed = [stable, candidate, ...recorded].find((each) => each?.slot === slot) ?? null;
      const releaseId = shared && stable !== null ? stable.releaseId : (placed?.releaseId ?? null);
      return { slot, releaseId, hasUsers: servingSlots(traffic.intended).includes(slot) };
    })
    .sort((one, other) => Number(other.hasUsers) - Number(one.hasUsers));
}

function stillOut(server: string, releaseId: string, slot: Slot, reason: string): Failure {
  return new Failure(
    `${server} does not serve ${releaseId} in ${slot}: ${reason}; it still gets no requests. Next: start it there, or \`bluegreen heal ${server}\``,
    EXIT.refused,
  );
}

async function notified(director: Director, slot: Slot, server: string): Promise<void> {
  try {
    await activateServers(director, slot, [server]);
  } catch (error) {
    if (!(error instanceof NotificationFailed)) throw error;
    throw new Failure(
      `${server} serves users, but was not notified that it is live: ${error.message}. Next: run this again`,
      EXIT.frozen,
    );
  }
}
