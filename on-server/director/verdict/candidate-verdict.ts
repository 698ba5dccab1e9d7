/**
 * The verdict on a candidate under traffic: whether its answers are worse than stable's, with stated error rates however
 * often one looks. It judges failed answers, slow ones, redirects and 4xx, and the director's requests, each by a
 * comparison that fires with a sixth of `falseRollbackRate` if both releases are alike. See docs/traffic.md.
 */
import { COMPARISONS, NO_TRIALS, ratio, sum } from "../../../release/sequential-test";
import type { Side } from "../../../release/sequential-test";
import type { AnalysisSettings } from "../../../release/schedule";
import type { Difference } from "../../../release/journal";
import { NOTHING, percentile, together } from "../analysis";
import type { Sample } from "../analysis";
import { Contest } from "./contest";
import type { Look, Standing } from "./contest";
import { difference } from "./interval";
import { failed, ofClass, slowerThan } from "./trials";
import type { Kind, NameOf } from "./trials";

/** A 95th percentile of fewer answers is chance. */
const LIMIT_ANSWERS = 60;
/** A candidate is slow if so large a part of its answers is beyond the limit: its 95th percentile is. */
const SLOW_PART = 0.05;
/** With so many answers lately, it has to have been slow for longer than a pause. */
const MANY_ANSWERS = 15;
/** It is certain, not only likely, that such a candidate is worse. */
const CERTAIN_RATIO = 1_000_000;
const CERTAIN_EXCESS = 0.5;
/** Without a good answer, so many failed ones suffice; and a site that seems to have no errors has this ratio. */
const GROSS_ANSWERS = 3;
const LEAST_RATIO = 0.01;

export interface Finding {
  readonly reason: string;
  /** Whether it can't be chance: then the artifact is refused from now on. */
  readonly sure: boolean;
}

/** The candidate's answers of the last interval; and of the first and the last third of the last two. */
export interface Recent {
  readonly interval: Sample;
  readonly oldest: Sample;
  readonly newest: Sample;
}

export class CandidateVerdict {
  private readonly failed: Contest;
  private readonly redirects: Contest;
  private readonly refusals: Contest;
  private slow: { readonly contest: Contest; readonly limit: number; readonly usual: number } | null = null;
  private firstAt: number | null = null;
  private answers: Side = NO_TRIALS;
  /** Stable's answers until the limit is known. */
  private seen: Sample = NOTHING;

  constructor(
    private readonly analysis: AnalysisSettings,
    private readonly nameOf: NameOf = (client) => client,
  ) {
    this.failed = new Contest(failed, nameOf);
    this.redirects = new Contest(ofClass("3xx"), nameOf);
    this.refusals = new Contest(ofClass("4xx"), nameOf);
  }

  /** Stable's answers before the candidate got any. */
  addBefore(at: number, stable: Sample): void {
    for (const contest of [this.failed, this.redirects, this.refusals]) contest.addBefore(at, stable);
    this.learnLatency(stable);
    this.slow?.contest.addBefore(at, stable);
  }

  add(look: Look): void {
    const { candidate, at } = look;
    if (candidate.requests > 0) this.firstAt ??= at;
    this.answers = sum(this.answers, failed(candidate));
    this.failed.add(look);
    this.redirects.add(look);
    this.refusals.add(look);
    this.slow?.contest.add(look);
    if (this.slow === null && look.weight < 100) this.learnLatency(look.stable);
  }

  /** @param recent asked for only if the candidate seems to be slow. */
  finding(now: number, recent: () => Recent): Finding | null {
    return this.gross() ?? this.tooManyFail() ?? this.tooSlow(now, recent) ?? this.otherStatus();
  }

  /** How much more of the candidate's answers fail than of stable's. */
  get failedMore(): Difference {
    return difference(this.failed.standing.candidate, this.failed.reference);
  }

  /** How sure it is that the candidate fails more: from 0 to 1. */
  get confidence(): number {
    return confidence(this.failed.standing);
  }

  /** Failed answers that did not count: those that a client repeated, and all of the client that failed most often. */
  get leftOut(): number {
    const { candidate, leftOut } = this.failed.standing;
    return this.answers.events - candidate.events + leftOut;
  }

  /** The part of stable's answers that fails. */
  get usual(): number {
    return ratio(this.failed.reference);
  }

  /** The answers from which a comparison fires. */
  private get limit(): number {
    return COMPARISONS / this.analysis.falseRollbackRate;
  }

  /** A candidate that never gave a good answer needs no statistics. */
  private gross(): Finding | null {
    const { trials, events } = this.answers;
    if (events < GROSS_ANSWERS || events < trials) return null;
    const { clients } = this.failed.standing;
    const chance = Math.max(LEAST_RATIO, ratio(this.failed.reference)) ** clients;
    if (clients < 2 || chance > 1 / this.limit) return null;
    return { reason: `all of its ${trials} answers failed`, sure: true };
  }

  private tooManyFail(): Finding | null {
    const standing = this.fired(this.failed, this.analysis.maxErrorRatio);
    if (standing === null) return null;
    const { trials, events } = this.answers;
    const sure = standing.likelihoodRatio >= CERTAIN_RATIO && standing.excess >= CERTAIN_EXCESS;
    const { estimate, high } = this.failedMore;
    return {
      reason: `${events} of ${trials} answers failed: ${percent(estimate)} more than stable (at most ${percent(high)}), allowed ${percent(this.analysis.maxErrorRatio)}; ${certainty(standing)}`,
      sure,
    };
  }

  private tooSlow(now: number, lately: () => Recent): Finding | null {
    const { slow } = this;
    const { latencyGraceSeconds } = this.analysis;
    if (slow === null || this.firstAt === null || now - this.firstAt < 1000 * latencyGraceSeconds)
      return null;
    const standing = this.fired(slow.contest, 0);
    if (standing === null || ratio(standing.candidate) < SLOW_PART) return null;
    const { limit, usual } = slow;
    const isSlow = slowerThan(limit);
    const recent = lately();
    // Caches that were cold are warm by now; and a pause, for which many answers waited, is over.
    if (ratio(isSlow(recent.interval)) < SLOW_PART) return null;
    const [oldest, newest] = [isSlow(recent.oldest), isSlow(recent.newest)];
    if (newest.trials >= MANY_ANSWERS && [oldest, newest].some((each) => ratio(each) < SLOW_PART))
      return null;
    const p95 = percentile(recent.interval.latency, 0.95);
    return {
      reason: `${percent(ratio(standing.candidate))} of its answers take longer than ${limit} ms, ${percent(ratio(slow.contest.reference))} of stable's; p95 is ${p95} ms, stable's was ${usual} ms; ${certainty(standing)}`,
      sure: false,
    };
  }

  private otherStatus(): Finding | null {
    if (this.analysis.expectChange) return null;
    for (const [contest, what] of [
      [this.redirects, "redirects (3xx)"],
      [this.refusals, "refusals (4xx)"],
    ] as const) {
      const standing = this.fired(contest, this.analysis.maxStatusShift);
      if (standing === null) continue;
      const { candidate } = standing;
      return {
        reason: `${percent(ratio(candidate))} of its answers are ${what}, ${percent(ratio(contest.reference))} of stable's, allowed ${percent(this.analysis.maxStatusShift)} more; ${certainty(standing)}. If the release means to answer so: --expect-change`,
        sure: false,
      };
    }
    return null;
  }

  private fired(contest: Contest, allowed: number): Standing | null {
    if (contest.excess <= allowed) return null;
    const { standing } = contest;
    return standing.likelihoodRatio >= this.limit ? standing : null;
  }

  /** The limit is fixed once stable gave enough answers; only later ones are compared by it. */
  private learnLatency(stable: Sample): void {
    const { requests, errors, latency } = stable;
    this.seen = together(this.seen, { requests, errors, latency });
    const all = Object.values(this.seen.latency).reduce((total, each) => total + each, 0);
    const usual = percentile(this.seen.latency, 0.95);
    if (usual === null || all < Math.max(LIMIT_ANSWERS, this.analysis.minimumRequests)) return;
    const { maxLatencyRatio, latencySlackMs } = this.analysis;
    const limit = Math.floor(Math.max(usual * maxLatencyRatio, usual + latencySlackMs));
    const kind: Kind = slowerThan(limit);
    this.slow = { contest: new Contest(kind, this.nameOf), limit, usual };
    this.seen = NOTHING;
  }
}

function confidence(standing: Standing): number {
  return Math.round(1e4 * Math.max(0, 1 - 1 / standing.likelihoodRatio)) / 1e4;
}

function certainty(standing: Standing): string {
  const odds = Math.min(standing.likelihoodRatio, 1e6);
  return `by chance 1 in ${Math.floor(odds).toLocaleString("en-US")}${odds === 1e6 ? " or less" : ""}`;
}

function percent(part: number): string {
  const value = 100 * part;
  return `${value < 1 ? value.toFixed(2) : value.toFixed(1)} %`;
}
