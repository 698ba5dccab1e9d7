/**
 * The verdict on a candidate under traffic: whether its answers are worse than stable's, with stated error rates however
 * often one looks. It judges failed answers, slow ones, redirects and 4xx, and the director's requests, each by a
 * comparison that fires with a part of `falseRollbackRate` if both releases are alike. See docs/traffic.md.
 */
import { NO_TRIALS, OF_USERS, ratio, sum } from "../../../release/sequential-test";
import type { Side } from "../../../release/sequential-test";
import type { AnalysisSettings } from "../../../release/schedule";
import type { Difference } from "../../../release/journal";
import { percent } from "../../../release/percent";
import type { Sample } from "../analysis";
import { Contest } from "./contest";
import type { Look, Standing } from "./contest";
import { difference } from "./interval";
import { Slowness } from "./slowness";
import type { Recent } from "./slowness";
import { failed, ofClass } from "./trials";
import type { NameOf } from "./trials";

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

export class CandidateVerdict {
  private readonly failed: Contest;
  private readonly redirects: Contest;
  private readonly refusals: Contest;
  private readonly slowness: Slowness;
  private answers: Side = NO_TRIALS;

  constructor(
    private readonly analysis: AnalysisSettings,
    private readonly parts: Readonly<Record<keyof typeof OF_USERS, number>> = OF_USERS,
    nameOf: NameOf = (client) => client,
  ) {
    this.failed = new Contest(failed, nameOf);
    this.redirects = new Contest(ofClass("3xx"), nameOf);
    this.refusals = new Contest(ofClass("4xx"), nameOf);
    this.slowness = new Slowness(analysis, nameOf);
  }

  /** Stable's answers before the candidate got any. */
  addBefore(at: number, stable: Sample): void {
    for (const contest of [this.failed, this.redirects, this.refusals]) contest.addBefore(at, stable);
    this.slowness.addBefore(at, stable);
  }

  add(look: Look): void {
    this.answers = sum(this.answers, failed(look.candidate));
    this.failed.add(look);
    this.redirects.add(look);
    this.refusals.add(look);
    this.slowness.add(look);
  }

  /** @param lately asked for only if the candidate seems to be slow. */
  finding(lately: () => Recent): Finding | null {
    return this.gross() ?? this.tooManyFail() ?? this.tooSlow(lately) ?? this.otherStatus();
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

  /** The likelihood ratio from which a comparison fires. */
  private leastRatio(what: keyof typeof OF_USERS): number {
    return 1 / (this.parts[what] * this.analysis.falseRollbackRate);
  }

  /** A candidate that never gave a good answer needs no statistics. */
  private gross(): Finding | null {
    const { trials, events } = this.answers;
    if (events < GROSS_ANSWERS || events < trials) return null;
    const { clients } = this.failed.standing;
    const chance = Math.max(LEAST_RATIO, ratio(this.failed.reference)) ** clients;
    if (clients < 2 || chance > 1 / this.leastRatio("failed")) return null;
    return { reason: `all of its ${trials} answers failed`, sure: true };
  }

  private tooManyFail(): Finding | null {
    const standing = this.fired("failed", this.analysis.maxErrorRatio);
    if (standing === null) return null;
    const { trials, events } = this.answers;
    const sure = standing.likelihoodRatio >= CERTAIN_RATIO && standing.excess >= CERTAIN_EXCESS;
    const { estimate, high } = this.failedMore;
    return {
      reason: `${events} of ${trials} answers failed: ${percent(estimate)} more than stable (at most ${percent(high)}), allowed ${percent(this.analysis.maxErrorRatio)}; ${certainty(standing)}`,
      sure,
    };
  }

  private tooSlow(lately: () => Recent): Finding | null {
    const slow = this.slowness.found(this.leastRatio("slow"), lately);
    if (slow === null) return null;
    const { candidate, stable, limitMs, p95Ms, usualMs } = slow;
    return {
      reason: `${percent(candidate)} of its answers take longer than ${limitMs} ms, ${percent(stable)} of stable's; p95 is ${p95Ms} ms, stable's was ${usualMs} ms; ${certainty(slow)}`,
      sure: false,
    };
  }

  private otherStatus(): Finding | null {
    if (this.analysis.expectChange) return null;
    for (const [kind, what] of [
      ["redirects", "redirects (3xx)"],
      ["refusals", "refusals (4xx)"],
    ] as const) {
      const standing = this.fired(kind, this.analysis.maxStatusShift);
      if (standing === null) continue;
      const { candidate } = standing;
      return {
        reason: `${percent(ratio(candidate))} of its answers are ${what}, ${percent(ratio(this[kind].reference))} of stable's, allowed ${percent(this.analysis.maxStatusShift)} more; ${certainty(standing)}. If the release means to answer so: --expect-change`,
        sure: false,
      };
    }
    return null;
  }

  private fired(kind: "failed" | "redirects" | "refusals", allowed: number): Standing | null {
    const contest = this[kind];
    if (contest.excess <= allowed) return null;
    const { standing } = contest;
    return standing.likelihoodRatio >= this.leastRatio(kind) ? standing : null;
  }
}

function confidence(standing: Pick<Standing, "likelihoodRatio">): number {
  return Math.round(1e4 * Math.max(0, 1 - 1 / standing.likelihoodRatio)) / 1e4;
}

function certainty(standing: Pick<Standing, "likelihoodRatio">): string {
  const odds = Math.min(standing.likelihoodRatio, 1e6);
  return `by chance 1 in ${Math.floor(odds).toLocaleString("en-US")}${odds === 1e6 ? " or less" : ""}`;
}
