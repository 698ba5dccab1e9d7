/** A proxy's state in words: the same for a screen, and for lines in a log. */
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import type { EndpointStatus, ProxyStatus } from "../proxies/proxies";
import { gateOf } from "./gate";
import type { Snapshot, ProxySnapshot } from "./snapshot";

/** The part of the requests that a slot gets, in per cent. */
export function weightOf(slot: Slot, { live, weight }: ProxyStatus["traffic"]): number {
  if (live === null) return 0;
  return slot === live ? 100 - weight : weight;
}

/** The release that most of a slot's healthy endpoints answer as; null where none is healthy. */
export function servedBy(endpoints: readonly EndpointStatus[]): string | null {
  const named = endpoints.flatMap(({ healthy, releaseId }) => (healthy ? [releaseId ?? "unnamed"] : []));
  const votes = (id: string): number => named.filter((each) => each === id).length;
  return [...new Set(named)].sort((one, other) => votes(other) - votes(one))[0] ?? null;
}

/** What differs from a healthy endpoint of the slot's release; empty where nothing does. */
export function complaint(
  { healthy, releaseId, inRotation }: EndpointStatus,
  release: string | null,
): string {
  if (!healthy) return "down";
  const other = (releaseId ?? "unnamed") === release ? "" : (releaseId ?? "unnamed");
  return [other, inRotation ? "" : "out of rotation"].filter(Boolean).join(", ");
}

/** One line that stays the same as long as nothing changes but time and counts. */
export function summary(
  { proxy, status, problem }: ProxySnapshot,
  { record, atWork = true }: Pick<Snapshot, "record" | "atWork">,
): string {
  if (status === null) return problem.startsWith(proxy) ? problem : `${proxy}: ${problem}`;
  const { state, traffic, endpoints } = status;
  const slots = SLOTS.map((slot) => {
    const release = servedBy(endpoints[slot]);
    const odd = endpoints[slot].flatMap((endpoint) => {
      const what = complaint(endpoint, release);
      return what === "" ? [] : [`${endpoint.server} ${what}`];
    });
    const exceptions = release === null || odd.length === 0 ? "" : ` (${odd.join(", ")})`;
    return `${slot} ${weightOf(slot, traffic)} % ${release ?? "nothing"}${exceptions}`;
  });
  return `${proxy}: record ${state.sequence}, ${gateOf(status, record, atWork).what}; ${slots.join(", ")}`;
}
