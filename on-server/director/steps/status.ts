/** status: what users get, the director's state, and how every endpoint answers. Changes nothing. */
import type { EndpointStatus, ProxyStatus } from "../../../release/director-status";
import { SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";
import { lastArrival } from "../arrive";
import { drainingNow } from "../leaving";
import type { Director } from "../director";
import type { Place } from "../exchange";
import type { Probe } from "../probe";
import { StableWatch } from "../stable-watch";
import { drainedServers } from "./drain-server";
import type { State } from "../state";
import { servingSlots } from "../drivers/driver";
import type { SlotCounts } from "../drivers/driver";

/** @param asksAsUser whether to ask the users' port, too: that counts as a user's request. */
export async function status(director: Director, { asksAsUser = true } = {}): Promise<ProxyStatus> {
  const { driver, state, spec } = director;
  const [traffic, counts] = await Promise.all([driver.observe(), driver.counts()]);
  const endpoints = async (slot: Slot): Promise<EndpointStatus[]> =>
    Promise.all(
      spec.endpoints[slot].map(async (endpoint) => {
        const { releaseId, healthy } = await seenAt(director, endpoint, expectedIn(director, slot));
        const { server, host, port } = endpoint;
        const inRotation = counts[slot].endpoints.some((each) => each.server === server && each.inRotation);
        return { server, address: `${host}:${port}`, releaseId, healthy, inRotation };
      }),
    );
  const [users, blue, green] = await Promise.all([
    // The request would wait as long as the users' do.
    traffic.mode === "hold" || !asksAsUser ? null : seenByUsers(director),
    ...SLOTS.map(endpoints),
  ]);
  const arrival = lastArrival();
  const harm = await StableWatch.harm(director);
  const draining = await drainingNow(director, traffic);
  const drained = await drainedServers(director);
  return {
    proxy: spec.proxy.name,
    traffic,
    serving: servingSlots(traffic),
    ...(users !== null && { users }),
    state: withoutAnswers(state),
    counts: { blue: withoutClients(counts.blue), green: withoutClients(counts.green) },
    endpoints: { blue: blue!, green: green! },
    ...(arrival === null ? {} : { arrival }),
    ...(draining === null ? {} : { draining }),
    ...(drained.length === 0 ? {} : { drained }),
    ...(harm === null ? {} : { harm }),
  };
}

/** What a place answers. A body may have other words that look like a release id: an expected one counts first. */
async function seenAt({ probe }: Director, place: Place, expected: readonly string[]): Promise<Probe> {
  const seen = await probe(place, null);
  if (!seen.healthy || (seen.releaseId !== null && expected.includes(seen.releaseId))) return seen;
  for (const releaseId of expected) {
    const again = await probe(place, releaseId);
    if (again.healthy) return again;
  }
  return seen;
}

/** One request to the proxy's port, as a user sends it. */
async function seenByUsers(director: Director): Promise<NonNullable<ProxyStatus["users"]>> {
  const { name, host, port, tls } = director.spec.proxy;
  const address = { server: name, host, ...(tls === null ? { port } : { port: tls.port }) };
  const place: Place = { ...address, entrance: tls === null ? "http" : "https" };
  const expected = SLOTS.flatMap((slot) => expectedIn(director, slot));
  const { healthy, releaseId, problem } = await seenAt(director, place, [...new Set(expected)]);
  return { healthy, releaseId, problem };
}

/** The releases that a slot may serve. */
function expectedIn({ state, spec }: Director, slot: Slot): string[] {
  const { stable, candidate, shared } = state;
  const known = [
    ...(stable !== null && (shared || stable.slot === slot) ? [stable] : []),
    ...(candidate?.slot === slot ? [candidate] : []),
    ...[spec.slots[slot] ?? []].flat(),
  ];
  return [...new Set(known.map(({ releaseId }) => releaseId))];
}

/** What the director compares users' answers with is of no use elsewhere, and long. */
function withoutAnswers({ usual: _usual, watched: _watched, ...state }: State): State {
  return state;
}

/** Addresses are personal data: they stay in the proxy. */
function withoutClients({ clients: _, ...counts }: SlotCounts): SlotCounts {
  return counts;
}
