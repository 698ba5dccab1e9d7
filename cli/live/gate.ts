/** What a proxy's director does now, what it waits for, and for how long by the schedule. Pure. */
import { idOrNull, target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { otherSlot } from "../../release/slot";
import type { ProxyStatus } from "../../release/director-status";
import type { Snapshot } from "./snapshot";
import { contradiction } from "./users";

export interface Gate {
  readonly what: string;
  /** Milliseconds since 1970; null if unknown. */
  readonly endsAt: number | null;
  /** Whether a director is at work, or a person must act. */
  readonly mood: "idle" | "working" | "frozen";
}

/** @param atWork whether an apply runs; true if unknown. */
export function gateOf(status: ProxyStatus, record: ReleaseRecord, atWork = true): Gate {
  const { state, traffic } = status;
  const { phase, stable, candidate, weight, deadline } = state;
  const wanted = idOrNull(target(record)) ?? "the release";
  const working = (what: string, endsAt: number | null = null): Gate => ({ what, endsAt, mood: "working" });
  const idle = (what: string): Gate => ({ what, endsAt: null, mood: "idle" });
  if (phase === "frozen") return { what: "frozen: a person decides", endsAt: null, mood: "frozen" };
  if (!state.finished && !atWork) {
    return idle(
      `record ${state.sequence} was interrupted: \`bluegreen history ${state.sequence}\` shows why; then \`retry\` or \`abort\``,
    );
  }
  if (phase === "aborting") return working(`rolling back to ${stable?.releaseId ?? "stable"}`);
  if (isDraining(status)) return working(`draining ${otherSlot(stable!.slot)}`);
  if (!state.finished) {
    switch (phase) {
      case "verified":
        return working(`${candidate?.releaseId ?? wanted} is verified`);
      case "shifting":
        return working(`${weight} % to ${candidate?.slot ?? record.active}`, deadline);
      case "baking":
        return working(`baking: all requests to ${candidate?.slot ?? record.active}`, deadline);
      case "converging":
        return working(`converging: ${otherSlot(stable?.slot ?? record.active)} gets ${wanted} too`);
      default:
        return working(beforeTraffic(status, record, wanted));
    }
  }
  const wrong = contradiction(status);
  if (wrong !== null) return { what: wrong, endsAt: null, mood: "frozen" };
  if (phase === "staged" && candidate !== null) {
    return idle(`${candidate.releaseId} is staged in ${candidate.slot}: promote or abort it`);
  }
  if (candidate !== null && traffic.weight > 0) {
    return idle(`${candidate.releaseId} is paused at ${traffic.weight} %: promote or abort it`);
  }
  return idle(stable === null ? "nothing is live yet" : `${stable.releaseId} is live in ${stable.slot}`);
}

/** Installers run, then the director verifies: the answers show which. */
function beforeTraffic({ endpoints, traffic }: ProxyStatus, record: ReleaseRecord, wanted: string): string {
  const slot = record.active;
  const isThere = endpoints[slot].every(({ healthy, releaseId }) => healthy && releaseId === wanted);
  const users = { serve: "", hold: "; requests wait", page: "; users get a 503 page" }[traffic.mode] ?? "";
  return `${isThere ? "verifying" : "installing"} ${wanted} in ${slot}${users}`;
}

/** The release is promoted, but its step has not ended yet. */
function isDraining({ state }: ProxyStatus): boolean {
  const { stable, result, journal, sequence } = state;
  const promoted = journal.findLastIndex(({ event }) => event === "traffic");
  const entry = journal[promoted];
  return (
    result?.sequence === sequence &&
    result.step === "begin" &&
    stable !== null &&
    entry?.event === "traffic" &&
    entry.live === stable.slot &&
    entry.weight === 0 &&
    journal[promoted - 1]?.event === "judged" &&
    journal.at(-1) === entry
  );
}

/**
 * Milliseconds until the sequence ends on the last proxy; null if nothing is scheduled. Installs, verifications and
 * drains are not included.
 */
export function timeLeft({ now, record, schedule, proxies }: Snapshot): number | null {
  let [left, isTimed] = [0, false];
  for (const [index, { status }] of proxies.entries()) {
    if (status === null) return null;
    const { state, traffic } = status;
    const isOver = state.finished || state.sequence !== record.sequence || state.stable === null;
    const isShift = schedule.strategy !== "recreate" && record.goal !== "staged";
    const isBefore = state.phase === "stable" || state.phase === "verified";
    const isWithin = state.phase === "shifting" || state.phase === "baking";
    if (isOver || !isShift || (!isBefore && !isWithin)) continue;
    isTimed = true;
    const weight = isWithin ? state.weight : traffic.weight;
    if (isWithin && state.deadline !== null) left += Math.max(0, state.deadline - now);
    for (const each of weightsAfter(weight, index, record, schedule.steps)) {
      left += 1000 * (each === 100 ? schedule.bakeSeconds : schedule.stepSeconds);
    }
  }
  return isTimed ? left : null;
}

/** Weights that a proxy's candidate still gets; 100 is the bake. Only the first proxy has the schedule's steps. */
export function weightsAfter(
  weight: number,
  index: number,
  { goal }: ReleaseRecord,
  steps: readonly number[],
): number[] {
  const until = goal === "live" ? 100 : Number(goal);
  const before = index === 0 ? steps.filter((each) => each < until) : [];
  return [...before, until].filter((each) => each > weight);
}

/** 0:42 or 1:02:03. */
export function clockTime(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
