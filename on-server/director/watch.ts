/**
 * Watches a candidate while it has traffic: compares the answers that users get from it with stable's, all the time, and
 * asks its endpoints. A failure ends the wait at once. Users' answers and the director's are never mixed: if users sent too
 * few requests to judge, the director's must pass, and the step counts as not judged.
 */
import type { Comparison } from "../../release/journal";
import { analysisSettings } from "../../release/schedule";
import { isWayBack } from "../../release/way-back";
import type { AnalysisSettings } from "../../release/schedule";
import { OF_OWN_REQUESTS, OF_USERS } from "../../release/sequential-test";
import { otherSlot } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import { between, betweenByClient, figures, NOTHING, requestsBetween, together } from "./analysis";
import type { Sample } from "./analysis";
import { describeEndpoint } from "./director";
import type { Director } from "./director";
import { latencyClass } from "./drivers/driver";
import type { SlotCounts } from "./drivers/driver";
import type { Probe } from "./probe";
import { CandidateVerdict } from "./verdict/candidate-verdict";
import type { Finding } from "./verdict/candidate-verdict";
import type { Recent } from "./verdict/slowness";
import { clientName, sharedAddress } from "./verdict/clients";
import { errorsGatherAt } from "./verdict/gathered";
import { isDown } from "./verdict/rounds";
import type { Rounds } from "./verdict/rounds";
import { SiteVerdict } from "./verdict/site-verdict";
import type { Verdict } from "./verify";

const CHECK_MS = 250;
/** Between two rounds of requests if only their number is too low. */
const FAST_CHECK_MS = 10;
/** How many intervals a step may take longer until there are enough answers. */
const EXTRA_INTERVALS = 3;
const EXTRA_MS = 10_000;
/** The director asks both slots in the same rounds, which its comparison takes for half of the requests each. */
const OWN_WEIGHT = 50;

/** All counts at one moment. */
interface Snapshot {
  readonly at: number;
  readonly counts: PerSlot<SlotCounts>;
  readonly own: PerSlot<Sample>;
}

type Compared = PerSlot<{ readonly users: Sample; readonly own: Sample }>;

export class CandidateWatch {
  private readonly rounds: Record<Slot, Map<number, Rounds>> = { blue: new Map(), green: new Map() };
  private own: Record<Slot, Sample> = { blue: NOTHING, green: NOTHING };
  private readonly snapshots: Snapshot[] = [];
  private reportedAt = 0;
  private round = 0;
  /** The round in which stable was asked last. */
  private stableAskedIn = 0;
  private shared: string | null = null;
  private readonly analysis: AnalysisSettings;
  private readonly users: CandidateVerdict;
  private readonly ownRequests: CandidateVerdict;
  private readonly site: SiteVerdict;
  /** At 100 % an interval counts only if stable answered the director before and after it. */
  private held: { readonly from: Snapshot; readonly to: Snapshot } | null = null;

  /** @param baseline stable's answers before the candidate got traffic. */
  constructor(
    private readonly director: Director,
    private readonly slot: Slot,
    private readonly releaseId: string,
    private readonly baseline: Sample,
  ) {
    const now = director.clock.now();
    this.analysis = analysisSettings(director.spec.schedule.analysis);
    const nameOf = (key: string) => clientName(key, this.shared, director.state.weight);
    this.users = new CandidateVerdict(this.analysis, OF_USERS, nameOf);
    this.users.addBefore(now, baseline);
    this.ownRequests = new CandidateVerdict(this.analysis, OF_OWN_REQUESTS);
    this.site = new SiteVerdict(this.analysis, baseline, nameOf);
  }

  /** Waits until `deadline` (milliseconds since 1970), or the first failure. @throws Interrupted */
  async until(deadline: number): Promise<Verdict> {
    const { clock, interruption } = this.director;
    const { intervalSeconds } = this.analysis;
    const extra = EXTRA_MS + EXTRA_INTERVALS * 1000 * intervalSeconds;
    const pause = Math.min(CHECK_MS, 250 * intervalSeconds);
    const first = await this.takeSnapshot();
    this.shared = sharedAddress(Object.values(first.counts), this.analysis.minimumRequests);
    for (;;) {
      interruption.check();
      const problem = await this.check();
      if (problem !== null) return this.failed(problem.reason, problem.sure);
      const left = deadline - clock.now();
      if (left > 0) {
        await clock.sleep(Math.max(1, Math.min(pause, left)));
        continue;
      }
      const doubt = this.doubt(first);
      if (doubt === null) return this.passed(first);
      if (left <= -extra) return this.failed(`${this.releaseId}: ${doubt.reason}`, false);
      await clock.sleep(doubt.tooFew ? FAST_CHECK_MS : pause);
    }
  }

  /** @returns the problem; null if none is known. */
  private async check(): Promise<Finding | null> {
    this.round += 1;
    const asksStable = this.isQuiet() || this.director.state.weight === 100;
    await Promise.all([this.askEndpoints(this.slot), ...(asksStable ? [this.askStable()] : [])]);
    const before = this.last;
    const now = await this.takeSnapshot();
    this.weigh(before, now);
    const down = await this.downEndpoint();
    if (down !== null) return { reason: down, sure: true };
    const found =
      this.users.finding(() => this.recent(now, "users")) ??
      this.ownRequests.finding(() => this.recent(now, "own")) ??
      (await this.harm());
    if (found !== null) return { ...found, reason: `${this.releaseId}: ${found.reason}` };
    if (now.at - this.reportedAt >= 500 * this.analysis.intervalSeconds) {
      this.reportedAt = now.at;
      this.shared = sharedAddress(Object.values(now.counts), this.analysis.minimumRequests);
      this.report(this.startOfWindow(now), "going on");
    }
    return null;
  }

  /** That stable fails by the candidate's requests. One that is down by itself needs the candidate all the more. */
  private async harm(): Promise<Finding | null> {
    // In a rollback, what the release that is left does to users is no fault of the other one.
    const found = isWayBack(this.director.spec) ? null : this.site.finding();
    if (found === null) return null;
    await this.askStable();
    return this.isStableHealthy() ? found : null;
  }

  private weigh(from: Snapshot, to: Snapshot): void {
    const { weight } = this.director.state;
    // Both slots are asked in the same rounds. Without those that stable fails, it would seem to be better.
    this.addOwn(from, to);
    if (weight < 100) {
      this.held = null;
      this.add(from, to, weight);
    } else {
      const { held } = this;
      const isHealthy = this.isStableHealthy();
      if (held !== null && isHealthy) this.add(held.from, held.to, weight);
      this.held = isHealthy ? { from, to } : null;
    }
  }

  private add(from: Snapshot, to: Snapshot, weight: number): void {
    const [candidate, stable] = [this.slot, otherSlot(this.slot)];
    const users = (slot: Slot) => betweenByClient(from.counts[slot], to.counts[slot]);
    const look = { at: to.at, weight, candidate: users(candidate), stable: users(stable) };
    this.users.add(look);
    this.site.add(look);
  }

  private addOwn(from: Snapshot, to: Snapshot): void {
    const own = (slot: Slot) => less(to.own[slot], from.own[slot]);
    const [candidate, stable] = [own(this.slot), own(otherSlot(this.slot))];
    this.ownRequests.add({ at: to.at, weight: OWN_WEIGHT, candidate, stable });
  }

  /** What keeps a step from ending after its time. */
  private doubt(first: Snapshot): { readonly reason: string; readonly tooFew: boolean } | null {
    const unstable = this.unstableEndpoint();
    if (unstable !== undefined) return { reason: `${unstable} fails intermittently`, tooFew: false };
    const site = isWayBack(this.director.spec) ? null : this.site.doubt(this.last.at);
    if (site !== null) return { reason: site, tooFew: false };
    const { minimumRequests, whenInconclusive } = this.analysis;
    const { users, own } = this.compare(first, this.last)[this.slot];
    if (users.requests >= minimumRequests) return null;
    if (whenInconclusive === "rollback") {
      return { reason: `${tooFew(users, minimumRequests)} of users`, tooFew: true };
    }
    return own.requests >= minimumRequests ? null : { reason: tooFew(own, minimumRequests), tooFew: true };
  }

  /** An endpoint whose last round failed: the next rounds show whether it is down. */
  private unstableEndpoint(): string | undefined {
    const found = this.director
      .endpointsIn(this.slot)
      .find((_, index) => (this.rounds[this.slot].get(index)?.failedInARow ?? 0) > 0);
    return found && describeEndpoint(found);
  }

  /** Whether users send too few requests to judge: then stable gets the director's requests too, to compare with. */
  private isQuiet(): boolean {
    const { last, slot } = this;
    const recent = requestsBetween(this.startOfWindow(last).counts[slot], last.counts[slot]);
    return recent < this.analysis.minimumRequests;
  }

  /** At most once a look. */
  private async askStable(): Promise<void> {
    if (this.stableAskedIn === this.round) return;
    this.stableAskedIn = this.round;
    await this.askEndpoints(otherSlot(this.slot));
  }

  private async askEndpoints(slot: Slot): Promise<void> {
    const { spec, probe, attempt } = this.director;
    const isCandidate = slot === this.slot;
    const readOnly = spec.verification.smoke.filter(({ method }) => method === "GET" || method === "HEAD");
    const turn = this.round % (readOnly.length + 1);
    const smoke = this.isQuiet() || !isCandidate ? readOnly[turn - 1] : undefined;
    const all = await Promise.all(
      this.director
        .endpointsIn(slot)
        .map(async (endpoint) => [
          await probe(endpoint, isCandidate ? this.releaseId : null),
          ...(smoke === undefined ? [] : [await attempt(endpoint, smoke)]),
        ]),
    );
    this.own = { ...this.own, [slot]: together(this.own[slot], ...all.flat().map(sampled)) };
    for (const [index, answers] of all.entries()) {
      const problem = answers.find((each) => each.problem !== "")?.problem ?? "";
      const known = this.rounds[slot].get(index) ?? { asked: 0, failed: 0, failedInARow: 0, problem };
      this.rounds[slot].set(index, {
        asked: known.asked + 1,
        // A run of failures that goes on is no sign that an endpoint fails by chance.
        failed: known.failed + (problem === "" ? known.failedInARow : 0),
        failedInARow: problem === "" ? 0 : known.failedInARow + 1,
        problem,
      });
    }
  }

  private async downEndpoint(): Promise<string | null> {
    for (const [index, rounds] of this.rounds[this.slot]) {
      if (!isDown(rounds, this.users.usual)) continue;
      // What both slots suffer from is no fault of the candidate; it is waited for.
      await this.askStable();
      if (!this.isStableHealthy()) {
        this.rounds[this.slot].set(index, { ...rounds, failedInARow: 1 });
        continue;
      }
      const endpoint = this.director.endpointsIn(this.slot)[index]!;
      return `${this.releaseId} on ${describeEndpoint(endpoint)}: ${rounds.problem}`;
    }
    return null;
  }

  /** Whether stable's endpoints answered the director when they were last asked. */
  private isStableHealthy(): boolean {
    return [...this.rounds[otherSlot(this.slot)].values()].every(({ failedInARow }) => failedInARow === 0);
  }

  private async takeSnapshot(): Promise<Snapshot> {
    const counts = await this.director.driver.counts();
    const snapshot = { at: this.director.clock.now(), counts, own: this.own };
    const horizon = snapshot.at - 2000 * this.analysis.intervalSeconds;
    while (this.snapshots.length > 0 && this.snapshots[0]!.at < horizon) this.snapshots.shift();
    this.snapshots.push(snapshot);
    return snapshot;
  }

  private get last(): Snapshot {
    return this.snapshots.at(-1)!;
  }

  private startOfWindow(now: Snapshot): Snapshot {
    return this.snapshotBefore(now.at - 1000 * this.analysis.intervalSeconds);
  }

  /** The newest snapshot until that moment, or else the oldest. */
  private snapshotBefore(moment: number): Snapshot {
    return this.snapshots.findLast(({ at }) => at <= moment) ?? this.snapshots[0]!;
  }

  private recent(now: Snapshot, whose: "users" | "own"): Recent {
    const interval = 1000 * this.analysis.intervalSeconds;
    const third = (2 * interval) / 3;
    const ago = (from: number, to: number) => {
      const [start, end] = [this.snapshotBefore(now.at - from), this.snapshotBefore(now.at - to)];
      return this.compare(start, end)[this.slot][whose];
    };
    return { interval: ago(interval, 0), oldest: ago(3 * third, 2 * third), newest: ago(third, 0) };
  }

  private compare(from: Snapshot, to: Snapshot): Compared {
    const slot = (each: Slot) => ({
      users: between(from.counts[each], to.counts[each]),
      own: less(to.own[each], from.own[each]),
    });
    return { blue: slot("blue"), green: slot("green") };
  }

  private passed(first: Snapshot): Verdict {
    const { minimumRequests } = this.analysis;
    const { users } = this.compare(first, this.last)[this.slot];
    const notJudged = users.requests < minimumRequests ? tooFew(users, minimumRequests) : null;
    this.conclude(first, "pass", notJudged);
    return { passed: true };
  }

  private failed(reason: string, sure: boolean): Verdict {
    this.conclude(this.startOfWindow(this.last), "fail", null);
    return { passed: false, reason, sure };
  }

  private conclude(from: Snapshot, verdict: "pass" | "fail", notJudged: string | null): void {
    const comparison = this.report(from, verdict, notJudged);
    const { director } = this;
    director.save({ journal: director.journalWith({ event: "judged", verdict, comparison }) });
  }

  private report(from: Snapshot, verdict: string, notJudged: string | null = null): Comparison {
    const { last, users } = this;
    const compared = this.compare(from, last);
    const stable = compared[otherSlot(this.slot)].users;
    const gathered = errorsGatherAt(from.counts[this.slot].endpoints, last.counts[this.slot].endpoints);
    const comparison = {
      candidate: figures(compared[this.slot].users),
      stable: figures(stable.requests > 0 ? stable : this.baseline),
      weight: this.director.state.weight,
      seconds: (last.at - from.at) / 1000,
      ...(compared[this.slot].users.requests > 0 && {
        failed: users.failedMore,
        confidence: users.confidence,
      }),
      ...(users.leftOut > 0 && { leftOut: users.leftOut }),
      ...(gathered !== null && { gathered }),
      ...(notJudged !== null && { notJudged }),
    };
    this.director.comparison = comparison;
    this.director.logEvent("analysis", { verdict, ...comparison });
    return comparison;
  }
}

function tooFew({ requests }: Sample, minimumRequests: number): string {
  return `only ${requests} answers, minimumRequests is ${minimumRequests}`;
}

function less(now: Sample, before: Sample): Sample {
  if (now === before) return NOTHING;
  const latency: Record<number, number> = {};
  for (const milliseconds in now.latency) {
    const more = now.latency[milliseconds]! - (before.latency[milliseconds] ?? 0);
    if (more > 0) latency[milliseconds] = more;
  }
  return { requests: now.requests - before.requests, errors: now.errors - before.errors, latency };
}

function sampled({ problem, milliseconds }: Pick<Probe, "problem" | "milliseconds">): Sample {
  return {
    requests: 1,
    errors: problem === "" ? 0 : 1,
    latency: milliseconds === null ? {} : { [latencyClass(milliseconds)]: 1 },
  };
}
