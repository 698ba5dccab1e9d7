/** A load's results for a receipt. */
import type { MeasuredRequests, TimelinePoint } from "../../release/receipt";
import type { LoadTotals } from "../load/messages";
import type { LoadPlan } from "../load/plan";

export function measuredRequests(
  { origin, rate }: Pick<LoadPlan, "origin" | "rate">,
  totals: LoadTotals,
  timeline: TimelinePoint[],
): MeasuredRequests {
  const { sent, failed, failures, longestGapMs, versions, latencyMs, acknowledged, found, sessions } = totals;
  return {
    origin,
    rate,
    sent,
    failed,
    failures,
    longestGapMs,
    versions,
    latencyMs,
    acknowledged,
    found,
    ...(sessions && { sessions }),
    timeline,
  };
}
