/** The output of `bluegreen status`: what users get, by slot. */
import { out } from "../terminal/colours";
import { describeDraining } from "../../release/draining";
import { describeServerDrain } from "../../release/server-drain";
import { describeBrokenGlass } from "../../release/moved-by-hand";
import { target } from "../../release/record";
import { inOneLine } from "../../release/text";
import type { ReleaseRecord } from "../../release/record";
import { releaseId } from "../../release/release";
import { otherSlot, SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { behindOf } from "../../release/taking-part";
import type { Survey } from "../../release/taking-part";
import { agreed } from "../proxies/proxies";
import { weightOf } from "./summary";
import { contradiction, notKnown } from "./users";
import type { ProxyStatus } from "../../release/director-status";

export interface StatusContext {
  /** The users' addresses, if known. */
  readonly addresses: readonly string[];
  /** Why the record's sequence failed; null if it did not. */
  readonly failure: string | null;
}

export function formatStatus(
  record: ReleaseRecord,
  { statuses, silent, unknown: noReport }: Survey,
  { addresses, failure }: StatusContext,
): string {
  const behind = behindOf(record, statuses);
  const current = statuses.filter(({ proxy }) => !behind.includes(proxy));
  const users = agreed(current);
  const isWhole = current.length === statuses.length && silent.length === 0;
  const whose = isWhole ? "users" : `users of ${current.map(({ proxy }) => proxy).join(", ")}`;
  const summary =
    users === null
      ? "the proxies disagree about what users get"
      : `${whose} get ${users.releaseId === null ? "nothing yet" : `${users.releaseId} (${users.live})`}`;
  const wrong = statuses.flatMap((status) => contradiction(status) ?? []);
  const unknown = current.map((status) => notKnown(record, status)).find((why) => why !== null);
  const at = addresses.length === 0 ? "" : ` at ${addresses.join(", ")}`;
  const wanted = target(record);
  const goal = typeof record.goal === "number" ? `${record.goal} %` : record.goal;
  const lines = [
    out.bold(noReport ?? (wrong.length === 0 ? sure(`${summary}${at}`, unknown) : wrong.join("\n"))),
    `record ${record.sequence}: ${wanted ? releaseId(wanted) : "nothing"} in ${record.active}, goal ${goal}`,
    ...(failure === null ? [] : [`  ${failure}`]),
    ...newerThanHere(record, statuses),
  ];
  for (const status of statuses) {
    const { state, at: since } = status;
    const age = since === undefined ? "" : ` (as of ${since})`;
    // begin's result is only for the steps after it.
    const { result } = state;
    const last = result === null || result.step === "begin" ? "" : `; last: ${result.reason}`;
    lines.push("", `${out.bold(status.proxy)}  record ${state.sequence}, ${phaseOf(status)}${last}${age}`);
    if (behind.includes(status.proxy)) {
      const way = record.leftOut?.includes(status.proxy) === true ? "retry" : `heal ${status.proxy}`;
      lines.push(`  behind: \`bluegreen ${way}\` brings it to what the other proxies serve`);
    }
    if (status.arrival?.found === "unverified") {
      lines.push(`  unverified: it was started while ${status.arrival.reason}`);
    }
    if (state.stable !== null && (state.retainedUntil ?? 0) > Date.now()) {
      const until = new Date(state.retainedUntil!).toISOString();
      lines.push(`  ${otherSlot(state.stable.slot)} is retained for an instant rollback until ${until}`);
    }
    if (status.draining !== undefined)
      lines.push(inOneLine(`  ${describeDraining(status.draining, Date.now())}`));
    for (const drain of status.drained ?? [])
      lines.push(inOneLine(`  ${describeServerDrain(drain, Date.now())}`));
    lines.push(...byHand(record, status));
    const then = notKnown(record, status) === null ? "" : ", then";
    for (const slot of SLOTS) lines.push(`  ${formatSlot(slot, status)}${then}`);
  }
  for (const { proxy, problem } of silent) {
    const text = problem.startsWith(`${proxy} `) ? problem.slice(proxy.length + 1) : problem;
    lines.push("", `${out.bold(proxy)}  ${text}`);
  }
  return lines.join("\n");
}

/** @param unknown why it is not known whether this still holds. */
function sure(summary: string, unknown: string | undefined): string {
  if (unknown === undefined) return summary;
  return `what users get now is not known: ${unknown}; before it, ${summary}. If no release runs, \`bluegreen retry\` goes on, and asks the proxies first`;
}

/** A candidate that stays at its weight after its sequence has ended is paused, in whatever phase that was. */
function phaseOf({ state, traffic }: ProxyStatus): string {
  return state.finished && state.candidate !== null && traffic.weight > 0 ? "paused" : state.phase;
}

function byHand({ sequence }: ReleaseRecord, { state: { brokenGlass } }: ProxyStatus): string[] {
  if (brokenGlass === undefined || brokenGlass === null) return [];
  const next =
    sequence > brokenGlass.sequence
      ? `record ${sequence} takes it over; the next sequence applies it`
      : "`bluegreen recover` takes it over into the record";
  return [inOneLine(`  ${describeBrokenGlass(brokenGlass)}: ${next}`)];
}

/** A sequence that was taken by hand has no record. */
function newerThanHere({ sequence }: ReleaseRecord, statuses: readonly ProxyStatus[]): string[] {
  const applied = statuses.filter(({ state }) => state.sequence !== state.brokenGlass?.sequence);
  const newest = Math.max(0, ...applied.map(({ state }) => state.sequence));
  if (newest <= sequence) return [];
  return [`  but record ${newest} was applied: pull it, or run \`bluegreen recover\` if it is lost`];
}

function formatSlot(slot: Slot, { traffic, state, endpoints }: ProxyStatus): string {
  const weight = weightOf(slot, traffic);
  const answers = endpoints[slot].map(({ server, address, releaseId: id, healthy, inRotation }) => {
    const answer = healthy ? (id ?? "healthy") : "down";
    const text = `${server} (${address}) ${answer}${inRotation ? "" : " out of rotation"}`;
    return healthy ? text : out.dim(text);
  });
  const role = state.shared === true ? "stable" : roleOf(slot, weight, state.stable?.slot);
  const colour = slot === "blue" ? out.blue : out.green;
  return `${colour(slot.padEnd(6))} ${String(weight).padStart(3)} %  ${role.padEnd(9)} ${answers.join(", ")}`;
}

function roleOf(slot: Slot, weight: number, stable: Slot | undefined): string {
  if (stable === undefined) return "";
  if (stable === slot) return "stable";
  return weight > 0 ? "candidate" : "idle";
}
