/**
 * Whether users get more failed answers on the whole site since a candidate got traffic. If stable begins to fail right
 * after the candidate's first request, the candidate harms it, and the release stops. Later an outage is likelier: the
 * next step waits until it is over.
 */
import type { AnalysisSettings } from "../../../release/schedule";
import { isWorse, NO_TRIALS, ratio, sum } from "../../../release/sequential-test";
import type { Side } from "../../../release/sequential-test";
import type { Sample } from "../analysis";
import type { Finding } from "./candidate-verdict";
import type { Look } from "./contest";
import { failed, Trials } from "./trials";
import type { NameOf } from "./trials";

/** What begins within so long a time after the candidate's first request is its effect. */
const AT_ONCE_MS = 3_000;
/** Of `falseRollbackRate`. */
const PART = 1 / 6;
/** Not one visitor. */
const FEWEST_EVENTS = 3;

export class SiteVerdict {
  private readonly before: Side;
  private readonly trials: { readonly candidate: Trials; readonly stable: Trials };
  private firstAt: number | null = null;
  private atOnce: Side = NO_TRIALS;
  /** The candidate's answers. */
  private readonly recent: { readonly at: number; readonly side: Side }[] = [];

  /** @param nameOf see `Trials` */
  constructor(
    private readonly analysis: AnalysisSettings,
    before: Sample,
    nameOf: NameOf,
  ) {
    this.before = failed(before);
    this.trials = { candidate: new Trials(failed, nameOf), stable: new Trials(failed, nameOf) };
  }

  add({ at, candidate, stable }: Look): void {
    if (candidate.requests > 0) this.firstAt ??= at;
    const theirs = this.trials.stable.count(at, stable);
    if (this.firstAt !== null && at - this.firstAt <= AT_ONCE_MS) this.atOnce = sum(this.atOnce, theirs);
    const oldest = at - 1000 * this.analysis.intervalSeconds;
    while (this.recent.length > 0 && this.recent[0]!.at < oldest) this.recent.shift();
    this.recent.push({ at, side: this.trials.candidate.count(at, candidate) });
  }

  /** Stable fails more than before since the candidate's first requests. */
  finding(): Finding | null {
    const { atOnce, before } = this;
    if (atOnce.events < FEWEST_EVENTS || !this.isWorse(atOnce)) return null;
    return {
      reason: `stable fails since the candidate got its first requests: ${figures(atOnce)}, ${figures(before)} before`,
      sure: false,
    };
  }

  /** Why the next step has to wait: the candidate fails more than stable did before, though perhaps no more than it does now. */
  doubt(now: number): string | null {
    const oldest = now - 1000 * this.analysis.intervalSeconds;
    const all = this.recent
      .filter(({ at }) => at >= oldest)
      .reduce((sums, each) => sum(sums, each.side), NO_TRIALS);
    if (all.events < FEWEST_EVENTS || !this.isWorse(all)) return null;
    return `users get more failed answers than before the release: ${figures(all)}, ${figures(this.before)} before`;
  }

  private isWorse(now: Side): boolean {
    const { maxErrorRatio, falseRollbackRate } = this.analysis;
    return isWorse(now, this.before, maxErrorRatio, 1 / (PART * falseRollbackRate));
  }
}

function figures(side: Side): string {
  return `${side.events} of ${Math.round(side.trials)} failed (${(100 * ratio(side)).toFixed(1)} %)`;
}
