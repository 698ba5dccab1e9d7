/** status: what users get, what the director remembers, and what every endpoint answers. Changes nothing. */
import { SLOTS } from "../../../release/slot";
import type { PerSlot, Slot } from "../../../release/slot";
import type { Director } from "../director";
import { servingSlots } from "../drivers/driver";
import type { SlotCounts, Traffic } from "../drivers/driver";
import type { State } from "../state";

interface EndpointStatus {
  readonly server: string;
  readonly address: string;
  readonly releaseId: string | null;
  readonly healthy: boolean;
  /** Whether the proxy sends it requests: not where a heal is under way, or failed. */
  readonly inRotation: boolean;
}

export interface Status {
  readonly proxy: string;
  readonly traffic: Traffic;
  readonly serving: readonly Slot[];
  readonly state: State;
  readonly counts: PerSlot<SlotCounts>;
  readonly endpoints: PerSlot<readonly EndpointStatus[]>;
}

export async function status(director: Director): Promise<Status> {
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
  return {
    proxy: spec.proxy.name,
    traffic,
    serving: servingSlots(traffic),
    state,
    counts,
    endpoints: { blue: blue!, green: green! },
  };
}
