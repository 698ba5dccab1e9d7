/**
 * Clients that stay on their servers when users leave a release: who may, since when, and what ended their sessions.
 */
import type { DirectorSpec } from "../../configuration/director-spec";
import { drains, hasAffinity } from "../../configuration/sessions";
import { drainingOf, releaseLeft } from "../../release/draining";
import type { Draining } from "../../release/draining";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { servingSlots } from "./drivers/driver";
import type { Driver, Traffic } from "./drivers/driver";
import type { NewEntry } from "./journal";
import type { State } from "./state";

/** What a director knows. */
interface Known {
  readonly spec: DirectorSpec;
  readonly state: Pick<State, "stable" | "leftSince">;
  readonly driver: Pick<Driver, "counts" | "idleSeconds">;
  readonly clock: { now(): number };
}

/** With affinity, clients stay on servers of the releases that users get; and where sessions drain, of the one before. */
export function withSessions(
  { spec, state }: Known,
  { sessions: _, ...traffic }: Traffic,
  before: Traffic,
  mayStay: boolean,
): Traffic {
  if (!hasAffinity(spec)) return traffic;
  const serving = servingSlots(traffic);
  const { stable } = state;
  const released = (slot: Slot) =>
    spec.slots[slot]?.releaseId ?? (stable?.slot === slot ? stable.releaseId : null);
  // Only who stayed there before: a release that comes into the slot has no clients yet.
  const stays = (slot: Slot) =>
    mayStay &&
    drains(spec) &&
    !spec.converge &&
    spec.endSessions !== "all" &&
    before.sessions?.[slot] === released(slot);
  const kept = (slot: Slot) => (serving.includes(slot) || stays(slot) ? released(slot) : null);
  return { ...traffic, sessions: { blue: kept("blue"), green: kept("green") } };
}

/** Since when users leave a slot: from this traffic on, or before it as long as it is not set, which a crash may prevent. */
export function leftSince({ state, clock }: Known, before: Traffic, traffic: Traffic): number | undefined {
  const [now, then] = [releaseLeft(traffic), releaseLeft(before)];
  if (now === null) return then === null ? undefined : state.leftSince;
  return (then?.releaseId === now.releaseId ? state.leftSince : undefined) ?? clock.now();
}

/** The slot that users leave, in this traffic. null if there is none. */
export async function drainingNow(director: Known, traffic: Traffic): Promise<Draining | null> {
  const { spec, state, clock } = director;
  const left = releaseLeft(traffic);
  if (left === null) return null;
  const idle = await idleSeconds(director, left.slot);
  return drainingOf(left, state.leftSince ?? null, idle, spec.sessions?.drain, clock.now());
}

/** For the journal: whose clients stay from now on, and whose sessions end. */
export async function sessionEntries(
  director: Known,
  before: Traffic,
  traffic: Traffic,
): Promise<NewEntry[]> {
  const left = releaseLeft(traffic);
  const entries: NewEntry[] =
    left === null || releaseLeft(before)?.releaseId === left.releaseId
      ? []
      : [{ event: "sessions", ...left, clients: "stay" }];
  for (const slot of SLOTS) {
    const releaseId = before.sessions?.[slot] ?? null;
    if (releaseId === null || traffic.sessions?.[slot] === releaseId) continue;
    const idle = await idleSeconds(director, slot);
    entries.push({
      ...{ event: "sessions", slot, releaseId, clients: "ended" },
      ...(idle === null ? {} : { idleSeconds: Math.round(idle) }),
    });
  }
  return entries;
}

/** A request that runs, such as a WebSocket, may have begun long ago. */
async function idleSeconds({ driver }: Known, slot: Slot): Promise<number | null> {
  if (driver.idleSeconds === undefined) return null;
  const { inFlight } = (await driver.counts())[slot];
  return inFlight > 0 ? 0 : driver.idleSeconds(slot);
}
