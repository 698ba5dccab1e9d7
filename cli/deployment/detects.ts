/** What the schedule of a planned sequence can detect, at the traffic that the last releases measured. */
import { proxyPlaces } from "../../configuration/naming";
import { hasAffinity } from "../../configuration/sessions";
import { detectable } from "../../release/detectable";
import type { DetectableStep, SiteTraffic } from "../../release/detectable";
import { describeDetectable } from "../../release/detectable-words";
import type { Receipt } from "../../release/receipt";
import { healedServers, scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { measuredTraffic } from "../../release/site-traffic";
import type { Observed } from "../../release/transitions";
import type { Project } from "../project/project";
import { receiptsFromNewest } from "../receipts/receipt-store";

export interface Detects extends SiteTraffic {
  readonly steps: readonly DetectableStep[];
  readonly words: string;
}

/** Older receipts tell nothing about today's traffic. */
const NEWEST = 10;

/** @returns null if no candidate gets users beside stable; "unknown" if no release measured the traffic. */
export function detectsOf(
  project: Project,
  next: ReleaseRecord,
  observed: Observed | null,
): Detects | "unknown" | null {
  const { environment } = project;
  const schedule = scheduleOf(next, environment);
  const { goal } = next;
  if (observed === null || observed.live === null || observed.live === next.active) return null;
  if (goal === "staged" || schedule.strategy === "recreate" || healedServers(next).length > 0) return null;
  const [first] = proxyPlaces(environment);
  const traffic = measuredTraffic(newest(project), first!.name);
  if (traffic === null) return "unknown";
  const until = goal === "live" ? 100 : goal;
  const steps = detectable(
    { ...schedule, steps: [...schedule.steps.filter((weight) => weight < until), until] },
    traffic,
  );
  return { ...traffic, steps, words: describeDetectable(traffic, steps, hasAffinity(environment)) };
}

/** A damaged receipt must not prevent a plan. */
function* newest(project: Project): Generator<Receipt> {
  try {
    let left = NEWEST;
    for (const receipt of receiptsFromNewest(project)) {
      if (left === 0) return;
      left -= 1;
      yield receipt;
    }
  } catch {
    return;
  }
}
