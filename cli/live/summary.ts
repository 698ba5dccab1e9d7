/** A proxy's state as text, for the screen and for logs. */
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import type { EndpointStatus, ProxyStatus } from "../../release/director-status";
import { gateOf } from "./gate";
import type { Snapshot, ProxySnapshot } from "./snapshot";

/** The slot's part of the requests, in per cent. */
export function weightOf(slot: Slot, { live, weight }: ProxyStatus["traffic"]): number {
  if (live === null) return 0;
  return slot === live ? 100 - weight : weight;
}

/** The release of most healthy endpoints of a slot; null if none is healthy. */
export function servedBy(endpoints: readonly EndpointStatus[]): string | null {
  const named = endpoints.flatMap(({ healthy, releaseId }) => (healthy ? [releaseId ?? "unnamed"] : []));
  const votes = (id: string): number => named.filter((each) => each === id).length;
  return [...new Set(named)].sort((one, other) => votes(other) - votes(one))[0] ?? null;
}

/** How an endpoint differs from a healthy one of the slot's release; empty if it does not. */
export function difference(
  { healthy, releaseId, inRotation }: EndpointStatus,
  release: string | null,
): string {
  if (!healthy) return "down";
  const other = (releaseId ?? "unnamed") === release ? "" : (releaseId ?? "unnamed");
  return [other, inRotation ? "" : "out of rotation"].filter(Boolean).join(", ");
}

/** One line that does not change with time and counts. */
export function summary(
  { proxy, status, problem }: ProxySnapshot,
  { record, atWork = true }: Pick<Snapshot, "record" | "atWork">,
): string {
  if (status === null) return problem.startsWith(proxy) ? problem : `${proxy}: ${problem}`;
  const { state, traffic, endpoints } = status;
  const slots = SLOTS.map((slot) => {
    const release = servedBy(endpoints[slot]);
    const odd = endpoints[slot].flatMap((endpoint) => {
      const what = difference(endpoint, release);
      return what === "" ? [] : [`${endpoint.server} ${what}`];
    });
    const exceptions = release === null || odd.length === 0 ? "" : ` (${odd.join(", ")})`;
    return `${slot} ${weightOf(slot, traffic)} % ${release ?? "nothing"}${exceptions}`;
  });
  return `${proxy}: record ${state.sequence}, ${gateOf(status, record, atWork).what}; ${slots.join(", ")}`;
}
