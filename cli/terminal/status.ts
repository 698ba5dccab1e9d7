/** What `bluegreen status` shows: what users get, slot by slot. */
import { out } from "./colours";
import { target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { releaseId } from "../../release/release";
import { otherSlot, SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import type { ProxyStatus } from "../proxies/proxies";

export function formatStatus(record: ReleaseRecord, statuses: readonly ProxyStatus[]): string {
  const wanted = target(record);
  const goal = typeof record.goal === "number" ? `${record.goal} %` : record.goal;
  const lines = [
    `record ${record.sequence}: ${wanted ? releaseId(wanted) : "nothing"} in ${record.active}, goal ${goal}`,
  ];
  for (const status of statuses) {
    const { state, at } = status;
    const age = at === undefined ? "" : ` (as its last step said at ${at})`;
    const result = state.result === null ? "" : `; last: ${state.result.reason}`;
    lines.push("", `${out.bold(status.proxy)}  record ${state.sequence}, ${state.phase}${result}${age}`);
    if (state.stable !== null && (state.retainedUntil ?? 0) > Date.now()) {
      const until = new Date(state.retainedUntil!).toISOString();
      lines.push(`  ${otherSlot(state.stable.slot)} is kept for an instant rollback until ${until}`);
    }
    for (const slot of SLOTS) lines.push(`  ${formatSlot(slot, status)}`);
  }
  return lines.join("\n");
}

function formatSlot(slot: Slot, { traffic, state, endpoints }: ProxyStatus): string {
  const share = traffic.live === null ? 0 : traffic.live === slot ? 100 - traffic.share : traffic.share;
  const answers = endpoints[slot].map(({ server, address, releaseId: id, healthy, inRotation }) => {
    const answer = healthy ? (id ?? "healthy") : "down";
    const text = `${server} (${address}) ${answer}${inRotation ? "" : " out of rotation"}`;
    return healthy ? text : out.dim(text);
  });
  const role = state.stable?.slot === slot ? "stable" : state.stable?.slot === otherSlot(slot) ? "idle" : "";
  const colour = slot === "blue" ? out.blue : out.green;
  return `${colour(slot.padEnd(6))} ${String(share).padStart(3)} %  ${role.padEnd(7)} ${answers.join(", ")}`;
}
