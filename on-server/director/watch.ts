/**
 * Watches a candidate while it has traffic: what users get from it against what they get from stable, and a request
 * of the director's own to every endpoint, so that a quiet site is judged too. A failure ends the wait at once; time
 * alone never makes a success, it takes answers.
 */
import type { Comparison } from "../../release/journal";
import { otherSlot } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import { between, figures, judgeAmount, judgeErrors, judgeLatency, NOTHING, together } from "./analysis";
import type { Judgement, Sample } from "./analysis";
import type { Director } from "./director";
import { latencyClass } from "./drivers/driver";
import type { SlotCounts } from "./drivers/driver";
import type { Probe } from "./probe";
import type { Verdict } from "./verify";

const CHECK_MS = 250;
/** Between two rounds of requests where nothing but their number is missing. */
const HURRY_MS = 10;
/** An endpoint that fails this often in a row is down, not busy. */
const FAILED_PROBES = 3;
/** So often in a row, half an interval apart, it must look slow. */
const SLOW_WINDOWS = 2;
/** How many intervals longer than its time a step may take until there is enough to judge it. */
const PATIENCE_INTERVALS = 3;
const PATIENCE_MS = 10_000;

/** What was known at one moment. */
interface Look {
  readonly at: number;
  readonly counts: PerSlot<SlotCounts>;
  readonly asked: PerSlot<Sample>;
}

type Compared = PerSlot<{ readonly users: Sample; readonly own: Sample }>;

export class CandidateWatch {
  private readonly failedProbes = new Map<number, number>();
  /** The last time that stable had enough answers to compare with. */
  private reference: Sample;
  private asked: Record<Slot, Sample> = { blue: NOTHING, green: NOTHING };
  private looks: Look[] = [];
  private judgedAt = 0;
  private slow: { readonly times: number; readonly reason: string } = { times: 0, reason: "" };
  private round = 0;

  /** @param baseline what stable answered before the candidate got traffic. */
  constructor(
    private readonly director: Director,
    private readonly slot: Slot,
    private readonly releaseId: string,
    baseline: Sample,
  ) {
    this.reference = baseline;
  }

  /** Waits until `deadline` (milliseconds since 1970), or the first sign of trouble. @throws Interrupted */
  async until(deadline: number): Promise<Verdict> {
    const { clock, interruption } = this.director;
    const { intervalSeconds } = this.analysis;
    const patience = PATIENCE_MS + PATIENCE_INTERVALS * 1000 * intervalSeconds;
    const pause = Math.min(CHECK_MS, 250 * intervalSeconds);
    const first = await this.look();
    for (;;) {
      interruption.check();
      const trouble = await this.check(first, deadline);
      if (trouble !== null) return this.failed(trouble);
      const left = deadline - clock.now();
      if (left > 0) {
        await clock.sleep(Math.max(1, Math.min(pause, left)));
        continue;
      }
      const amount = judgeAmount(all(this.compare(first, this.last)[this.slot]), this.analysis);
      if (amount.verdict === "pass" && this.slow.times === 0 && !this.isInDoubt()) {
        this.conclude(first, "pass");
        return { passed: true };
      }
      if (left <= -patience) {
        const unsure = this.slow.times > 0 ? this.slow.reason : "an endpoint answers now and then";
        return this.failed(`${this.releaseId}: ${amount.verdict === "pass" ? unsure : amount.reason}`);
      }
      await clock.sleep(amount.verdict === "pass" ? pause : HURRY_MS);
    }
  }

  private get analysis() {
    return this.director.spec.schedule.analysis;
  }

  /** @returns what is wrong; null where nothing is known to be. */
  private async check(first: Look, deadline: number): Promise<string | null> {
    this.round += 1;
    const down = await this.askEndpoints(this.slot);
    if (this.isQuiet()) await this.askEndpoints(otherSlot(this.slot));
    const now = await this.look();
    if (down !== null) return down;
    const start = this.startOfWindow(now);
    const recent = this.compare(start, now);
    for (const compared of [recent, this.compare(first, now)]) {
      const { users, own } = compared[this.slot];
      for (const sample of [users, own]) {
        const judged = judgeErrors(sample, this.stable(compared), this.analysis);
        if (judged.verdict === "fail") return `${this.releaseId}: ${judged.reason}`;
      }
    }
    const isDue = now.at - this.judgedAt >= 500 * this.analysis.intervalSeconds;
    // However short a step is, it is judged once.
    if (!isDue && !(now.at >= deadline && this.judgedAt < first.at)) return null;
    this.judgedAt = now.at;
    this.report(start, "going on");
    return this.tooSlow(recent);
  }

  private tooSlow(recent: Compared): string | null {
    const other = otherSlot(this.slot);
    const users = judgeLatency(recent[this.slot].users, this.stable(recent), this.analysis);
    const judged: Judgement =
      users.verdict === "inconclusive"
        ? judgeLatency(recent[this.slot].own, recent[other].own, this.analysis)
        : users;
    const enough = recent[other].users.requests >= this.analysis.minimumRequests;
    if (enough) this.reference = recent[other].users;
    // Too few answers say nothing, neither that it is slow nor that it is not.
    if (judged.verdict === "pass") this.slow = { times: 0, reason: "" };
    if (judged.verdict === "fail") this.slow = { times: this.slow.times + 1, reason: judged.reason };
    return this.slow.times >= SLOW_WINDOWS ? `${this.releaseId}: ${this.slow.reason}` : null;
  }

  /** Whether an endpoint's last answer was a bad one: the next ones tell whether it is down. */
  private isInDoubt(): boolean {
    return [...this.failedProbes.values()].some((failures) => failures > 0);
  }

  /** Where users ask little, stable is asked by the director as well, to compare with. */
  private isQuiet(): boolean {
    const { last } = this;
    const recent = this.compare(this.startOfWindow(last), last);
    return recent[this.slot].users.requests < this.analysis.minimumRequests;
  }

  /** @returns the endpoint that is down, of the candidate's. */
  private async askEndpoints(slot: Slot): Promise<string | null> {
    const { spec, probe, attempt } = this.director;
    const isCandidate = slot === this.slot;
    const harmless = spec.verification.smoke.filter(({ method }) => method === "GET" || method === "HEAD");
    const turn = this.round % (harmless.length + 1);
    const smoke = this.isQuiet() ? harmless[turn - 1] : undefined;
    const all = await Promise.all(
      spec.endpoints[slot].map(async (endpoint) => ({
        endpoint,
        answers: [
          await probe(endpoint, isCandidate ? this.releaseId : null),
          ...(smoke === undefined ? [] : [await attempt(endpoint, smoke)]),
        ],
      })),
    );
    this.asked = {
      ...this.asked,
      [slot]: together(this.asked[slot], ...all.flatMap(({ answers }) => answers.map(sampled))),
    };
    if (!isCandidate) return null;
    for (const [index, { endpoint, answers }] of all.entries()) {
      const trouble = answers.find(({ problem }) => problem !== "");
      const failures = trouble === undefined ? 0 : (this.failedProbes.get(index) ?? 0) + 1;
      this.failedProbes.set(index, failures);
      if (failures >= FAILED_PROBES) {
        const { server, host, port } = endpoint;
        return `${this.releaseId} on ${server} (${host}:${port}) ${trouble!.problem}`;
      }
    }
    return null;
  }

  private async look(): Promise<Look> {
    const counts = await this.director.driver.counts();
    const look = { at: this.director.clock.now(), counts, asked: this.asked };
    const horizon = look.at - 2000 * this.analysis.intervalSeconds;
    this.looks = [...this.looks.filter(({ at }) => at >= horizon), look];
    return look;
  }

  private get last(): Look {
    return this.looks.at(-1)!;
  }

  /** The youngest look that is an interval old, or the oldest that there is. */
  private startOfWindow(now: Look): Look {
    const begin = now.at - 1000 * this.analysis.intervalSeconds;
    return this.looks.findLast(({ at }) => at <= begin) ?? this.looks[0]!;
  }

  private compare(from: Look, to: Look): Compared {
    const slot = (each: Slot) => ({
      users: between(from.counts[each], to.counts[each]),
      own: less(to.asked[each], from.asked[each]),
    });
    return { blue: slot("blue"), green: slot("green") };
  }

  private stable(compared: Compared): Sample {
    const { users, own } = compared[otherSlot(this.slot)];
    if (users.requests >= this.analysis.minimumRequests) return users;
    return this.reference.requests >= this.analysis.minimumRequests ? this.reference : together(users, own);
  }

  private failed(reason: string): Verdict {
    this.conclude(this.startOfWindow(this.last), "fail");
    return { passed: false, reason };
  }

  private conclude(from: Look, verdict: "pass" | "fail"): void {
    const comparison = this.report(from, verdict);
    const { director } = this;
    director.save({ journal: director.journalWith({ event: "judged", verdict, comparison }) });
  }

  private report(from: Look, verdict: string): Comparison {
    const { last } = this;
    const compared = this.compare(from, last);
    const comparison = {
      candidate: figures(all(compared[this.slot])),
      stable: figures(this.stable(compared)),
      weight: this.director.state.weight,
      seconds: (last.at - from.at) / 1000,
    };
    this.director.comparison = comparison;
    this.director.say("analysis", { verdict, ...comparison });
    return comparison;
  }
}

/** What users and the director itself were answered. */
function all({ users, own }: { users: Sample; own: Sample }): Sample {
  return together(users, own);
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
