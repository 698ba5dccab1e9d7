/**
 * A model of everything behind the record, small enough to read: the director's memory and gate (begin's four
 * cases), the proxy's traffic, Terraform's memory of the install steps, and the servers, which run a step's name
 * once. Both slots are on both servers. It applies records as the web stack would, with an outcome that the test
 * chooses.
 */
import { stepName } from "../../release/steps";
import {
  emptyRecord,
  expectedRelease,
  healedServers,
  idOrNull,
  installedRelease,
  scheduleOf,
  target,
  touchedSlots,
} from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { releaseId } from "../../release/release";
import type { Release, ReleaseId } from "../../release/release";
import type { Schedule } from "../../release/schedule";
import { otherSlot, SLOTS } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import type { Observed } from "../../release/transitions";

const SERVERS = ["web-1", "web-2"] as const;
export type Server = (typeof SERVERS)[number];

export const OUTCOMES = [
  "success",
  "rejected",
  "takenBack",
  "frozen",
  "installFailed",
  "abortedBeforeInstall",
  "abortedAfterInstall",
  "secondHalfFailed",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** A broken promise. */
class Broken extends Error {}

export function promise(claim: string, holds: boolean): void {
  if (!holds) throw new Broken(claim);
}

type Case = "otherIsLive" | "targetIsLive" | "neverLive" | "recreate";
type Placed = { readonly slot: Slot; readonly releaseId: ReleaseId; readonly sha256: string };
type StepMemory = { name: string; failed: boolean };

export class World {
  record: ReleaseRecord = emptyRecord("socialgoal");
  stable: Placed | null = null;
  /** Per cent of the requests that the slot gets which is not stable's. */
  weight = 0;
  /** The candidate that the weight belongs to. */
  candidate: ReleaseId | null = null;
  /** After a convergence both slots serve stable. */
  shared = false;
  /** What each slot's endpoints answer, server by server. */
  readonly running: Record<Slot, Record<Server, ReleaseId | null>> = {
    blue: { "web-1": null, "web-2": null },
    green: { "web-1": null, "web-2": null },
  };
  readonly wasStable = new Set<ReleaseId>();
  private readonly failedArtifacts = new Set<string>();
  private readonly installed = new Map<ReleaseId, string>();
  /** Servers that were lost and not healed since. */
  private readonly lost = new Set<Server>();
  private readonly steps = new Map<string, StepMemory>();
  private readonly usedNames = new Set<string>();
  /** `promote` can't know that an install failed: the servers refuse its step, and `retry` helps. */
  mayMeetFailedInstall = false;

  constructor(private readonly environment: { readonly schedule: Schedule }) {}

  get observed(): Observed {
    const { stable, weight } = this;
    if (stable === null) return { live: null, releaseId: null, serving: [] };
    const serving = SLOTS.filter((slot) => (slot === stable.slot ? weight < 100 : weight > 0));
    return { live: stable.slot, releaseId: stable.releaseId, serving };
  }

  /** What all of a slot's endpoints answer; null where they don't agree. */
  answers(slot: Slot): ReleaseId | null {
    const [one, other] = SERVERS.map((server) => this.running[slot][server]);
    return one === other ? one! : null;
  }

  /** Base replaces a server: nothing runs on it, and Terraform's state of it is wrong. */
  lose(server: Server): void {
    for (const slot of SLOTS) this.running[slot][server] = null;
    this.lost.add(server);
  }

  /** `bluegreen abort` asks the director first: traffic is back on stable before the record changes. */
  abort(): void {
    const candidate = target(this.record);
    if (this.stable === null || this.shared || candidate === null || this.weight === 0) return;
    this.failedArtifacts.add(candidate.artifact.sha256);
    this.weight = 0;
    this.candidate = null;
  }

  /** @returns the outcome; "refused" if begin refuses an artifact that failed before. */
  apply(record: ReleaseRecord, outcome: Outcome): Outcome | "refused" {
    this.record = record;
    const schedule = scheduleOf(record, this.environment);
    const found = this.begin(record, schedule);
    this.use(stepName.begin(record));
    const candidate = target(record);
    if (this.isFailedArtifact(candidate) && found !== "targetIsLive" && record.retry !== true)
      return "refused";
    if (found === "targetIsLive" && outcome === "frozen") outcome = "success";
    this.takeTouchedOutOfRotation(record, found);
    if (outcome === "abortedBeforeInstall") return outcome;

    if (!this.install(record, found, outcome === "installFailed")) return "installFailed";
    if (outcome === "installFailed") outcome = "rejected"; // there was nothing to install
    if (outcome === "abortedAfterInstall") return outcome;
    return this.switch(record, schedule, found, outcome);
  }

  private begin(record: ReleaseRecord, schedule: Schedule): Case {
    const { stable } = this;
    if (stable === null) {
      promise("a first release is held at no weight", typeof record.goal !== "number");
      return "neverLive";
    }
    if (stable.slot !== record.active) {
      if (same(record.slots[stable.slot], stable)) return "otherIsLive";
    } else {
      if (same(target(record), stable)) return "targetIsLive";
      if (schedule.strategy === "recreate" && same(record.previous, stable)) return "recreate";
    }
    throw new Broken(
      `begin refuses: ${stable.releaseId} is live in ${stable.slot}, the record is ${JSON.stringify(record)}`,
    );
  }

  private isFailedArtifact(candidate: Release | null): boolean {
    return candidate !== null && this.failedArtifacts.has(candidate.artifact.sha256);
  }

  private takeTouchedOutOfRotation(record: ReleaseRecord, found: Case): void {
    if (this.stable === null) return;
    const idle = otherSlot(this.stable.slot);
    const isTouched = touchedSlots(record).includes(idle);
    const isSame = this.candidate === idOrNull(record.slots[idle]);
    if (found === "otherIsLive" && isSame && !isTouched && record.goal !== "staged") return;
    if (found === "targetIsLive" && this.shared && !converges(record) && !isTouched) return;
    this.weight = 0;
    this.shared = false;
    this.candidate = null;
  }

  /** @returns false where a step failed. */
  private install(record: ReleaseRecord, found: Case, fails: boolean): boolean {
    const healed = healedServers(record);
    const due = SLOTS.flatMap((slot) =>
      SERVERS.flatMap((server) => {
        const name = stepName.install(record, slot, server);
        const known = this.steps.get(`${slot} ${server}`);
        const release = installedRelease(record, slot, server);
        const isNoOp = known?.name === name && !known.failed;
        return isNoOp || (healed.length > 0 && release === null) ? [] : [{ slot, server, name, release }];
      }),
    );
    const isInPlace = (slot: Slot) => found === "recreate" && slot === record.active;
    // Where a heal failed, or was aborted, the plan is refused until it succeeds.
    const runsFailedHeal = due.some(
      ({ server, name }) => name.startsWith("heal-") && !healed.includes(server),
    );
    if (runsFailedHeal) return false;
    for (const { slot, server, name, release } of due) {
      const inPlace = isInPlace(slot);
      if (healed.length > 0) {
        promise(`a heal runs ${name} on ${healed.join()} only, not on ${server}`, healed.includes(server));
      } else {
        promise(`only an idle slot takes a release, not ${name}`, slot !== this.stable?.slot || inPlace);
        promise(
          `nothing is installed under users: ${name}`,
          inPlace || !this.observed.serving.includes(slot),
        );
      }
      if (this.usedNames.has(`${server} ${name}`) && this.mayMeetFailedInstall) return false;
      this.use(name, server);
      this.steps.set(`${slot} ${server}`, { name, failed: fails });
      if (fails) {
        this.running[slot][server] = inPlace ? this.stable!.releaseId : null;
        continue;
      }
      this.running[slot][server] = idOrNull(release);
      if (release !== null) this.rememberInstall(release);
    }
    if (!fails) for (const server of healed) this.lost.delete(server as Server);
    return !fails || due.length === 0;
  }

  private switch(record: ReleaseRecord, schedule: Schedule, found: Case, outcome: Outcome): Outcome {
    const candidate = target(record);
    if (candidate === null || found === "targetIsLive") {
      if (outcome === "rejected" && healedServers(record).length > 0) return outcome;
      return this.converge(record, outcome);
    }
    if (outcome === "rejected" && this.weight === 0) {
      this.candidate = null;
      return outcome;
    }
    if (found === "otherIsLive") this.candidate = releaseId(candidate);
    if (record.goal === "staged") return "success";
    if (outcome !== "success" && outcome !== "secondHalfFailed") {
      if (found !== "otherIsLive") return outcome;
      const freezes = outcome === "frozen" || schedule.onFailure === "freeze";
      this.weight = freezes ? (typeof record.goal === "number" ? record.goal : 100) : 0;
      if (!freezes) {
        this.failedArtifacts.add(candidate.artifact.sha256);
        this.candidate = null;
      }
      return outcome;
    }
    if (typeof record.goal === "number") {
      this.weight = record.goal;
      return "success";
    }
    this.stable = {
      slot: record.active,
      releaseId: releaseId(candidate),
      sha256: candidate.artifact.sha256,
    };
    this.weight = 0;
    this.shared = false;
    this.candidate = null;
    this.wasStable.add(this.stable.releaseId);
    return this.converge(record, outcome);
  }

  private converge(record: ReleaseRecord, outcome: Outcome): Outcome {
    const { stable } = this;
    if (stable === null) return "success";
    if (converges(record) && record.goal === "live") {
      const second = otherSlot(stable.slot);
      for (const server of SERVERS) {
        this.use(stepName.converge(record, second), server);
        this.running[second][server] = outcome === "success" ? stable.releaseId : null;
      }
      if (outcome !== "success") return outcome;
      this.use(stepName.share(record));
      this.weight = 50;
      this.shared = true;
    }
    for (const slot of SLOTS) {
      const expected = idOrNull(expectedRelease(record, slot));
      for (const server of SERVERS) {
        // A heal leaves alone what is to be empty.
        const isKept = record.slots[slot] === null && healedServers(record).length > 0;
        if (isKept || this.lost.has(server)) continue;
        const running = this.running[slot][server];
        promise(
          `${slot} on ${server} serves ${expected} once the record is applied, not ${running}`,
          running === expected,
        );
      }
    }
    return "success";
  }

  private rememberInstall(release: Release): void {
    const id = releaseId(release);
    const content = JSON.stringify(release);
    promise(`${id} names one install`, (this.installed.get(id) ?? content) === content);
    this.installed.set(id, content);
  }

  private use(name: string, machine = "proxy-1"): void {
    const use = `${machine} ${name}`;
    promise(`the step ${name} has a name that was never used on ${machine}`, !this.usedNames.has(use));
    this.usedNames.add(use);
  }
}

/** A heal leaves a convergence as it is. */
function converges(record: ReleaseRecord): boolean {
  return record.converge === true && healedServers(record).length === 0;
}

function same(recorded: Release | null, stable: Placed): boolean {
  return (
    recorded !== null &&
    releaseId(recorded) === stable.releaseId &&
    recorded.artifact.sha256 === stable.sha256
  );
}

export function recordedIds(
  record: ReleaseRecord,
): PerSlot<ReleaseId | null> & { previous: ReleaseId | null } {
  return {
    blue: idOrNull(record.slots.blue),
    green: idOrNull(record.slots.green),
    previous: idOrNull(record.previous),
  };
}
