/**
 * The director's common ground: one step's facts and tools, and the few effects that all steps are made of.
 * A step observes, decides, and then does one effect at a time, so that a crash between two of them leaves a
 * state that the next begin understands.
 */
import type { DirectorSpec } from "../../configuration/director-spec";
import type { Comparison } from "../../release/journal";
import type { RecordedRelease } from "../../release/sequence";
import { otherSlot } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { sameTraffic } from "./drivers/driver";
import type { Driver, Traffic } from "./drivers/driver";
import type { Interruption } from "./interruption";
import { cameTrue, differs, extended } from "./journal";
import type { Happening } from "./journal";
import type { ProbeEndpoint, TryExchange } from "./probe";
import type { PlacedRelease, State, StateStore } from "./state";

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

export type Say = (event: string, facts?: Readonly<Record<string, unknown>>) => void;

export interface Surroundings {
  readonly spec: DirectorSpec;
  readonly driver: Driver;
  readonly probe: ProbeEndpoint;
  /** Sends one of the environment's requests: a smoke request, or one that tells an instance of its role. */
  readonly attempt: TryExchange;
  readonly store: StateStore;
  readonly clock: Clock;
  readonly interruption: Interruption;
  /** Notes a decision with its figures. */
  readonly say: Say;
}

const DRAIN_POLL_MS = 100;

export class Director {
  readonly spec: DirectorSpec;
  readonly driver: Driver;
  readonly probe: ProbeEndpoint;
  readonly attempt: TryExchange;
  readonly clock: Clock;
  readonly interruption: Interruption;
  readonly say: Say;
  private readonly store: StateStore;
  state: State;
  /** What the last judgement of this step rests on. */
  comparison: Comparison | null = null;

  constructor(surroundings: Surroundings) {
    ({
      spec: this.spec,
      driver: this.driver,
      probe: this.probe,
      attempt: this.attempt,
      clock: this.clock,
      interruption: this.interruption,
      say: this.say,
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

  async setTraffic(traffic: Traffic): Promise<void> {
    this.say("traffic", { ...traffic });
    const before = await this.driver.observe();
    const { live, weight, mode } = traffic;
    const known = cameTrue(this.state, before);
    const journal = differs(traffic, before)
      ? this.journalWith({ event: "traffic", live, weight, mode }, known)
      : known;
    this.save({ traffic: { intended: traffic, before }, journal });
    await this.driver.setTraffic(traffic);
  }

  /** The journal and what happened now, to be saved together with what comes of it. */
  journalWith(happening: Happening, journal = this.state.journal): State["journal"] {
    return extended(journal, { at: this.clock.now(), ...happening });
  }

  /** Puts those of a slot's servers into rotation that are not. Only what was verified a moment ago. */
  async putIntoRotation(slot: Slot, servers: readonly string[]): Promise<void> {
    const { endpoints } = (await this.driver.counts())[slot];
    const out = endpoints.flatMap(({ server, inRotation }) =>
      !inRotation && servers.includes(server) ? [server] : [],
    );
    if (out.length === 0) return;
    this.say("rotation", { slot, include: out });
    await this.driver.include(slot, out);
  }

  /** Whether a slot answers as `release` on at least one endpoint that is in rotation (on some servers only). */
  async answers(
    slot: Slot,
    release: string,
    isMeant: (server: string) => boolean = () => true,
  ): Promise<{ healthy: boolean; well: string[]; others: string[]; problem: string }> {
    const counted = (await this.driver.counts())[slot].endpoints;
    const inRotation = counted.flatMap((each) => (each.inRotation ? [each.server] : []));
    const endpoints = this.spec.endpoints[slot].filter(
      ({ server }) => inRotation.includes(server) && isMeant(server),
    );
    const probes = await Promise.all(endpoints.map((endpoint) => this.probe(endpoint, release)));
    const named = probes.flatMap((probe) =>
      probe.releaseId !== null && probe.releaseId !== release ? [probe.releaseId] : [],
    );
    const well = endpoints.flatMap(({ server }, index) => (probes[index]!.healthy ? [server] : []));
    return {
      healthy: well.length > 0,
      well,
      others: [...new Set(named)],
      problem: probes.find((probe) => !probe.healthy)?.problem ?? "",
    };
  }

  /** Whether what the proxy does is what a director told it. */
  isAsSet(traffic: Traffic): boolean {
    const { intended, before } = this.state.traffic;
    return sameTraffic(traffic, intended) || sameTraffic(traffic, before);
  }

  /**
   * Waits until a slot has no running request, at most `drainSeconds`. What runs longer is cut where the slot's
   * instances are replaced next; else it goes on in the old slot, and nobody notices.
   */
  async drain(slot: Slot, { cut }: { readonly cut: boolean }): Promise<void> {
    const deadline = this.clock.now() + this.spec.schedule.drainSeconds * 1000;
    for (;;) {
      const { inFlight } = (await this.driver.counts())[slot];
      const isOver = this.clock.now() >= deadline;
      if (inFlight > 0 && !isOver) {
        await this.clock.sleep(DRAIN_POLL_MS);
        continue;
      }
      this.say("drained", { slot, stillRunning: inFlight, cut: inFlight > 0 && cut });
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

export function describeTraffic(traffic: Traffic): string {
  if (traffic.live === null) return "nothing live";
  if (traffic.weight === 0) return `all to ${traffic.live}`;
  return `${traffic.weight} % to ${otherSlot(traffic.live)}, the rest to ${traffic.live}`;
}

/** Where a release starts in the ring of buckets; derived from its id, so that all proxies agree without talking. */
export function bucketOffset(releaseId: string): number {
  let sum = 0;
  for (const character of releaseId) sum = (sum * 31 + character.charCodeAt(0)) % 9973;
  return sum % 100;
}
