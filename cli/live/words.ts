/** A proxy's state and its journal in words: the same for a screen, and for lines in a log. */
import type { Figures, JournalEntry } from "../../release/journal";
import { otherSlot, SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import type { EndpointStatus, ProxyStatus } from "../proxies/proxies";
import { gateOf } from "./gate";
import type { Moment, SeenProxy } from "./moment";

export function describeEntry(entry: JournalEntry): string {
  switch (entry.event) {
    case "verified":
      return `${entry.releaseId} verified in ${entry.slot}: ${count(entry.endpoints, "endpoint")} in ${entry.seconds.toFixed(1)} s`;
    case "traffic":
      return describeTraffic(entry);
    case "judged": {
      const { share, candidate, stable } = entry.comparison;
      const verdict = entry.verdict === "pass" ? "well" : "badly";
      return `${share} % went ${verdict}: candidate ${figures(candidate)}; stable ${figures(stable)}`;
    }
    case "drained":
      if (entry.running === 0) return `${entry.slot} is drained`;
      return `${entry.slot}: ${count(entry.running, "request")} took longer than the time to drain${entry.cut ? " and were cut" : ""}`;
  }
}

function describeTraffic({ live, share, mode }: Extract<JournalEntry, { event: "traffic" }>): string {
  if (live === null) return "nothing is live: users get a 503 page";
  if (mode !== "serve") return mode === "hold" ? `requests of ${live} wait` : `${live}: users get a 503 page`;
  if (share === 0) return `all requests go to ${live}`;
  return `${share} % of the requests go to ${otherSlot(live)}`;
}

function figures({ requests, errors, p95Ms }: Figures): string {
  const slow = p95Ms === null ? "" : `, p95 ${p95Ms} ms`;
  return `${errors} of ${requests} failed${slow}`;
}

/** The part of the requests that a slot gets, in per cent. */
export function shareOf(slot: Slot, { live, share }: ProxyStatus["traffic"]): number {
  if (live === null) return 0;
  return slot === live ? 100 - share : share;
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
  { proxy, status, problem }: SeenProxy,
  { record, atWork = true }: Pick<Moment, "record" | "atWork">,
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
    return `${slot} ${shareOf(slot, traffic)} % ${release ?? "nothing"}${exceptions}`;
  });
  return `${proxy}: record ${state.sequence}, ${gateOf(status, record, atWork).what}; ${slots.join(", ")}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
