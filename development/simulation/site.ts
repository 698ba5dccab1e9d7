/**
 * A simulated site: users, a proxy that counts as the real drivers do, and time. The director that releases on it is the
 * real one.
 */
import { CLOSED, latencyClass } from "../../on-server/director/drivers/driver";
import type { ClientCounts, Driver, SlotCounts, Traffic } from "../../on-server/director/drivers/driver";
import { SLOTS } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import type { Random } from "./random";

export interface Behaviour {
  /** The part of answers that fail by chance. */
  readonly errors: number;
  /** In milliseconds, of a random number generator; `secondsOld` is the candidate's age, `client` a number. */
  readonly latency?: (random: Random, secondsOld: number, client: number) => number;
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
  readonly classes: Record<string, number>;
  readonly latency: Latest<Record<number, number>>;
  /** Named by numbers. */
  readonly clients: Latest<ClientCounts[]>;
  /** The number of each client that was counted, by its place among all. */
  readonly numbers: Map<number, number>;
}

/** Latencies of at most so many answers a second and slot are measured: all of some clients, as HAProxy's driver does. */
const MEASURED_PER_SECOND = 20;
const LOOK_MS = 250;
/** The candidate gets its first request after a minute. What begins at that moment is its effect. */
const OUTAGE_AFTER_SECONDS = 70;

/** Counts of which the director keeps earlier states: copied only if they change after a look. */
class Latest<Value extends object> {
  private wasRead = false;

  constructor(
    private current: Value,
    private readonly copy: (value: Value) => Value,
  ) {}

  get value(): Readonly<Value> {
    return this.current;
  }

  change(): Value {
    if (this.wasRead) this.current = this.copy(this.current);
    this.wasRead = false;
    return this.current;
  }

  read(): Readonly<Value> {
    this.wasRead = true;
    return this.current;
  }
}

export class SimulatedSite {
  now = 1_700_000_000_000;
  private readonly beganAt = this.now;
  traffic: Traffic = CLOSED;
  /** Failed answers of users in the candidate's slot. */
  failed = 0;
  readonly candidateSlot: Slot = "green";
  private counted: Record<Slot, Counted> = { blue: nothing(), green: nothing() };
  /** Requests that clients will repeat, by second. */
  private repeats: { readonly at: number; readonly slot: Slot; readonly client: number; left: number }[] = [];
  private startedAt: number | null = null;
  /** For what is always the same for a client. */
  private readonly seed: number;
  private readonly outageAt: number;
  private restartAt: number;

  constructor(
    private readonly conditions: Conditions,
    readonly random: Random,
    canarySeconds: number,
  ) {
    this.seed = random.below(1e6);
    this.outageAt = this.now + 1000 * (OUTAGE_AFTER_SECONDS + random.next() * (canarySeconds - 10));
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
    }
    const { live, weight } = this.traffic;
    if (live === null) return;
    const other = live === "blue" ? "green" : "blue";
    const parts = { [live]: 100 - weight, [other]: weight } as Record<Slot, number>;
    if (parts[this.candidateSlot] > 0) this.startedAt ??= this.now;
    for (const slot of SLOTS) this.serve(slot, parts[slot] / 100, milliseconds);
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
      const client = random.below(pool);
      this.count(slot, client);
      if (runs > 1 && !this.isOut()) this.repeats.push({ at: this.now + 1000, slot, client, left: runs - 1 });
    }
    const counted = this.counted[slot];
    const good = requests - errors;
    counted.requests += good;
    const redirects = random.binomial(good, behaviour.redirects ?? 0);
    const refusals = random.binomial(good - redirects, behaviour.refusals ?? 0);
    add(counted.classes, "3xx", redirects);
    add(counted.classes, "4xx", refusals);
    add(counted.classes, "2xx", good - redirects - refusals);
    if (behaviour.latency === undefined) this.countGood(slot, good, pool);
    else this.measure(slot, good, pool);
  }

  /** Each of these answers is its client's. */
  private measure(slot: Slot, answers: number, pool: number): void {
    const { random } = this;
    const counted = this.counted[slot];
    const old = slot === this.candidateSlot ? (this.now - (this.startedAt ?? this.now)) / 1000 : 1e6;
    const measured = Math.min(pool, MEASURED_PER_SECOND * (this.conditions.secondsBetween ?? 10));
    const latencies = counted.latency.change();
    const clients = counted.clients.change();
    for (let left = random.binomial(answers, measured / pool); left > 0; left--) {
      const client = random.below(measured);
      const each = latencyClass(coarse(this.behaviour(slot).latency!(random, old, this.seed + client)));
      latencies[each] = (latencies[each] ?? 0) + 1;
      const number = numberOf(client, counted);
      const known = clients[number] ?? NEVER_CAME;
      const latency = { ...known.latency, [each]: (known.latency[each] ?? 0) + 1 };
      clients[number] = { ...known, requests: known.requests + 1, latency };
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
    const { clients, numbers } = this.counted[slot];
    if (numbers.size === 0) return;
    for (let left = good; left > 0; left--) {
      const number = numbers.get(this.random.below(pool));
      if (number === undefined) continue;
      const known = clients.value[number]!;
      clients.change()[number] = { ...known, requests: known.requests + 1 };
    }
  }

  /** A client's good answers before its first failed one. Only the sum before the candidate needs them. */
  private earlier(): number {
    if (this.startedAt !== null) return 0;
    return this.random.poisson((this.now - this.beganAt) / 1000 / (this.conditions.secondsBetween ?? 10));
  }

  private count(slot: Slot, client: number): void {
    const counted = this.counted[slot];
    counted.requests += 1;
    counted.errors += 1;
    add(counted.classes, "5xx", 1);
    if (slot === this.candidateSlot) this.failed += 1;
    const number = numberOf(client, counted);
    const known = counted.clients.value[number] ?? { ...NEVER_CAME, requests: this.earlier() };
    const more = { requests: known.requests + 1, errors: known.errors + 1 };
    counted.clients.change()[number] = { ...known, ...more };
  }

  private counts(): PerSlot<SlotCounts> {
    const slot = (each: Slot): SlotCounts => {
      const { requests, errors, latency, classes, clients } = this.counted[each];
      return {
        ...{ requests, errors, latency: latency.read(), classes: { ...classes }, inFlight: 0 },
        endpoints: [{ server: each === "blue" ? "web-1" : "web-2", healthy: true, inRotation: true }],
        ...(this.conditions.clients === false
          ? {}
          : { clients: clients.read() as unknown as SlotCounts["clients"] }),
      };
    };
    return { blue: slot("blue"), green: slot("green") };
  }
}

const NEVER_CAME: ClientCounts = { requests: 0, errors: 0, latency: {} };

function nothing(): Counted {
  return {
    ...{ requests: 0, errors: 0, classes: {}, numbers: new Map() },
    latency: new Latest<Record<number, number>>({}, (latency) => ({ ...latency })),
    clients: new Latest<ClientCounts[]>([], (clients) => clients.slice()),
  };
}

function numberOf(client: number, { numbers }: Counted): number {
  const number = numbers.get(client) ?? numbers.size;
  numbers.set(client, number);
  return number;
}

/** Fewer classes than a driver has are simulated faster: eight for each doubling. */
function coarse(milliseconds: number): number {
  return 2 ** (Math.floor(8 * Math.log2(Math.max(1, milliseconds))) / 8);
}

function add(counts: Record<string, number>, key: string, more: number): void {
  counts[key] = (counts[key] ?? 0) + more;
}
