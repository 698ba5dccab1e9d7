/** Puts in words what a schedule can detect, for a plan. */
import type { DetectableStep, SiteTraffic } from "./detectable";
import { percent } from "./percent";

/** Added with affinity, where the candidate may get fewer requests than its weight. */
const NEW_CLIENTS =
  "weights are of new clients: those that stay on stable's servers ask nothing of the candidate, so it may detect less";

/**
 * As in "at 20 requests/s and 5 % for 60 s: a release that fails every 10th answer is caught with 99 %; ...".
 * @param hasAffinity whether clients stay on their servers
 */
export function describeDetectable(
  { requestsPerSecond, errorRatio }: SiteTraffic,
  steps: readonly DetectableStep[],
  hasAffinity = false,
): string {
  const [first, ...later] = steps;
  if (first === undefined) return "nothing: the candidate gets no users";
  const usual = errorRatio === 0 ? "" : ` (${percent(errorRatio)} fail with stable)`;
  const intro = `at ${rate(requestsPerSecond)} requests/s${usual} and ${first.weight} % for ${first.seconds} s`;
  const more = errorRatio === 0 ? "" : " more";
  let least = first.caught ?? Infinity;
  const waits = later.flatMap(({ weight, caught }) => {
    if (caught === null || caught >= least) return [];
    least = caught;
    return [`one that ${fails(caught, more)} not before ${weight} %`];
  });
  const begin =
    first.caught === null
      ? "users' answers are too few to catch even a release that always fails"
      : `a release that ${fails(first.caught, more)} is caught with 99 %`;
  const end = least === Infinity ? [] : ["one that fails less often may pass"];
  return `${intro}: ${[begin, ...waits, ...end, ...(hasAffinity ? [NEW_CLIENTS] : [])].join("; ")}`;
}

function fails(ratio: number, more: string): string {
  const nth = Math.round(1 / ratio);
  return nth === 1 ? "always fails" : `fails every ${nth}${nth === 2 ? "nd" : "th"} answer${more}`;
}

function rate(requestsPerSecond: number): number {
  return Number(requestsPerSecond >= 10 ? requestsPerSecond.toFixed(0) : requestsPerSecond.toPrecision(2));
}
