/**
 * A simulated site: users, a proxy that counts as the real drivers do, and time. The director that releases on it is the
 * real one.
 */
import { CLOSED, latencyClass } from "../../on-server/director/drivers/driver";
import type { ClientCounts, Driver, SlotCounts, Traffic } from "../../on-server/director/drivers/driver";
import type { PerSlot, Slot } from "../../release/slot";
import type { Random } from "./random";

export interface Behaviour {
  /** The part of answers that fail by chance. */
  readonly errors: number;
  /** In milliseconds, of a random number generator. */
  readonly latency?: (random: Random, secondsOld: number) => number;
  readonly redirects?: number;
  readonly refusals?: number;
}

export interface Conditions {
  readonly requestsPerSecond: number;
  readonly stable: Behaviour;
  readonly candidate: Behaviour;
  /** A failed request is repeated by its client each second, so often in all. @default 1 */
  readonly runs?: number;
  /** Each client sends a request in so many seconds. @default 10 */
  readonly secondsBetween?: number;
  /** Whether the proxy distinguishes clients. @default true */
  readonly clients?: boolean;
  /** All requests fail, those of the director too, for so many seconds. */
  readonly outageSeconds?: number;
  /** The proxy restarts once: its counts begin at 0. */
  readonly restarts?: boolean;
}

interface Counted {
  requests: number;
  errors: number;
  readonly latency: Record<number, number>;
  readonly classes: Record<string, number>;
  readonly clients: Map<string, { requests: number; errors: number }>;
}

/** Latencies of at most so many answers a slot and look are measured, as HAProxy's driver measures a sample. */
const MEASURED = 40;
const LOOK_MS = 250;

export class SimulatedSite {
  now = 1_700_000_000_000;
  private readonly beganAt = this.now;
  traffic: Traffic = CLOSED;
  /** Failed answers of users in the candidate's slot. */
  failed = 0;
  readonly candidateSlot: Slot = "green";
  private names: Record<Slot, string[]> = { blue: [], green: [] };
  private counted: Record<Slot, Counted> = { blue: nothing(), green: nothing() };
  /** Requests that clients will repeat, by second. */
  private repeats: { readonly at: number; readonly slot: Slot; readonly client: string; left: number }[] = [];
  private startedAt: number | null = null;
  private readonly outageAt: number;
  private restartAt: number;

  constructor(
    private readonly conditions: Conditions,
    readonly random: Random,
    canarySeconds: number,
  ) {
    this.outageAt = this.now + 1000 * (60 + random.next() * canarySeconds);
    this.restartAt =
      conditions.restarts === true ? this.now + 1000 * (60 + random.next() * canarySeconds) : Infinity;
  }

  /** What the director's request gets: whether it fails. */
  ownFails(slot: Slot): boolean {
    return this.isOut() || this.random.next() < this.behaviour(slot).errors;
  }

  advance(milliseconds: number): void {
    for (let left = milliseconds; left > 0; left -= LOOK_MS) this.pass(Math.min(left, LOOK_MS));
  }

  readonly driver: Driver = {
    observe: async () => this.traffic,
    setTraffic: async (traffic) => void (this.traffic = traffic),
    counts: async () => this.counts(),
    exclude: async () => undefined,
    include: async () => undefined,
    cut: async () => undefined,
  };

  private behaviour(slot: Slot): Behaviour {
    return slot === this.candidateSlot ? this.conditions.candidate : this.conditions.stable;
  }

  private isOut(): boolean {
    const { outageSeconds = 0 } = this.conditions;
    return this.now >= this.outageAt && this.now < this.outageAt + 1000 * outageSeconds;
  }

  private pass(milliseconds: number): void {
    this.now += milliseconds;
    if (this.now >= this.restartAt) {
      this.restartAt = Infinity;
      this.counted = { blue: nothing(), green: nothing() };
      this.names = { blue: [], green: [] };
    }
    const { live, weight } = this.traffic;
    if (live === null) return;
    const other = live === "blue" ? "green" : "blue";
    const parts = { [live]: 100 - weight, [other]: weight } as Record<Slot, number>;
    if (parts[this.candidateSlot] > 0) this.startedAt ??= this.now;
    for (const slot of ["blue", "green"] as const) this.serve(slot, parts[slot] / 100, milliseconds);
    this.repeat();
  }

  private serve(slot: Slot, part: number, milliseconds: number): void {
    const { random } = this;
    const { requestsPerSecond } = this.conditions;
    const behaviour = this.behaviour(slot);
    const requests = random.poisson((requestsPerSecond * part * milliseconds) / 1000);
    if (requests === 0) return;
    const { runs = 1, secondsBetween = 10 } = this.conditions;
    // A failure of which each is repeated makes as many failed answers in all.
    const chance = this.isOut() ? 1 : behaviour.errors / runs;
    const errors = random.binomial(requests, chance);
    const pool = Math.max(1, Math.round(requestsPerSecond * secondsBetween * part));
    for (let error = 0; error < errors; error++) {
      const client = `client-${slot}-${random.below(pool)}`;
      this.count(slot, client);
      if (runs > 1 && !this.isOut()) this.repeats.push({ at: this.now + 1000, slot, client, left: runs - 1 });
    }
    const counted = this.counted[slot];
    const good = requests - errors;
    counted.requests += good;
    this.countGood(slot, good, pool);
    const redirects = random.binomial(good, behaviour.redirects ?? 0);
    const refusals = random.binomial(good - redirects, behaviour.refusals ?? 0);
    add(counted.classes, "3xx", redirects);
    add(counted.classes, "4xx", refusals);
    add(counted.classes, "2xx", good - redirects - refusals);
    if (behaviour.latency === undefined) return;
    const old = slot === this.candidateSlot ? (this.now - (this.startedAt ?? this.now)) / 1000 : 1e6;
    for (let measured = 0; measured < Math.min(requests, MEASURED); measured++) {
      add(counted.latency, latencyClass(behaviour.latency(random, old)), 1);
    }
  }

  private repeat(): void {
    const due = this.repeats.filter(({ at }) => at <= this.now);
    if (due.length === 0) return;
    this.repeats = this.repeats.filter(({ at }) => at > this.now);
    for (const each of due) {
      this.count(each.slot, each.client);
      if (each.left > 1) this.repeats.push({ ...each, at: each.at + 1000, left: each.left - 1 });
    }
  }

  /** Good answers of clients that failed before; the others need not be distinguished. */
  private countGood(slot: Slot, good: number, pool: number): void {
    const { clients } = this.counted[slot];
    const names = this.names[slot];
    const part = Math.min(1, names.length / pool);
    for (let left = this.random.binomial(good, part); left > 0; left--) {
      const client = names[this.random.below(names.length)]!;
      const known = clients.get(client)!;
      clients.set(client, { requests: known.requests + 1, errors: known.errors });
    }
  }

  /** A client's good answers before its first failed one. Only the sum before the candidate needs them. */
  private earlier(): number {
    if (this.startedAt !== null) return 0;
    return this.random.poisson((this.now - this.beganAt) / 1000 / (this.conditions.secondsBetween ?? 10));
  }

  private count(slot: Slot, client: string): void {
    const counted = this.counted[slot];
    counted.requests += 1;
    counted.errors += 1;
    add(counted.classes, "5xx", 1);
    if (slot === this.candidateSlot) this.failed += 1;
    if (!counted.clients.has(client)) this.names[slot].push(client);
    const known = counted.clients.get(client) ?? { requests: this.earlier(), errors: 0 };
    counted.clients.set(client, { requests: known.requests + 1, errors: known.errors + 1 });
  }

  private counts(): PerSlot<SlotCounts> {
    const slot = (each: Slot): SlotCounts => {
      const { requests, errors, latency, classes, clients } = this.counted[each];
      const named = (): Record<string, ClientCounts> =>
        Object.fromEntries([...clients].map(([key, counts]) => [key, { ...counts, latency: {} }]));
      return {
        ...{ requests, errors, latency: { ...latency }, classes: { ...classes }, inFlight: 0 },
        endpoints: [{ server: each === "blue" ? "web-1" : "web-2", healthy: true, inRotation: true }],
        ...(this.conditions.clients === false ? {} : { clients: named() }),
      };
    };
    return { blue: slot("blue"), green: slot("green") };
  }
}

function nothing(): Counted {
  return { requests: 0, errors: 0, latency: {}, classes: {}, clients: new Map() };
}

function add(counts: Record<string | number, number>, key: string | number, more: number): void {
  counts[key] = (counts[key] ?? 0) + more;
}
