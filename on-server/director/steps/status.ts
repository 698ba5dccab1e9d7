/** status: what users get, the director's state, and how every endpoint answers. Changes nothing. */
import type { EndpointStatus, ProxyStatus } from "../../../release/director-status";
import { SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";
import { lastArrival } from "../arrive";
import type { Director } from "../director";
import { servingSlots } from "../drivers/driver";
import type { SlotCounts } from "../drivers/driver";

export async function status(director: Director): Promise<ProxyStatus> {
  const { driver, state, spec } = director;
  const [traffic, counts] = await Promise.all([driver.observe(), driver.counts()]);
  const endpoints = async (slot: Slot): Promise<EndpointStatus[]> =>
    Promise.all(
      spec.endpoints[slot].map(async (endpoint) => {
        const { releaseId, healthy } = await director.probe(endpoint, null);
        const { server, host, port } = endpoint;
        const inRotation = counts[slot].endpoints.some((each) => each.server === server && each.inRotation);
        return { server, address: `${host}:${port}`, releaseId, healthy, inRotation };
      }),
    );
  const [blue, green] = await Promise.all(SLOTS.map(endpoints));
  const arrival = lastArrival();
  return {
    proxy: spec.proxy.name,
    traffic,
    serving: servingSlots(traffic),
    state,
    counts: { blue: withoutClients(counts.blue), green: withoutClients(counts.green) },
    endpoints: { blue: blue!, green: green! },
    ...(arrival === null ? {} : { arrival }),
  };
}

/** Addresses are personal data: they stay in the proxy. */
function withoutClients({ clients: _, ...counts }: SlotCounts): SlotCounts {
  return counts;
}
