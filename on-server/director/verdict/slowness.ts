/**
 * Whether a candidate is slow: by its answers after the grace, with two comparisons of which the mean of the likelihood
 * ratios counts (the mean of two such ratios is one). The first counts answers beyond stable's 85th percentile, where a
 * candidate that is slower altogether shows soonest; the second those beyond the limit that the settings allow. Whether
 * that matters to users is decided by the limit alone.
 */
import type { AnalysisSettings } from "../../../release/schedule";
import { ratio } from "../../../release/sequential-test";
import type { Side } from "../../../release/sequential-test";
import { NOTHING, numberOf, percentile } from "../analysis";
import type { Sample } from "../analysis";
import { nearestLatencyClass } from "../drivers/driver";
import { Contest } from "./contest";
import type { Look } from "./contest";
import { slowerThan } from "./trials";
import type { Kind, NameOf } from "./trials";

/** A 95th percentile of fewer answers is chance. */
export function enoughLatencies({ minimumRequests }: Pick<AnalysisSettings, "minimumRequests">): number {
  return Math.max(60, minimumRequests);
}

const OFTEN = 0.85;
/** How much the first comparison counts. */
const OFTEN_PART = 2 / 3;
/** A candidate is slow if so large a part of its answers is beyond the limit: its 95th percentile is. */
const SLOW_PART = 0.05;
/** Fewer answers beyond the limit show nothing. */
const FEWEST_SLOW = 2;
/** With so many answers lately, it has to have been slow for longer than a pause. */
const MANY_ANSWERS = 15;

/** The candidate's answers of the last interval; and of the first and the last third of the last two. */
export interface Recent {
  readonly interval: Sample;
  readonly oldest: Sample;
  readonly newest: Sample;
}

export interface Slow {
  readonly likelihoodRatio: number;
  /** The parts of the candidate's and of stable's answers that are beyond the limit. */
  readonly candidate: number;
  readonly stable: number;
  readonly limitMs: number;
  readonly p95Ms: number | null;
  readonly usualMs: number;
}

interface Comparison {
  readonly isSlow: Kind;
  readonly contest: Contest;
}

/** Of answers beyond stable's usual times, and beyond the limit. */
type Comparisons = readonly [Comparison, Comparison];

/** Answers by milliseconds, cumulated. */
type Cumulated = Record<number, number>;

export class Slowness {
  /** With all answers, and without those of the candidate's grace. */
  private comparisons: { readonly all: Comparisons; readonly later: Comparisons } | null = null;
  private readonly candidate: Cumulated = {};
  /** Before the candidate, and while both get requests. */
  private readonly stable: Cumulated = {};
  private firstAt: number | null = null;

  constructor(
    private readonly analysis: AnalysisSettings,
    private readonly nameOf: NameOf,
  ) {}

  /** Stable's answers before the candidate got any. */
  addBefore(at: number, stable: Sample): void {
    this.learn(stable);
    for (const { contest } of this.compared) contest.addBefore(at, stable);
  }

  add(look: Look): void {
    const { candidate, stable, at, weight } = look;
    if (candidate.requests > 0) this.firstAt ??= at;
    const isOver = this.firstAt !== null && at - this.firstAt >= 1000 * this.analysis.latencyGraceSeconds;
    const later = isOver ? look : { ...look, candidate: NOTHING };
    cumulate(this.candidate, later.candidate);
    for (const { contest } of this.comparisons?.all ?? []) contest.add(look);
    for (const { contest } of this.comparisons?.later ?? []) contest.add(later);
    if (weight < 100) this.learn(stable);
  }

  /** @returns null if it may be chance, or is allowed, or is over. */
  found(leastRatio: number, lately: () => Recent): Slow | null {
    if (this.comparisons === null) return null;
    const { all, later } = this.comparisons;
    const likelihoodRatio = meanOf(all);
    // A grace that was slow proves nothing, but it adds to what the answers after it prove by themselves.
    if (likelihoodRatio < leastRatio || meanOf(later) < 1 / this.analysis.falseRollbackRate) return null;
    const usualMs = percentile(this.stable, 0.95)!;
    const limitMs = this.limit(usualMs);
    const [candidate, stable] = [this.candidate, this.stable].map((latency) =>
      slowerThan(limitMs)({ ...NOTHING, latency }),
    );
    if (candidate!.events < FEWEST_SLOW || middle(candidate!) < SLOW_PART) return null;
    const recent = lately();
    if (!later.some((each) => isStillSlow(each, recent))) return null;
    const p95Ms = percentile(recent.interval.latency, 0.95);
    return { likelihoodRatio, candidate: ratio(candidate!), stable: ratio(stable!), limitMs, p95Ms, usualMs };
  }

  /** What is compared is fixed once stable gave enough answers, and only later ones are compared; its percentile gets more exact. */
  private learn(stable: Sample): void {
    cumulate(this.stable, stable);
    if (this.comparisons !== null) return;
    const usualMs = percentile(this.stable, 0.95);
    if (usualMs === null || numberOf(this.stable) < enoughLatencies(this.analysis)) return;
    const oftenMs = percentile(this.stable, OFTEN)!;
    const compared = (milliseconds: number, usual: number): Comparison => {
      const isSlow = slowerThan(milliseconds);
      return { isSlow, contest: new Contest(isSlow, this.nameOf, usual) };
    };
    const both = (): Comparisons => [compared(oftenMs, 1 - OFTEN), compared(this.limit(usualMs), 0)];
    this.comparisons = { all: both(), later: both() };
  }

  private get compared(): readonly Comparison[] {
    return this.comparisons === null ? [] : [...this.comparisons.all, ...this.comparisons.later];
  }

  private limit(usualMs: number): number {
    const { maxLatencyRatio, latencySlackMs } = this.analysis;
    const allowed = Math.max(usualMs * maxLatencyRatio, usualMs + latencySlackMs);
    // Answers of a class can't be told apart: the limit is where one begins.
    return nearestLatencyClass(allowed) - 1;
  }
}

function cumulate(all: Cumulated, { latency }: Sample): void {
  for (const milliseconds in latency) all[milliseconds] = (all[milliseconds] ?? 0) + latency[milliseconds]!;
}

function meanOf(comparisons: Comparisons): number {
  const ratios = comparisons.map(({ contest }) =>
    contest.excess > 0 ? contest.standing.likelihoodRatio : 0,
  );
  return OFTEN_PART * ratios[0]! + (1 - OFTEN_PART) * ratios[1]!;
}

/** Caches that were cold are warm by now; and a pause, for which many answers waited, is over. */
function isStillSlow({ isSlow, contest }: Comparison, { interval, oldest, newest }: Recent): boolean {
  // Nearer to what the candidate shows in all than to what stable does.
  const least = (ratio(contest.counted) + ratio(contest.reference)) / 2;
  const slow = (sample: Sample) => ratio(isSlow(sample)) >= least;
  if (!slow(interval)) return false;
  return isSlow(newest).trials < MANY_ANSWERS || (slow(oldest) && slow(newest));
}

/** The part that is as likely too low as too high. */
function middle({ trials, events }: Side): number {
  return (events + 2 / 3) / (trials + 1 / 3);
}
