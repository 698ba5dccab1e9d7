/**
 * The traffic, inside the worker: requests become due by an absolute schedule that answers cannot slow down (open loop).
 * Each is counted in the step in which it was due. Latency counts from the due time, so a stall affects every request that
 * was due during it, not only those on a connection.
 */
import { Account, countsAsLatency, Tally, type Outcome } from "./account";
import { errorCode, type LoadClient } from "./client";
import { LatencyHistogram } from "./histogram";
import type { FailedRequest, LoadProgress, RequestCounts, StepRequests } from "./messages";
import type { LoadPlan } from "./plan";
import { FormUsers, type FormRequest } from "./form-users";
import { acknowledgedId, judge, nextRequest, type LoadRequest } from "./request";
import type { Period } from "./timeline";
import { SimulatedUsers } from "./user";

/** Failed requests kept in detail; all are counted. */
const DETAILED_FAILURES = 200;
/** How often the time limit is checked. */
const SWEEP_MS = 20;

/** A POST that the application acknowledged. */
export interface AcknowledgedPost {
  readonly id: string;
  readonly marker: string;
}

interface InFlight {
  readonly request: LoadRequest | FormRequest;
  readonly dueAt: number;
  readonly step: Step | undefined;
  readonly abort: AbortController;
}

interface Step {
  readonly name: string;
  readonly account: Account;
  complete?: (requests: StepRequests) => void;
}

/** The period since the last progress report. */
class CurrentPeriod {
  sent = 0;
  failed = 0;
  answers = 0;
  readonly versions = new Tally();
  readonly latency = new LatencyHistogram();

  constructor(private readonly beganAt: number) {}

  end(at: number): Period {
    return {
      beganAt: performance.timeOrigin + this.beganAt,
      seconds: (at - this.beganAt) / 1000,
      sent: this.sent,
      failed: this.failed,
      answers: this.answers,
      versions: this.versions.toRecord(),
      latency: this.latency.counts(),
    };
  }

  settled(outcome: Outcome, latencyMs: number): void {
    if (outcome.failure !== null) this.failed += 1;
    if (outcome.status !== null) this.answers += 1;
    if (outcome.releaseId !== null) this.versions.add(outcome.releaseId);
    if (countsAsLatency(outcome)) this.latency.add(latencyMs);
  }
}

interface WorkloadProps {
  readonly plan: LoadPlan;
  readonly client: LoadClient;
  /** The prefix of every marker of this run. */
  readonly runId: string;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export class Workload {
  /** In order of acknowledgement. */
  readonly acknowledged: AcknowledgedPost[] = [];
  readonly failedRequests: FailedRequest[] = [];

  readonly #plan: LoadPlan;
  readonly #client: LoadClient;
  readonly #props: WorkloadProps;
  readonly #releasePattern: RegExp;
  readonly #users: SimulatedUsers;
  readonly #forms: FormUsers | undefined;
  readonly #beganAt = performance.now();
  readonly #whole: Account;
  /** In order of due time. */
  readonly #inFlight = new Set<InFlight>();
  readonly #sweep: NodeJS.Timeout;
  #step: Step | undefined;
  #count = 0;
  #nextDue: NodeJS.Timeout | undefined;
  #arrives = true;
  #drained: (() => void) | undefined;
  #period = new CurrentPeriod(this.#beganAt);

  /** The first request is due at once. */
  constructor(props: WorkloadProps) {
    this.#props = props;
    this.#plan = props.plan;
    this.#client = props.client;
    this.#releasePattern = new RegExp(props.plan.releasePattern);
    this.#users = new SimulatedUsers(props.plan, props.random);
    const { form } = props.plan;
    const now = this.#beganAt;
    this.#forms = form && new FormUsers({ ...props, form, users: this.#users, now });
    this.#whole = this.#newAccount(now);
    this.#sweep = setInterval(() => this.#enforceTimeLimit(), SWEEP_MS);
    this.#sendDue();
  }

  /** Requests due from now on belong to this step. */
  beginStep(name: string): void {
    if (this.#step !== undefined)
      throw new Error(`step '${this.#step.name}' has not ended, '${name}' cannot begin`);
    this.#step = { name, account: this.#newAccount(this.#sendDue()) };
  }

  /**
   * Ends the step now; resolves once all its requests have ended, within the time limit. A session that was lost in this
   * step is counted in it: the users of the form send their next request before the end.
   */
  endStep(): Promise<StepRequests> {
    const step = this.#step;
    if (step === undefined) throw new Error("no step has begun");
    this.#askForSessions();
    step.account.end(this.#sendDue());
    this.#step = undefined;
    return new Promise((resolve) => {
      step.complete = resolve;
      this.#completeIfDone(step);
    });
  }

  /** Stops sending; resolves once the requests in flight have ended, within the time limit. */
  async stop(): Promise<RequestCounts> {
    if (this.#arrives) {
      this.#askForSessions();
      const endedAt = this.#sendDue();
      this.#arrives = false;
      clearTimeout(this.#nextDue);
      this.#step?.account.end(endedAt);
      this.#whole.end(endedAt);
    }
    if (this.#inFlight.size > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    clearInterval(this.#sweep);
    return this.#whole.counts();
  }

  /** Ends a period and begins the next; called once a second. */
  takeProgress(): LoadProgress {
    const now = this.#sendDue();
    const period = this.#period.end(now);
    this.#period = new CurrentPeriod(now);
    return { sent: this.#whole.sent, failed: this.#whole.failed, inFlight: this.#inFlight.size, period };
  }

  #newAccount(beganAt: number): Account {
    return new Account(beganAt, this.#plan.form !== undefined);
  }

  #dueAt(count: number): number {
    return this.#beganAt + (count * 1000) / this.#plan.rate;
  }

  /** Sends all requests that are due. @returns the time up to which they were due. */
  #sendDue(): number {
    const now = performance.now();
    if (!this.#arrives) return now;
    clearTimeout(this.#nextDue);
    while (this.#dueAt(this.#count) <= now)
      this.#begin(this.#chooseRequest(now), this.#dueAt(this.#count++), now);
    // Node.js truncates fractions: round up, or the timer fires before the request is due.
    this.#nextDue = setTimeout(() => this.#sendDue(), Math.ceil(this.#dueAt(this.#count) - now));
    return now;
  }

  /** Forms take at most half of the requests, and no regular ones: a proxy that takes turns would send them to one server. */
  #chooseRequest(now: number): LoadRequest | FormRequest {
    const ofForm = this.#props.random() < 0.5 ? this.#forms?.next(now) : undefined;
    return ofForm ?? nextRequest(this.#plan, this.#props.runId, this.#count, this.#props.random);
  }

  /** Beside the schedule: otherwise those who still think would notice later. */
  #askForSessions(): void {
    const now = this.#sendDue();
    for (const request of this.#forms?.atOnce() ?? []) this.#begin(request, now, now);
  }

  #begin(request: LoadRequest | FormRequest, dueAt: number, now: number): void {
    const step = this.#step;
    const entry: InFlight = { request, dueAt, step, abort: new AbortController() };
    this.#period.sent += 1;
    this.#whole.started(now - dueAt);
    step?.account.started(now - dueAt);
    const hasRoom = this.#inFlight.size < this.#plan.inFlightCap;
    this.#inFlight.add(entry);
    if (hasRoom) void this.#follow(entry);
    else this.#settle(entry, { failure: "in-flight cap", status: null, code: null, releaseId: null });
  }

  async #follow(entry: InFlight): Promise<void> {
    const { request } = entry;
    const user = "filling" in request ? request.filling.user : this.#users.any(performance.now());
    try {
      const answer = await this.#client.send({
        ...request,
        cookie: user.cookieHeader(request.path, Date.now()),
        forwardedFor: user.address,
        signal: entry.abort.signal,
      });
      const setCookies = answer.headers["set-cookie"];
      if (setCookies !== undefined) user.receive([setCookies].flat(), request.path, Date.now());
      // Even if the answer is late or fails a check below: the application has acknowledged it.
      const id = acknowledgedId(this.#plan, request, answer);
      if (id !== undefined) this.acknowledged.push({ id, marker: request.marker ?? "" });
      this.#settle(entry, judge(this.#plan, this.#releasePattern, request, answer));
    } catch (error) {
      const code = errorCode(error);
      this.#settle(entry, { failure: `connection ${code}`, status: null, code, releaseId: null });
    }
  }

  #settle(entry: InFlight, outcome: Outcome): void {
    if (!this.#inFlight.delete(entry)) return;
    const now = performance.now();
    const { step } = entry;
    this.#whole.settled(outcome, now - entry.dueAt);
    step?.account.settled(outcome, now - entry.dueAt);
    this.#period.settled(outcome, now - entry.dueAt);
    if ("filling" in entry.request) {
      for (const event of this.#forms?.settled(entry.request.filling, outcome, now) ?? []) {
        this.#whole.session(event);
        step?.account.session(event);
      }
    }
    if (outcome.failure === null) {
      this.#whole.succeeded(now);
      this.#step?.account.succeeded(now);
    } else {
      this.#keepDetail(entry, outcome);
    }
    if (step !== undefined) this.#completeIfDone(step);
    if (this.#inFlight.size === 0) this.#drained?.();
  }

  #keepDetail(entry: InFlight, outcome: Outcome): void {
    if (outcome.failure === null || this.failedRequests.length >= DETAILED_FAILURES) return;
    this.failedRequests.push({
      at: new Date(performance.timeOrigin + entry.dueAt).toISOString(),
      step: entry.step?.name ?? null,
      method: entry.request.method,
      path: entry.request.path,
      kind: outcome.failure,
      status: outcome.status,
      code: outcome.code,
      releaseId: outcome.releaseId,
    });
  }

  #enforceTimeLimit(): void {
    const latestDue = performance.now() - this.#plan.timeLimitMs;
    for (const entry of this.#inFlight) {
      if (entry.dueAt > latestDue) return;
      this.#settle(entry, { failure: "time limit", status: null, code: null, releaseId: null });
      entry.abort.abort();
    }
  }

  #completeIfDone(step: Step): void {
    if (step.account.isComplete) step.complete?.(step.account.counts());
  }
}
