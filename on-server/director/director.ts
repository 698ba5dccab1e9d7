/**
 * What all steps share: the facts and tools of one step, and the few effects that steps consist of.
 * A step observes, decides, then performs one effect at a time. After a crash between two effects, the next begin
 * understands the state.
 */
import type { DirectorSpec } from "../../configuration/director-spec";
import type { Endpoint } from "../../configuration/naming";
import type { Comparison } from "../../release/journal";
import type { RecordedRelease } from "../../release/sequence";
import { otherSlot } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { sameTraffic } from "./drivers/driver";
import type { Driver, Traffic } from "./drivers/driver";
import type { Interruption } from "./interruption";
import { appliedEntries, differs, extended } from "./journal";
import type { NewEntry } from "./journal";
import { leftSince, sessionEntries, withSessions } from "./leaving";
import type { LookAt } from "./look";
import type { Probe, ProbeEndpoint, TryExchange } from "./probe";
import type { State, StateStore } from "./state";
import type { PlacedRelease } from "../../release/director-status";

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

export type LogEvent = (event: string, facts?: Readonly<Record<string, unknown>>) => void;

export interface Surroundings {
  readonly spec: DirectorSpec;
  readonly driver: Driver;
  readonly probe: ProbeEndpoint;
  /** Sends a request that the environment defines: a smoke request, or a notification of an instance. */
  readonly attempt: TryExchange;
  /** Asks for a page as users do. */
  readonly look: LookAt;
  readonly store: StateStore;
  readonly clock: Clock;
  readonly interruption: Interruption;
  /** Logs a decision with its figures. */
  readonly logEvent: LogEvent;
}

const DRAIN_POLL_MS = 100;

export class Director {
  readonly spec: DirectorSpec;
  readonly driver: Driver;
  readonly probe: ProbeEndpoint;
  readonly attempt: TryExchange;
  readonly look: LookAt;
  readonly clock: Clock;
  readonly interruption: Interruption;
  readonly logEvent: LogEvent;
  private readonly store: StateStore;
  state: State;
  /** The figures behind the last judgement of this step. */
  comparison: Comparison | null = null;
  /** Whether this step found that users got more failed answers before the candidate got any traffic. */
  harmed = false;

  constructor(surroundings: Surroundings) {
    ({
      spec: this.spec,
      driver: this.driver,
      probe: this.probe,
      attempt: this.attempt,
      look: this.look,
      clock: this.clock,
      interruption: this.interruption,
      logEvent: this.logEvent,
      store: this.store,
    } = surroundings);
    this.state = this.store.load();
  }

  /** The recorded release in the slot that the record wants live. */
  get candidate(): PlacedRelease | null {
    return placed(this.spec.target, this.spec.slots[this.spec.target]);
  }

  save(changes: Partial<State>): void {
    this.state = { ...this.state, ...changes };
    this.store.save(this.state);
  }

  /** @param mayStay whether clients of a release that users leave may stay on it while they are active */
  async setTraffic(wanted: Traffic, { mayStay = false } = {}): Promise<void> {
    const before = await this.driver.observe();
    const traffic = withSessions(this, wanted, before, mayStay);
    this.logEvent("traffic", { ...traffic });
    const { live, weight, mode } = traffic;
    const ofNewClients = traffic.sessions === undefined ? {} : { ofNewClients: true as const };
    const known = appliedEntries(this.state, before);
    const journal = differs(traffic, before)
      ? this.journalWith({ event: "traffic", live, weight, mode, ...ofNewClients }, known)
      : known;
    const sessions = await sessionEntries(this, before, traffic);
    this.save({
      traffic: { intended: traffic, before },
      journal: sessions.reduce((all, entry) => this.journalWith(entry, all), journal),
      leftSince: leftSince(this, before, traffic),
    });
    await this.driver.setTraffic(traffic);
  }

  /** The journal with a new entry. Save it together with the effect of the entry. */
  journalWith(entry: NewEntry, journal = this.state.journal): State["journal"] {
    return extended(journal, { at: this.clock.now(), ...entry });
  }

  /** Where a slot's release has to answer: not on servers that an operator took out of use, unless it is installed there. */
  endpointsIn(slot: Slot): readonly Endpoint[] {
    const all = this.spec.endpoints[slot];
    if (this.spec.touched.includes(slot)) return all;
    const isUsed = ({ server }: Endpoint) =>
      this.state.drained?.some((each) => each.server === server) !== true;
    const used = all.filter(isUsed);
    return used.length > 0 ? used : all;
  }

  /** Adds a slot's servers to the rotation, unless they are in it. Only for servers that were just verified. */
  async putIntoRotation(slot: Slot, servers: readonly string[]): Promise<void> {
    const { endpoints } = (await this.driver.counts())[slot];
    const out = endpoints.flatMap(({ server, inRotation }) =>
      !inRotation && servers.includes(server) ? [server] : [],
    );
    if (out.length === 0) return;
    this.logEvent("rotation", { slot, include: out });
    await this.driver.include(slot, out);
    const { drained } = this.state;
    if (drained?.some(({ server }) => out.includes(server)))
      this.save({ drained: drained.filter(({ server }) => !out.includes(server)) });
  }

  /** Whether at least one endpoint in rotation answers as `release`. `includes` selects the servers. */
  async answers(
    slot: Slot,
    release: string,
    includes: (server: string) => boolean = () => true,
  ): Promise<{ healthy: boolean; well: string[]; others: string[]; problem: string }> {
    const counted = (await this.driver.counts())[slot].endpoints;
    const inRotation = counted.flatMap((each) => (each.inRotation ? [each.server] : []));
    const endpoints = this.spec.endpoints[slot].filter(
      ({ server }) => inRotation.includes(server) && includes(server),
    );
    const probes = await Promise.all(endpoints.map((endpoint) => this.probe(endpoint, release)));
    const otherIds = probes.flatMap((probe) =>
      probe.releaseId !== null && probe.releaseId !== release ? [probe.releaseId] : [],
    );
    const well = endpoints.flatMap(({ server }, index) => (probes[index]!.healthy ? [server] : []));
    return {
      healthy: well.length > 0,
      well,
      others: [...new Set(otherIds)],
      problem: endpoints.length === 0 ? "no server in rotation" : firstProblem(endpoints, probes),
    };
  }

  /** Whether the proxy's traffic is what a director set. */
  isAsSet(traffic: Traffic): boolean {
    const { intended, before } = this.state.traffic;
    return sameTraffic(traffic, intended) || sameTraffic(traffic, before);
  }

  /**
   * Waits until a slot has no running request, at most `drainSeconds`. Requests that run longer are cut if the slot's
   * instances are replaced next (`cut`). Otherwise they finish in the old slot, and if users wait for the director's end,
   * it does not wait for them.
   */
  async drain(slot: Slot, { cut }: { readonly cut: boolean }): Promise<void> {
    const deadline = this.clock.now() + this.spec.schedule.drainSeconds * 1000;
    for (;;) {
      const { inFlight } = (await this.driver.counts())[slot];
      const isUrgent = !cut && this.interruption.isUrgent?.() === true;
      const isOver = isUrgent || this.clock.now() >= deadline;
      if (inFlight > 0 && !isOver) {
        await this.clock.sleep(DRAIN_POLL_MS);
        continue;
      }
      this.logEvent("drained", { slot, stillRunning: inFlight, cut: inFlight > 0 && cut });
      const left = { slot, running: inFlight, cut: inFlight > 0 && cut };
      this.save({
        journal: this.journalWith({ event: "drained", ...left }),
        ...(inFlight > 0 ? { unfinished: [...this.state.unfinished, left] } : {}),
      });
      if (inFlight === 0) return;
      if (cut) await this.driver.cut(slot);
      return;
    }
  }
}

export function placed(slot: Slot, release: RecordedRelease | null): PlacedRelease | null {
  return release === null ? null : { slot, ...release };
}

export function describeTraffic({ live, weight, mode }: Traffic): string {
  if (live === null) return "no slot is live";
  const slots =
    weight === 0 ? `all requests to ${live}` : `${weight} % to ${otherSlot(live)}, the rest to ${live}`;
  return mode === "serve" ? slots : `${slots}, mode ${mode}`;
}

/** `server (host:port)`, as reasons name an endpoint. */
export function describeEndpoint({ server, host, port }: Endpoint): string {
  return `${server} (${host}:${port})`;
}

function firstProblem(endpoints: readonly Endpoint[], probes: readonly Probe[]): string {
  const index = probes.findIndex((probe) => !probe.healthy);
  return index < 0 ? "" : `${describeEndpoint(endpoints[index]!)}: ${probes[index]!.problem}`;
}

/** Where a release starts in the ring of buckets. It depends on the release id only, so all proxies agree. */
export function bucketOffset(releaseId: string): number {
  let sum = 0;
  for (const character of releaseId) sum = (sum * 31 + character.charCodeAt(0)) % 9973;
  return sum % 100;
}
