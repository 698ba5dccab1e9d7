/** Somebody with the `bluegreen` command in a simulated world: makes records by transitions and applies them. */
import { EXIT } from "../../../release/exit-code";
import { emptyRecord, healedServers, target } from "../../../release/record";
import type { EndSessions, Goal, ReleaseRecord } from "../../../release/record";
import { Refusal } from "../../../release/failure";
import { releaseId } from "../../../release/release";
import { otherSlot } from "../../../release/slot";
import type { Candidate } from "../../../release/release";
import type { ScheduleChoice } from "../../../release/schedule";
import * as transitions from "../../../release/transitions";
import { artifact } from "./simulated-world";
import type { SimulatedWorld, StepResult } from "./simulated-world";

export interface Mishap {
  readonly installFails?: boolean;
  /** A server that base made anew. */
  readonly lost?: string;
}

/** How an apply ended: at which step, and how. */
export interface Applied {
  readonly step: "begin" | "install" | "switch" | "share" | "none";
  readonly result: StepResult | null;
  readonly record: ReleaseRecord;
}

export class Operator {
  record: ReleaseRecord = emptyRecord("demo");

  constructor(readonly world: SimulatedWorld) {}

  async release(
    version: string | Candidate,
    options: {
      goal?: Goal;
      schedule?: ScheduleChoice;
      retry?: boolean;
      endSessions?: EndSessions;
    } & Mishap = {},
  ): Promise<Applied> {
    const { retry, installFails, endSessions, ...choice } = options;
    const candidate = typeof version === "string" ? artifact(version) : version;
    this.world.contracts.set(candidate.version, candidate.contracts ?? []);
    const record = transitions.release(this.record, candidate, this.world.observed, {
      environmentSchedule: this.world.environment.schedule,
      ...choice,
    });
    const asked = { ...record, ...(retry && { retry }), ...(endSessions && { endSessions }) };
    return this.apply(asked, { installFails: installFails === true });
  }

  async promote(to: Goal = "live"): Promise<Applied> {
    return this.apply(transitions.promote(this.record, this.world.observed, to));
  }

  async rollback(endSessions?: EndSessions): Promise<Applied> {
    const intent = { environmentSchedule: this.world.environment.schedule };
    const record = transitions.rollback(this.record, this.world.observed, intent);
    return this.apply({ ...record, ...(endSessions && { endSessions }) });
  }

  async retry(mishap: Mishap = {}): Promise<Applied> {
    const candidate = target(this.record);
    const missing = candidate !== null && !this.world.answers(this.record.active, releaseId(candidate));
    return this.apply(transitions.retry(this.record, this.world.observed, missing), mishap);
  }

  async heal(servers: readonly string[], mishap: Mishap = {}): Promise<Applied> {
    const record = transitions.heal(this.record, this.world.observed, servers);
    if (mishap.lost !== undefined) this.world.lose(mishap.lost);
    return this.apply(record, mishap);
  }

  /** The next sequence lets contract migrations run that no release here needs any more, or that one does. */
  async contract(script: string): Promise<Applied> {
    const { contracted = [], sequence } = this.record;
    return this.tryOut({
      ...this.record,
      sequence: sequence + 1,
      contracted: [...new Set([...contracted, script])],
    });
  }

  /** Somebody wants what is kept for a rollback to be emptied, or to serve the live release as well. */
  async takeRetained(how: "empty" | "converge"): Promise<Applied> {
    const { slots, active, sequence } = this.record;
    const idle = otherSlot(active);
    if (this.world.environment.schedule.strategy === "recreate") {
      throw new Refusal("not-possible-here", "a recreate keeps no slot");
    }
    const change = how === "converge" ? { converge: true } : { slots: { ...slots, [idle]: null } };
    return this.tryOut({ ...this.record, ...change, sequence: sequence + 1 });
  }

  /** Somebody builds a version again, and puts the other artifact under its name. */
  async exchange(): Promise<Applied> {
    const { slots, active, sequence } = this.record;
    const release = slots[active];
    if (release === null) throw new Refusal("nothing-to-promote", "there is no release");
    const exchanged = { ...release, artifact: artifact(`${release.version} again`).artifact };
    const changed = { slots: { ...slots, [active]: exchanged }, goal: "live" as const };
    return this.tryOut({ ...this.record, ...changed, sequence: sequence + 1 });
  }

  /** An edit that is refused is taken back. */
  private async tryOut(edited: ReleaseRecord): Promise<Applied> {
    const before = this.record;
    const applied = await this.apply(edited);
    if (applied.step === "begin" && applied.result?.exitCode === EXIT.refused) this.record = before;
    return applied;
  }

  async cancel(): Promise<Applied> {
    return this.apply(transitions.cancel(this.record, this.world.observed));
  }

  /** `bluegreen abort`: the director first, then the record. @returns null where there was nothing to cancel. */
  async abort(): Promise<Applied | null> {
    const aborted = await this.world.run("abort", this.record);
    if (aborted.exitCode !== EXIT.done) return { step: "none", result: aborted, record: this.record };
    try {
      return await this.cancel();
    } catch (error) {
      if (error instanceof Refusal) return null;
      throw error;
    }
  }

  /** What Terraform runs for a record, in its order; the first failure ends it. */
  async apply(record: ReleaseRecord, mishap: Mishap = {}): Promise<Applied> {
    const { world } = this;
    if (world.state.stable !== null && world.unhealed(record).length > 0) {
      throw new Refusal("not-possible-here", "the plan is refused: heal first");
    }
    this.record = record;
    const { abortAfterMs } = world;
    world.abortAfterMs = null;
    world.countEffects();
    let result = await world.run("begin", record);
    if (result.exitCode !== EXIT.done) return { step: "begin", result, record };
    world.migrate(record);
    if (!world.install(record, mishap.installFails)) return { step: "install", result: null, record };
    world.abortAfterMs = abortAfterMs;
    result = await world.run("switch", record);
    world.abortAfterMs = null;
    if (result.exitCode !== EXIT.done) return { step: "switch", result, record };
    if (!this.converges(record)) return { step: "switch", result, record };
    world.converge(record);
    return { step: "share", result: await world.run("share", record), record };
  }

  /** Whether users get exactly what the record asks for. */
  reaches(record: ReleaseRecord): boolean {
    const { goal, active, converge, slots } = record;
    const healed = healedServers(record);
    const { traffic, state } = this.world;
    const wanted = slots[active] && releaseId(slots[active]);
    // Frozen is what the director says of a candidate that misbehaves where it is.
    if (traffic.mode !== "serve" || state.phase === "frozen") return false;
    if (wanted === null) return state.stable === null && traffic.live === null;
    if (!healed.every((server) => this.world.isWell(server))) return false;
    if (goal === "live") {
      const shared = converge === true ? traffic.weight === 50 : traffic.weight === 0 || state.shared;
      return traffic.live === active && state.stable?.releaseId === wanted && shared;
    }
    if (traffic.live === active || state.candidate?.releaseId !== wanted) return false;
    return traffic.weight === (goal === "staged" ? 0 : goal);
  }

  private converges(record: ReleaseRecord): boolean {
    const converges = record.converge === true && record.goal === "live" && target(record) !== null;
    return converges && healedServers(record).length === 0;
  }
}
