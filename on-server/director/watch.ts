/**
 * Watches a candidate while it has traffic: compares the answers that users get from it and from stable. Synthetic
 * requests to every endpoint let it judge a quiet site too. A failure ends the wait at once; success takes enough
 * answers, not only time.
 */
import type { Comparison } from "../../release/journal";
import { otherSlot } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import { between, figures, judgeAmount, judgeErrors, judgeLatency, NOTHING, together } from "./analysis";
import type { Judgement, Sample } from "./analysis";
import { judgeWithoutOneClient, sharedAddress } from "./one-client";
import { describeEndpoint } from "./director";
import type { Director } from "./director";
import { latencyClass } from "./drivers/driver";
import type { SlotCounts } from "./drivers/driver";
import type { Probe } from "./probe";
import type { Verdict } from "./verify";

const CHECK_MS = 250;
/** Between two rounds of requests if only their number is too low. */
const FAST_CHECK_MS = 10;
/** After so many failed rounds in a row an endpoint is down, not busy. */
const FAILED_PROBES = 3;
/** The candidate is slow after so many slow windows in a row, half an interval apart. */
const SLOW_WINDOWS = 2;
/** How many intervals a step may take longer until there are enough answers. */
const EXTRA_INTERVALS = 3;
const EXTRA_MS = 10_000;

/** All counts at one moment. */
interface Snapshot {
  readonly at: number;
  readonly counts: PerSlot<SlotCounts>;
  readonly synthetic: PerSlot<Sample>;
}

type Compared = PerSlot<{ readonly users: Sample; readonly synthetic: Sample }>;

export class CandidateWatch {
  private readonly failedProbes = new Map<number, number>();
  /** Stable's answers when there were last enough to compare with. */
  private reference: Sample;
  private synthetic: Record<Slot, Sample> = { blue: NOTHING, green: NOTHING };
  private snapshots: Snapshot[] = [];
  private judgedAt = 0;
  private slow: { readonly times: number; readonly reason: string } = { times: 0, reason: "" };
  private round = 0;
  /** The most failed answers of one client that did not count in this step. */
  private leftOut = 0;

  /** @param baseline stable's answers before the candidate got traffic. */
  constructor(
    private readonly director: Director,
    private readonly slot: Slot,
    private readonly releaseId: string,
    baseline: Sample,
  ) {
    this.reference = baseline;
  }

  /** Waits until `deadline` (milliseconds since 1970), or the first failure. @throws Interrupted */
  async until(deadline: number): Promise<Verdict> {
    const { clock, interruption } = this.director;
    const { intervalSeconds } = this.analysis;
    const extra = EXTRA_MS + EXTRA_INTERVALS * 1000 * intervalSeconds;
    const pause = Math.min(CHECK_MS, 250 * intervalSeconds);
    const first = await this.takeSnapshot();
    this.leftOut = 0;
    for (;;) {
      interruption.check();
      const problem = await this.check(first, deadline);
      if (problem !== null) return this.failed(problem);
      const left = deadline - clock.now();
      if (left > 0) {
        await clock.sleep(Math.max(1, Math.min(pause, left)));
        continue;
      }
      const amount = judgeAmount(all(this.compare(first, this.last)[this.slot]), this.analysis);
      const unstable = this.unstableEndpoint();
      if (amount.verdict === "pass" && this.slow.times === 0 && unstable === undefined) {
        this.conclude(first, "pass");
        return { passed: true };
      }
      if (left <= -extra) {
        const doubt = this.slow.times > 0 ? this.slow.reason : `${unstable} fails intermittently`;
        return this.failed(`${this.releaseId}: ${amount.verdict === "pass" ? doubt : amount.reason}`);
      }
      await clock.sleep(amount.verdict === "pass" ? pause : FAST_CHECK_MS);
    }
  }

  private get analysis() {
    return this.director.spec.schedule.analysis;
  }

  /** @returns the problem; null if none is known. */
  private async check(first: Snapshot, deadline: number): Promise<string | null> {
    this.round += 1;
    const down = await this.probeEndpoints(this.slot);
    if (this.isQuiet()) await this.probeEndpoints(otherSlot(this.slot));
    const now = await this.takeSnapshot();
    if (down !== null) return down;
    const start = this.startOfWindow(now);
    const recent = this.compare(start, now);
    for (const compared of [recent, this.compare(first, now)]) {
      const { users, synthetic } = compared[this.slot];
      const stable = this.stable(compared);
      const judged = [
        this.judgeUsers(judgeErrors, users, stable),
        judgeErrors(synthetic, stable, this.analysis),
      ];
      for (const each of judged) if (each.verdict === "fail") return `${this.releaseId}: ${each.reason}`;
    }
    const isDue = now.at - this.judgedAt >= 500 * this.analysis.intervalSeconds;
    // Even the shortest step is judged once.
    if (!isDue && !(now.at >= deadline && this.judgedAt < first.at)) return null;
    this.judgedAt = now.at;
    this.report(start, "going on");
    return this.tooSlow(recent);
  }

  private tooSlow(recent: Compared): string | null {
    const other = otherSlot(this.slot);
    const users = this.judgeUsers(judgeLatency, recent[this.slot].users, this.stable(recent));
    const judged: Judgement =
      users.verdict === "inconclusive"
        ? judgeLatency(recent[this.slot].synthetic, recent[other].synthetic, this.analysis)
        : users;
    const enough = recent[other].users.requests >= this.analysis.minimumRequests;
    if (enough) this.reference = recent[other].users;
    // An inconclusive judgement changes nothing.
    if (judged.verdict === "pass") this.slow = { times: 0, reason: "" };
    if (judged.verdict === "fail") this.slow = { times: this.slow.times + 1, reason: judged.reason };
    return this.slow.times >= SLOW_WINDOWS ? `${this.releaseId}: ${this.slow.reason}` : null;
  }

  /** One client neither fails the candidate nor saves it. */
  private judgeUsers(judge: typeof judgeErrors, candidate: Sample, stable: Sample): Judgement {
    const { minimumRequests } = this.analysis;
    const judged = judgeWithoutOneClient(
      { candidate, stable },
      (one, other) => judge(one, other, this.analysis),
      { shared: sharedAddress(Object.values(this.last.counts), minimumRequests), minimumRequests },
    );
    this.leftOut = Math.max(this.leftOut, judged.leftOut ?? 0);
    return judged;
  }

  /** An endpoint whose last round failed: the next rounds show whether it is down. */
  private unstableEndpoint(): string | undefined {
    const endpoints = this.director.spec.endpoints[this.slot];
    const found = endpoints.find((_, index) => (this.failedProbes.get(index) ?? 0) > 0);
    return found && describeEndpoint(found);
  }

  /** Whether users send too few requests to judge: then stable gets synthetic requests too, to compare with. */
  private isQuiet(): boolean {
    const { last } = this;
    const recent = this.compare(this.startOfWindow(last), last);
    return recent[this.slot].users.requests < this.analysis.minimumRequests;
  }

  /** @returns the problem of a candidate's endpoint that is down; null if none is. */
  private async probeEndpoints(slot: Slot): Promise<string | null> {
    const { spec, probe, attempt } = this.director;
    const isCandidate = slot === this.slot;
    const readOnly = spec.verification.smoke.filter(({ method }) => method === "GET" || method === "HEAD");
    const turn = this.round % (readOnly.length + 1);
    const smoke = this.isQuiet() ? readOnly[turn - 1] : undefined;
    const all = await Promise.all(
      spec.endpoints[slot].map(async (endpoint) => ({
        endpoint,
        answers: [
          await probe(endpoint, isCandidate ? this.releaseId : null),
          ...(smoke === undefined ? [] : [await attempt(endpoint, smoke)]),
        ],
      })),
    );
    this.synthetic = {
      ...this.synthetic,
      [slot]: together(this.synthetic[slot], ...all.flatMap(({ answers }) => answers.map(sampled))),
    };
    if (!isCandidate) return null;
    for (const [index, { endpoint, answers }] of all.entries()) {
      const failure = answers.find(({ problem }) => problem !== "");
      const failures = failure === undefined ? 0 : (this.failedProbes.get(index) ?? 0) + 1;
      this.failedProbes.set(index, failures);
      if (failures >= FAILED_PROBES) {
        return `${this.releaseId} on ${describeEndpoint(endpoint)}: ${failure!.problem}`;
      }
    }
    return null;
  }

  private async takeSnapshot(): Promise<Snapshot> {
    const counts = await this.director.driver.counts();
    const snapshot = { at: this.director.clock.now(), counts, synthetic: this.synthetic };
    const horizon = snapshot.at - 2000 * this.analysis.intervalSeconds;
    this.snapshots = [...this.snapshots.filter(({ at }) => at >= horizon), snapshot];
    return snapshot;
  }

  private get last(): Snapshot {
    return this.snapshots.at(-1)!;
  }

  /** The newest snapshot that is at least an interval old, or else the oldest. */
  private startOfWindow(now: Snapshot): Snapshot {
    const begin = now.at - 1000 * this.analysis.intervalSeconds;
    return this.snapshots.findLast(({ at }) => at <= begin) ?? this.snapshots[0]!;
  }

  private compare(from: Snapshot, to: Snapshot): Compared {
    const slot = (each: Slot) => ({
      users: between(from.counts[each], to.counts[each]),
      synthetic: less(to.synthetic[each], from.synthetic[each]),
    });
    return { blue: slot("blue"), green: slot("green") };
  }

  private stable(compared: Compared): Sample {
    const { users, synthetic } = compared[otherSlot(this.slot)];
    if (users.requests >= this.analysis.minimumRequests) return users;
    return this.reference.requests >= this.analysis.minimumRequests
      ? this.reference
      : together(users, synthetic);
  }

  private failed(reason: string): Verdict {
    this.conclude(this.startOfWindow(this.last), "fail");
    return { passed: false, reason };
  }

  private conclude(from: Snapshot, verdict: "pass" | "fail"): void {
    const comparison = this.report(from, verdict);
    const { director } = this;
    director.save({ journal: director.journalWith({ event: "judged", verdict, comparison }) });
  }

  private report(from: Snapshot, verdict: string): Comparison {
    const { last } = this;
    const compared = this.compare(from, last);
    const comparison = {
      candidate: figures(all(compared[this.slot])),
      stable: figures(this.stable(compared)),
      weight: this.director.state.weight,
      seconds: (last.at - from.at) / 1000,
      ...(this.leftOut > 0 && { leftOut: this.leftOut }),
    };
    this.director.comparison = comparison;
    this.director.logEvent("analysis", { verdict, ...comparison });
    return comparison;
  }
}

/** The answers to users and to synthetic requests. */
function all({ users, synthetic }: { users: Sample; synthetic: Sample }): Sample {
  return together(users, synthetic);
}

function less(now: Sample, before: Sample): Sample {
  const latency = Object.entries(now.latency).map(
    ([milliseconds, count]) => [milliseconds, count - (before.latency[Number(milliseconds)] ?? 0)] as const,
  );
  return {
    requests: now.requests - before.requests,
    errors: now.errors - before.errors,
    latency: Object.fromEntries(latency.filter(([, count]) => count > 0)),
  };
}

function sampled({ problem, milliseconds }: Pick<Probe, "problem" | "milliseconds">): Sample {
  return {
    requests: 1,
    errors: problem === "" ? 0 : 1,
    latency: milliseconds === null ? {} : { [latencyClass(milliseconds)]: 1 },
  };
}
