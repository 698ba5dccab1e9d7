/**
 * Everything that surrounds a director, simulated: a proxy, the releases on its servers, time, a state file, and a
 * crash after any effect. The world watches itself: what must never happen is noted under the name of the invariant.
 */
import { createHash } from "node:crypto";
import { Director } from "../../../on-server/director/director";
import type { Surroundings } from "../../../on-server/director/director";
import { CLOSED, isLeft } from "../../../on-server/director/drivers/driver";
import type { Driver, SlotCounts, Traffic } from "../../../on-server/director/drivers/driver";
import { failureCodeOf } from "../../../release/failure";
import type { Look } from "../../../on-server/director/look";
import { Interrupted } from "../../../on-server/director/interruption";
import { NEVER_LIVE } from "../../../on-server/director/state";
import type { State } from "../../../on-server/director/state";
import { abort } from "../../../on-server/director/steps/abort";
import { begin } from "../../../on-server/director/steps/begin";
import { breakGlass } from "../../../on-server/director/steps/break-glass";
import { share } from "../../../on-server/director/steps/share";
import { switchTraffic } from "../../../on-server/director/steps/switch";
import { directorSpec, stepSpec } from "../../../configuration/director-spec";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { parseEnvironment } from "../../../configuration/environment-file";
import type { Environment } from "../../../configuration/environment";
import { EXIT } from "../../../release/exit-code";
import { slotEndpoints } from "../../../configuration/naming";
import { stepId, stepName } from "../../../release/steps";
import type { Endpoint } from "../../../configuration/naming";
import { emptyRecord, healedServers, installedRelease, isHealed } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { releaseId } from "../../../release/release";
import type { Candidate, Release } from "../../../release/release";
import type { ScheduleChoice } from "../../../release/schedule";
import { releaseLeft } from "../../../release/draining";
import type { Activity } from "../../../release/server-drain";
import { otherSlot, SLOTS } from "../../../release/slot";
import type { PerSlot, Slot } from "../../../release/slot";
import type { Observed } from "../../../release/transitions";
import type { Fault } from "./mutants";

export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I9" | "I10" | "I13";

/** What a release is like once it runs. */
export type Behaviour = "good" | "unhealthy" | "failsUnderTraffic" | "slowUnderTraffic" | "diesUnderTraffic";

/** Where a director can be killed: at an effect, or while it waits. */
const POINTS = ["save", "traffic", "measure", "exclude", "include", "cut", "sleep"] as const;
export type Point = (typeof POINTS)[number];

/** Where a director can be killed in each phase: others are over before, or come after, the phase is persisted. */
export const REACHABLE: Readonly<Record<State["phase"], readonly Point[]>> = {
  stable: POINTS,
  staged: ["save", "measure"],
  verified: ["save", "traffic"],
  shifting: ["save", "traffic", "measure", "sleep"],
  baking: ["save", "traffic", "sleep"],
  converging: ["save", "traffic", "measure", "cut", "sleep"],
  aborting: ["save", "traffic", "sleep"],
  frozen: ["save", "measure"],
};

/** The n-th effect of what runs next; or the first one of a kind in a persisted phase. */
export type CrashPoint = { readonly when: "before" | "after" } & (
  { readonly effect: number } | { readonly phase: State["phase"]; readonly point: Point }
);

/** How often a director was killed, by `phase point when`; of all worlds. */
export const KILLED = new Map<string, number>();

export type Step = "begin" | "switch" | "share" | "abort" | "rollback";

export interface StepResult {
  readonly exitCode: number | "crashed";
  readonly outcome: string;
  readonly reason: string;
  /** How often the proxy was told something. */
  readonly trafficChanges: number;
  readonly saves: number;
}

interface Instance {
  readonly releaseId: string;
  readonly sha256: string;
  readonly behaviour: Behaviour;
  up: boolean;
  servedMs: number;
  /** Successful probes in a row; and whether there were ever enough of them. */
  inARow: number;
  verified: boolean;
}

/** A page that the director asks of an instance. */
export interface AskedPage {
  readonly version: string;
  readonly server: string;
  readonly path: string;
}

export const HTML: Look = { status: 200, kind: "text/html", isEmpty: false, problem: "" };

class Crash extends Error {}

const rollback = (director: Director) => breakGlass(director, "it loses orders");
const STEPS = { begin, switch: switchTraffic, share, abort, rollback };
const REQUEST_MS = 150;
const LONG_REQUEST_MS = 5_000;
const DIES_AFTER_MS = 400;
/** A director looks several times a second. */
const ABORT_NOTICED_MS = 300;

export function simulatedEnvironment(
  schedule: ScheduleChoice = { strategy: "blueGreen", bakeSeconds: 1, drainSeconds: 1 },
  proxies = 1,
): Environment {
  const verification = { successes: 2, intervalSeconds: 0.1, deadlineSeconds: 1 };
  return parseEnvironment(
    JSON.stringify({
      formatVersion: 1,
      application: "demo",
      name: "simulated",
      record: "release.json",
      platform: { kind: "local" },
      topology: "split",
      servers: { count: 4 },
      proxies: { count: proxies },
      start: ["node", "server.js"],
      verification,
      schedule,
    }),
    "simulated.json",
  );
}

export function artifact(version: string): Candidate {
  const sha256 = createHash("sha256").update(version).digest("hex");
  return { version, artifact: { url: `https://example.com/${version}.zip`, sha256 } };
}

/** Whether users get a slot, if only those who stay there. */
function hasUsers(traffic: Traffic, slot: Slot): boolean {
  return weightOf(traffic, slot) > 0 || isLeft(traffic, slot);
}

function weightOf(traffic: Traffic, slot: Slot): number {
  if (traffic.live === null) return 0;
  return slot === traffic.live ? 100 - traffic.weight : traffic.weight;
}

export class SimulatedWorld {
  readonly violations: { readonly invariant: Invariant; readonly what: string }[] = [];
  /** How releases behave, by version; good unless said otherwise. */
  readonly behaviours = new Map<string, Behaviour>();
  readonly events: { readonly event: string; readonly facts: Readonly<Record<string, unknown>> }[] = [];
  /** Every traffic value that the proxy was told, in order. */
  readonly history: Traffic[] = [];
  traffic: Traffic = CLOSED;
  state: State = NEVER_LIVE;
  now = 1_700_000_000_000;
  /** An operator asks for an end this many milliseconds after the next step began. */
  abortAfterMs: number | null = null;
  crash: CrashPoint | null = null;
  fault: Fault = (surroundings) => surroundings;
  /** The director is killed right after the first effect that makes this true. */
  crashOnce: (() => boolean) | null = null;
  /** The environment's own requests that instances got, in order; and which of them they answer badly. */
  readonly asked: string[] = [];
  complains: (server: string, path: string) => boolean = () => false;
  /** What users ask most, as the proxy reports it; null: it can't tell. */
  popularPages: readonly string[] | null = null;
  /** What a page answers; by default every page of every release is HTML. */
  look: (page: AskedPage) => Look = () => HTML;
  /** Pages that instances were asked for, as `version path`. */
  readonly looked: string[] = [];
  /** How long a page takes. */
  lookMs = 0;
  /** How much users ask; 0 is a quiet site. */
  requestsPerMs = 0.4;
  /** How long clients of a release that users leave go on asking there. */
  activeMs = 0;
  private readonly leftAt = { blue: 0, green: 0 };
  /** Some requests take longer than any drain. */
  hasLongRequests = false;
  /** How many directors are at work, which a lock keeps at one; and how many ever were. */
  private atWork = 0;
  mostAtOnce = 0;
  /** When the running step first judged that all is well. */
  firstPassAt: number | null = null;
  /** Contract migrations that ran. */
  readonly schema = new Set<string>();
  /** What releases say that they work without, by version. */
  readonly contracts = new Map<string, readonly string[]>();
  private retained: { readonly slot: Slot; readonly until: number } | null = null;
  /** Answers of a slot since it got its first request of this release. */
  private readonly answersUnderTraffic = { blue: 0, green: 0 };
  /** Whether the proxy's own health checks pass where the director's do. */
  proxyReachesEndpoints = true;
  /** The proxy refuses what it is told; what it does now can still be asked. */
  proxyRefuses = false;

  private readonly instances: Record<Slot, (Instance | null)[]> = { blue: [null, null], green: [null, null] };
  /** Out of rotation, by the proxy's own word. */
  readonly excluded: Record<Slot, Set<string>> = { blue: new Set(), green: new Set() };
  /** Those of them whose clients stay. */
  readonly keeping = new Set<string>();
  /** What users do on a server out of rotation. */
  activityOf: (slot: Slot, server: string) => Activity = () => ({ running: 0, idleSeconds: null });
  /** Servers that this proxy was never told of. */
  readonly unknown = new Set<string>();
  private readonly busyUntil = { blue: 0, green: 0 };
  private readonly counted = {
    blue: { requests: 0, errors: 0, latency: {} as Record<number, number> },
    green: { requests: 0, errors: 0, latency: {} as Record<number, number> },
  };
  measuresLatencies = false;
  /** The same, with each traffic value that the proxy was given. */
  readonly measured: boolean[] = [];
  /** What Terraform remembers, by the step's address. */
  private readonly installedNames = new Map<string, string>();
  private fullSince: { slot: Slot; at: number } | null = null;
  private probed = new Set<Slot>();
  private spec: DirectorSpec;
  private abortAt: number | null = null;
  private effects = 0;
  private saves = 0;
  private dead = false;
  private crashed = false;
  /** What an operator on the proxy may bring back without a bake: releases that had theirs. */
  private readonly everStable = new Set<string>();
  private isByHand = false;

  constructor(
    readonly environment: Environment,
    readonly proxy = 0,
  ) {
    this.spec = directorSpec(environment, emptyRecord("demo"), proxy);
  }

  /** What the operator's command sees. */
  get observed(): Observed {
    const { stable } = this.state;
    const serving = SLOTS.filter((slot) => weightOf(this.traffic, slot) > 0);
    return { live: stable?.slot ?? null, releaseId: stable?.releaseId ?? null, serving };
  }

  get stableAnswers(): boolean {
    const { stable } = this.state;
    return stable !== null && this.answers(stable.slot, stable.releaseId);
  }

  /** A recreate that failed on one server of several leaves two releases in the slot. */
  get stableIsEverywhere(): boolean {
    const { stable } = this.state;
    const isStable = (instance: Instance | null) =>
      isHealthy(instance) && instance.releaseId === stable?.releaseId;
    return stable !== null && this.instances[stable.slot].every(isStable);
  }

  answers(slot: Slot, release: string): boolean {
    return this.instances[slot].some((instance) => isHealthy(instance) && instance.releaseId === release);
  }

  /** Runs one step of the director as main.ts does. */
  async run(step: Step, record: ReleaseRecord): Promise<StepResult> {
    return this.runSpec(step, stepSpec(this.environment, record, this.proxy));
  }

  async runSpec(step: Step, spec: DirectorSpec): Promise<StepResult> {
    if (this.atWork > 0) {
      const reason = "another director is running on this proxy";
      return { exitCode: EXIT.refused, outcome: "refused", reason, trafficChanges: 0, saves: 0 };
    }
    this.atWork += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atWork);
    try {
      return await this.runLocked(step, spec);
    } finally {
      this.atWork -= 1;
    }
  }

  private async runLocked(step: Step, spec: DirectorSpec): Promise<StepResult> {
    this.spec = spec;
    this.isByHand = step === "rollback";
    this.probed = new Set();
    this.dead = false;
    this.crashed = false;
    this.firstPassAt = null;
    this.abortAt = this.abortAfterMs === null || step === "abort" ? null : this.now + this.abortAfterMs;
    const changes = this.history.length;
    const { saves } = this;
    const ended = (exitCode: number | "crashed", outcome: string, reason: string): StepResult => ({
      exitCode,
      outcome,
      reason,
      trafficChanges: this.history.length - changes,
      saves: this.saves - saves,
    });
    try {
      const { outcome, reason } = await STEPS[step](this.director());
      return ended(EXIT.done, outcome, reason);
    } catch (error) {
      const { message } = error as Error;
      if (this.dead) return ended("crashed", "crashed", message);
      if (error instanceof Interrupted) return ended(EXIT.aborted, "rolledBack", message);
      return ended(failureCodeOf(error) ?? EXIT.unexpected, "failed", message);
    }
  }

  /** One that works with the last step's record, for what an operator does on the proxy. */
  director(): Director {
    this.dead = false;
    return new Director(this.fault(this.surroundings()));
  }

  /** The install steps of a record: what Terraform runs for it, and no more. @returns whether all succeeded. */
  install(record: ReleaseRecord, fails = false): boolean {
    for (const slot of SLOTS) {
      const due = slotEndpoints(this.environment)[slot].filter(({ server }) => {
        const known = this.installedNames.get(stepId.install(slot, server));
        const needed = healedServers(record).length === 0 || installedRelease(record, slot, server) !== null;
        return needed && known !== stepName.install(record, slot, server);
      });
      if (due.length === 0) continue;
      const [{ server }] = due as [Endpoint];
      const succeeded = isHealed(record, slot, server)
        ? due.map((each) => this.heal(slot, each.server, record, fails)).every(Boolean)
        : this.installInto(slot, record.slots[slot], record, fails);
      if (!succeeded) return false;
      for (const each of due) {
        this.installedNames.set(
          stepId.install(slot, each.server),
          stepName.install(record, slot, each.server),
        );
      }
    }
    return true;
  }

  /** The migrate step: contract scripts that are due take away what older releases need. */
  migrate(record: ReleaseRecord): void {
    for (const script of record.contracted ?? []) {
      if (this.schema.has(script)) continue;
      this.schema.add(script);
      const { slots, previous } = record;
      const known = [slots.blue, slots.green, previous].flatMap((release) => release ?? []).map(releaseId);
      const left = releaseLeft(this.traffic)?.releaseId ?? [];
      const needing = [...known, left].flat().find((id) => !this.worksWithout(script, id));
      if (needing !== undefined) this.note("I10", `${script} ran while ${needing} may get traffic`);
    }
  }

  private worksWithout(script: string, id: string): boolean {
    return this.contracts.get(id.replace(/-\d+$/, ""))?.includes(script) === true;
  }

  /** Servers whose heal was not carried out: the plan of anything but their heal is refused. */
  unhealed(record: ReleaseRecord): string[] {
    const servers = SLOTS.flatMap((slot) =>
      slotEndpoints(this.environment)[slot].flatMap(({ server }) => {
        const known = this.installedNames.get(stepId.install(slot, server));
        const isDue = isHealed(record, slot, server) && known !== stepName.install(record, slot, server);
        return isDue && !healedServers(record).includes(server) ? [server] : [];
      }),
    );
    return [...new Set(servers)];
  }

  /** From now on, a slot's instances behave otherwise. */
  misbehave(slot: Slot, behaviour: Behaviour): void {
    this.instances[slot] = this.instances[slot].map((each) => each && { ...each, behaviour });
  }

  /** A server is lost, and base makes it anew: nothing runs on it. */
  lose(server: string): void {
    for (const slot of SLOTS) {
      const index = this.indexOf(slot, server);
      if (index >= 0) this.instances[slot][index] = null;
    }
  }

  /** Whether a server is in rotation, and healthy where its slot has traffic. */
  isWell(server: string): boolean {
    return SLOTS.every((slot) => {
      const index = this.indexOf(slot, server);
      const serves =
        index < 0 || weightOf(this.traffic, slot) === 0 || isHealthy(this.instances[slot][index] ?? null);
      return serves && !this.excluded[slot].has(server);
    });
  }

  runs(server: string): (string | null)[] {
    return SLOTS.flatMap((slot) => {
      const index = this.indexOf(slot, server);
      return index < 0 ? [] : [this.instances[slot][index]?.releaseId ?? null];
    });
  }

  private heal(slot: Slot, server: string, record: ReleaseRecord, fails: boolean): boolean {
    const index = this.indexOf(slot, server);
    const release = installedRelease(record, slot, server)!;
    const found = this.instances[slot][index] ?? null;
    // What runs there already, and well, is left alone.
    if (found?.releaseId === releaseId(release) && isHealthy(found)) return true;
    if (!this.excluded[slot].has(server)) {
      this.note("I2", `record ${record.sequence} heals ${server} in ${slot} while it is in rotation`);
    }
    this.instances[slot][index] = fails ? null : this.instance(releaseId(release), release.artifact.sha256);
    return !fails;
  }

  /** The convergence: the idle slot's servers get the active release too. */
  converge(record: ReleaseRecord): void {
    this.installInto(otherSlot(record.active), record.slots[record.active], record, false);
  }

  /** Somebody stops (or starts) what runs in a slot. */
  setUp(slot: Slot, up: boolean): void {
    for (const instance of this.instances[slot]) if (instance) instance.up = up;
  }

  /** What dies under traffic is brought up, or stays up, and does not die again. */
  repair(slot: Slot): void {
    for (const instance of this.instances[slot]) {
      if (instance?.behaviour !== "diesUnderTraffic") continue;
      Object.assign(instance, { up: true, behaviour: "good" });
    }
  }

  /** Somebody puts another release there, past the director. */
  replaceByHand(slot: Slot, release: string): void {
    this.instances[slot] = [this.instance(release, "0".repeat(64)), this.instance(release, "0".repeat(64))];
  }

  replaceOn(slot: Slot, server: string, release: string): void {
    this.instances[slot][this.indexOf(slot, server)] = this.instance(release, "0".repeat(64));
  }

  violationsOf(invariant: Invariant): string[] {
    return this.violations.filter((each) => each.invariant === invariant).map(({ what }) => what);
  }

  private installInto(slot: Slot, release: Release | null, record: ReleaseRecord, fails: boolean): boolean {
    const { traffic } = this;
    const inPlace = this.spec.schedule.strategy === "recreate" && slot === record.active;
    if (inPlace ? traffic.live === slot && traffic.mode === "serve" : hasUsers(traffic, slot)) {
      this.note("I2", `record ${record.sequence} installs into ${slot} while ${JSON.stringify(traffic)}`);
    }
    if (!inPlace && this.now < this.busyUntil[slot]) {
      this.note("I2", `record ${record.sequence} installs into ${slot} while requests still run there`);
    }
    if (this.retained?.slot === slot && this.now < this.retained.until) {
      const said = this.events.some(
        ({ event, facts }) => event === "begin" && facts["sequence"] === record.sequence && facts["replaces"],
      );
      if (record.active !== slot && release !== null) {
        this.note("I13", `record ${record.sequence} converges over ${slot} before its time`);
      } else if (!said) {
        this.note("I13", `record ${record.sequence} gives up ${slot} before its time, and does not say so`);
      }
      this.retained = null;
    }
    const placed = () =>
      release === null ? null : this.instance(releaseId(release), release.artifact.sha256);
    // The first server gets it, the second one fails; a recreate starts the old release again.
    this.instances[slot] = [placed(), fails ? (inPlace ? this.instances[slot][1]! : null) : placed()];
    return !fails;
  }

  private instance(id: string, sha256: string): Instance {
    const behaviour = this.behaviours.get(id.replace(/-\d+$/, "")) ?? "good";
    return { releaseId: id, sha256, behaviour, up: true, servedMs: 0, inARow: 0, verified: false };
  }

  private surroundings(): Surroundings {
    const { driver, spec } = this;
    return {
      spec,
      driver,
      probe: async (endpoint, expected) => {
        this.requireAlive();
        return this.probe(endpoint, expected);
      },
      attempt: async (endpoint, exchange) => {
        this.requireAlive();
        this.asked.push(`${exchange.path} ${endpoint.server}`);
        const problem = this.complains(endpoint.server, exchange.path)
          ? `answers 500 to ${exchange.path}`
          : "";
        return { problem, milliseconds: 5 };
      },
      look: async (endpoint, path) => {
        this.requireAlive();
        this.now += this.lookMs;
        const found = this.releaseAt(endpoint);
        if (found === null) return { status: null, kind: "", isEmpty: true, problem: "ECONNREFUSED" };
        const version = found.replace(/-\d+$/, "");
        this.looked.push(`${version} ${path}`);
        return this.look({ version, server: endpoint.server, path });
      },
      store: {
        load: () => this.state,
        save: (state) => this.effect("save", () => this.saved(state)),
      },
      clock: {
        now: () => this.now,
        sleep: async (milliseconds) => this.effect("sleep", () => this.advance(milliseconds)),
      },
      interruption: {
        check: () => {
          this.requireAlive();
          if (this.abortAt !== null && this.now >= this.abortAt) {
            throw new Interrupted("aborted by an operator");
          }
        },
      },
      logEvent: (event, facts = {}) => {
        if (event === "analysis" && facts["verdict"] === "pass") this.firstPassAt ??= this.now;
        this.events.push({ event, facts });
      },
    };
  }

  private readonly driver: Driver = {
    observe: async () => {
      this.requireAlive();
      return this.traffic;
    },
    setTraffic: async (traffic) => {
      this.requireAlive();
      if (this.proxyRefuses) throw new Error("the proxy refused");
      this.effect("traffic", () => {
        this.told(traffic);
        this.measuresLatencies &&= traffic.fallback;
        this.measured.push(this.measuresLatencies);
      });
    },
    measureLatencies: async (wanted) => this.effect("measure", () => void (this.measuresLatencies = wanted)),
    counts: async () => {
      this.requireAlive();
      const count = (slot: Slot): SlotCounts => ({
        requests: Math.floor(this.counted[slot].requests),
        errors: Math.floor(this.counted[slot].errors),
        inFlight: this.now < this.busyUntil[slot] ? 1 : 0,
        latency: floored(this.counted[slot].latency),
        endpoints: this.spec.endpoints[slot].flatMap(({ server }, index) => {
          const healthy = this.proxyReachesEndpoints && isHealthy(this.instances[slot][index] ?? null);
          const inRotation = !this.excluded[slot].has(server);
          return this.unknown.has(server) ? [] : [{ server, healthy, inRotation }];
        }),
      });
      return { blue: count("blue"), green: count("green") } satisfies PerSlot<SlotCounts>;
    },
    idleSeconds: async (slot) => {
      this.requireAlive();
      const last = isLeft(this.traffic, slot)
        ? Math.min(this.now, this.leftAt[slot] + this.activeMs)
        : this.now;
      return (this.now - last) / 1000;
    },
    popularPages: async () => this.popularPages ?? [],
    exclude: async (slot, servers) => {
      for (const server of servers) {
        this.effect("exclude", () => {
          this.excluded[slot].add(server);
          this.keeping.delete(server);
        });
      }
    },
    keepClients: async (slot, servers) => {
      for (const server of servers) {
        this.effect("exclude", () => {
          this.excluded[slot].add(server);
          this.keeping.add(server);
        });
      }
    },
    activity: async (slot, server) => this.activityOf(slot, server),
    cut: async (slot) => this.effect("cut", () => void (this.busyUntil[slot] = 0)),
    include: async (slot, servers) => {
      for (const server of servers) this.effect("include", () => this.included(slot, server));
    },
  };

  private included(slot: Slot, server: string): void {
    this.excluded[slot].delete(server);
    this.keeping.delete(server);
    const instance = this.instances[slot][this.indexOf(slot, server)] ?? null;
    if (weightOf(this.traffic, slot) > 0 && !(instance?.verified === true && isHealthy(instance))) {
      this.note("I3", `${server} gets requests of ${slot} before it was verified`);
    }
  }

  /** What runs there, if it is up. */
  private releaseAt({ server, port }: Endpoint): string | null {
    for (const slot of SLOTS) {
      const index = this.spec.endpoints[slot].findIndex(
        (each) => each.server === server && each.port === port,
      );
      const instance = index < 0 ? null : (this.instances[slot][index] ?? null);
      if (instance?.up === true) return instance.releaseId;
    }
    return null;
  }

  private indexOf(slot: Slot, server: string): number {
    return slotEndpoints(this.environment)[slot].findIndex((endpoint) => endpoint.server === server);
  }

  private probe(endpoint: Endpoint, expected: string | null) {
    for (const slot of SLOTS) {
      const index = this.spec.endpoints[slot].findIndex(
        ({ server, port }) => server === endpoint.server && port === endpoint.port,
      );
      if (index < 0) continue;
      const instance = this.instances[slot][index] ?? null;
      if (weightOf(this.traffic, slot) > 0) this.answersUnderTraffic[slot] += 1;
      if (instance === null || !instance.up)
        return { healthy: false, releaseId: null, problem: "ECONNREFUSED", milliseconds: null };
      const healthy = isHealthy(instance) && (expected === null || instance.releaseId === expected);
      instance.inARow = healthy ? instance.inARow + 1 : 0;
      instance.verified ||= instance.inARow >= this.spec.verification.successes;
      if (healthy) this.probed.add(slot);
      const problem = healthy ? "" : `answers as ${instance.releaseId}, not ${expected}`;
      return { healthy, releaseId: instance.releaseId, problem, milliseconds: 5 };
    }
    throw new Error(`nobody listens on ${endpoint.server}:${endpoint.port}`);
  }

  private effect(point: Point, perform: () => void): void {
    this.requireAlive();
    if (point !== "sleep") this.effects += 1;
    const { crash } = this;
    const { phase } = this.state;
    const crashes = !this.crashed && crash !== null && this.isAt(crash, point);
    if (!crashes || crash.when === "after") perform();
    if (crashes) {
      this.crashed = true;
      const name = `${phase} ${point} ${crash.when}`;
      KILLED.set(name, (KILLED.get(name) ?? 0) + 1);
    }
    if (crashes || (point !== "sleep" && this.crashOnce?.() === true)) {
      this.dead = true;
      this.crashOnce = null;
    }
    this.requireAlive();
  }

  private isAt(crash: CrashPoint, point: Point): boolean {
    if ("effect" in crash) return point !== "sleep" && this.effects === crash.effect;
    return crash.point === point && crash.phase === this.state.phase;
  }

  /** Counts effects from here; a crash point is relative to this. */
  countEffects(): void {
    this.effects = 0;
  }

  private requireAlive(): void {
    if (this.dead) throw new Crash("crashed");
  }

  private saved(state: State): void {
    const before = this.state.stable;
    const after = state.stable;
    if (JSON.stringify(before) !== JSON.stringify(after)) {
      if (this.isByHand) this.stableByHand(after);
      else if (before !== null) this.stableChanges(before, after);
      if (after !== null) this.everStable.add(after.releaseId);
      const late = this.abortAt === null ? 0 : this.now - this.abortAt;
      if (late > ABORT_NOTICED_MS)
        this.note("I6", `${after?.releaseId} is promoted ${late} ms after an abort`);
    }
    this.saves += 1;
    this.state = state;
  }

  private stableByHand(after: State["stable"]): void {
    this.retained = null;
    if (after !== null && this.everStable.has(after.releaseId) && this.answers(after.slot, after.releaseId))
      return;
    this.note("I4", `${after?.releaseId} is stable by hand, and never was before or does not answer`);
  }

  private stableChanges(before: NonNullable<State["stable"]>, after: State["stable"]): void {
    if (after === null) return this.note("I4", `${before.releaseId} was stable, and nothing is`);
    if (after.slot === before.slot) {
      if (this.traffic.mode === "serve")
        this.note("I4", `${after.releaseId} took the place of a release that serves`);
      return;
    }
    const { minimumRequests } = this.spec.schedule.analysis;
    // Users' requests are counted in whole numbers.
    if (Math.ceil(this.answersUnderTraffic[after.slot]) < minimumRequests) {
      const answers = this.answersUnderTraffic[after.slot];
      this.note("I9", `${after.releaseId} is stable after ${answers} answers`);
    }
    const keeps = this.spec.schedule.retainSeconds > 0 && !this.spec.converge;
    const until = this.now + 1000 * this.spec.schedule.retainSeconds;
    this.retained = keeps ? { slot: otherSlot(after.slot), until } : null;
    const bakedMs = this.fullSince?.slot === after.slot ? this.now - this.fullSince.at : -1;
    if (bakedMs < this.spec.schedule.bakeSeconds * 1000) {
      this.note("I4", `${after.releaseId} is stable after ${bakedMs} ms of all requests`);
    }
  }

  private told(traffic: Traffic): void {
    const before = this.traffic;
    this.traffic = traffic;
    this.history.push(traffic);
    if (!Number.isInteger(traffic.weight) || traffic.weight < 0 || traffic.weight > 100) {
      this.note("I1", `a weight of ${traffic.weight} %`);
    }
    for (const slot of SLOTS) {
      if (isLeft(traffic, slot) && !isLeft(before, slot)) this.leftAt[slot] = this.now;
      if (isLeft(traffic, slot) && before.sessions?.[slot] !== traffic.sessions?.[slot])
        this.note("I3", `clients stay in ${slot}, which had none`);
      if (weightOf(traffic, slot) > weightOf(before, slot)) this.gains(slot, before);
      if (weightOf(traffic, slot) === 0) this.answersUnderTraffic[slot] = 0;
      if (weightOf(traffic, slot) > weightOf(before, slot)) this.requireSchema(slot);
    }
    const reaches = (slot: Slot) =>
      (weightOf(traffic, slot) > 0 || traffic.fallback) && this.instances[slot].some(isHealthy);
    const served = SLOTS.some((slot) => weightOf(before, slot) > 0 && this.instances[slot].some(isHealthy));
    if (this.state.stable !== null && (served || this.stableAnswers) && !SLOTS.some(reaches))
      this.note("I1", `${JSON.stringify(traffic)} reaches nobody`);
    const full = SLOTS.find((slot) => weightOf(traffic, slot) === 100);
    if (full === undefined) this.fullSince = null;
    else if (this.fullSince?.slot !== full) this.fullSince = { slot: full, at: this.now };
  }

  private requireSchema(slot: Slot): void {
    for (const script of this.schema) {
      const needing = this.instances[slot].find((each) => each && !this.worksWithout(script, each.releaseId));
      if (needing) this.note("I10", `${needing.releaseId} gets requests after ${script}`);
    }
  }

  private gains(slot: Slot, before: Traffic): void {
    const { stable } = this.state;
    const instances = this.inUse(slot);
    if (stable?.slot === slot && before.live !== null) {
      if (!this.probed.has(slot)) this.note("I5", `traffic returns to ${slot}, which was not probed`);
    } else if (before.live !== null || stable === null) {
      const expected = this.spec.slots[this.spec.target];
      const verified = (instance: Instance | null) =>
        instance !== null && instance.verified && instance.sha256 === expected?.sha256;
      if (!instances.every(verified)) this.note("I3", `${slot} gets requests before it was verified`);
    }
  }

  private advance(milliseconds: number): void {
    this.requireAlive();
    this.now += milliseconds;
    for (const slot of SLOTS) {
      const weight = weightOf(this.traffic, slot);
      if (weight === 0) continue;
      if (this.requestsPerMs > 0) {
        this.busyUntil[slot] = this.now + (this.hasLongRequests ? LONG_REQUEST_MS : REQUEST_MS);
      }
      const requests = (milliseconds * this.requestsPerMs * weight) / 100;
      const instances = this.inUse(slot);
      const failing = instances.filter((each) => !isHealthy(each) || each.behaviour === "failsUnderTraffic");
      const slow = instances.some((each) => each?.behaviour === "slowUnderTraffic");
      const { latency } = this.counted[slot];
      const key = slow ? 992 : 5;
      if (this.measuresLatencies) latency[key] = (latency[key] ?? 0) + requests;
      this.answersUnderTraffic[slot] += requests;
      this.counted[slot].requests += requests;
      this.counted[slot].errors += (requests * failing.length) / Math.max(1, instances.length) / 2;
      for (const instance of instances) {
        if (instance === null) continue;
        instance.servedMs += milliseconds;
        if (instance.behaviour === "diesUnderTraffic" && instance.servedMs > DIES_AFTER_MS)
          instance.up = false;
      }
    }
  }

  /** The instances that get requests of new clients. */
  private inUse(slot: Slot): readonly (Instance | null)[] {
    const endpoints = slotEndpoints(this.environment)[slot];
    return this.instances[slot].filter((_, index) => !this.excluded[slot].has(endpoints[index]!.server));
  }

  private note(invariant: Invariant, what: string): void {
    this.violations.push({ invariant, what });
  }
}

function floored(latency: Record<number, number>): Record<number, number> {
  return Object.fromEntries(Object.entries(latency).map(([key, count]) => [key, Math.floor(count)]));
}

function isHealthy(instance: Instance | null): instance is Instance {
  return instance !== null && instance.up && instance.behaviour !== "unhealthy";
}
