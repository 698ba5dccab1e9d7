/** Runs one kind of sequence as an operator does, and returns what users must have afterwards. */
import type { Deployment } from "../../cli/deployment/outcome";
import { processesIn, until } from "../testbed/processes";
import type { Running } from "../testbed/processes";
import type { World } from "../testbed/world";
import { packVariant } from "./artifacts";
import type { Variant } from "./artifacts";
import { pick, strategyOptions } from "./plan";
import type { Kind } from "./plan";

/** The expected and the actual result of a sequence. */
export interface Played {
  readonly kind: Kind;
  readonly what: string;
  readonly expected: readonly number[];
  readonly exitCode: number;
  readonly outcome: string;
  readonly reason: string;
  /** The version that users must have now. */
  readonly version: string;
  /** Which failed requests are allowed. */
  readonly tolerance: "none" | "ownBadAnswers" | "killedInstance";
  /** The version under test. */
  readonly candidate: string | null;
}

type Ended = Pick<Deployment, "exitCode" | "outcome" | "reason">;

/** A weight that lasts until the release is aborted. */
const LONG = ["--strategy", "canary", "--steps", "20,100", "--step-seconds", "60"];
const CAREFUL = ["--steps", "20,100", "--step-seconds", "2"];

export class Operator {
  /** The version that users have. */
  version = "";
  private number = 0;
  private migrations = 0;
  /** The failed candidate that a retry would release again. */
  private failed: { exitCode: number; tolerance: Played["tolerance"]; version: string } | null = null;

  constructor(
    private readonly world: World,
    private readonly random: () => number,
  ) {}

  isPossible(kind: Kind): boolean {
    if (this.version === "") return kind === "good";
    if (kind === "retry") return this.failed !== null;
    // While the record names a candidate that never became stable, heal and rollback are refused.
    if (kind === "heal") return this.recordIsLive() && this.world.record.goal === "live";
    return kind !== "rollback" || (this.recordIsLive() && this.world.record.previous !== null);
  }

  private recordIsLive(): boolean {
    const { active, slots } = this.world.record;
    return slots[active]?.version === this.version;
  }

  async play(kind: Kind): Promise<Played> {
    const { failed } = this;
    this.failed = null;
    switch (kind) {
      case "good":
      case "goodWithMigration":
        if (kind === "goodWithMigration") this.migrations += 1;
        return this.succeed(kind);
      case "neverHealthy":
      case "badArchive":
        return this.fail(kind, 4, "none");
      case "failsUnderTraffic":
        return this.fail(kind, 5, "ownBadAnswers", CAREFUL);
      case "aborted":
      case "interrupted":
        return this.interrupt(kind);
      case "rollback":
        return this.rollBack();
      case "retry":
        return this.retry(failed!);
      case "heldThenPromoted":
        return this.holdAndPromote();
      case "staged":
        return this.stage();
      case "heal":
        return this.heal();
    }
  }

  private async succeed(kind: Kind): Promise<Played> {
    const options = this.version === "" ? [] : strategyOptions(this.random);
    const { version, deployment } = await this.release("good", ...options);
    if (deployment.exitCode === 0) this.version = version;
    return this.result(kind, `${version} ${options.slice(1, 2).join("")}`, [0], deployment, {
      candidate: version,
    });
  }

  private async fail(
    kind: Kind & Variant,
    exitCode: number,
    tolerance: Played["tolerance"],
    options: readonly string[] = [],
  ): Promise<Played> {
    const { version, deployment } = await this.release(kind, ...options);
    this.failed = { exitCode, tolerance, version };
    return this.result(kind, version, [exitCode], deployment, { candidate: version, tolerance });
  }

  /** Aborts or interrupts a release when the candidate has a weight. */
  private async interrupt(kind: "aborted" | "interrupted"): Promise<Played> {
    const version = this.nextVersion();
    const running = this.world.start([
      "release",
      version,
      "--artifact",
      await this.pack(version),
      "--json",
      ...LONG,
    ]);
    const hasWeight = async (): Promise<boolean> => (await this.world.status())[0]!.traffic.weight > 0;
    await until(hasWeight, "the candidate has a weight", { running });
    if (kind === "interrupted") running.signal("SIGINT");
    else await this.expectAborted(running);
    const { exitCode, stdout, stderr } = await running.ended;
    const deployment = stdout.startsWith("{") ? (JSON.parse(stdout) as Deployment) : null;
    return this.result(kind, version, [5], {
      exitCode: exitCode ?? -1,
      outcome: deployment?.outcome ?? "unknown",
      reason: deployment?.reason ?? stderr,
    });
  }

  private async expectAborted(running: Running): Promise<void> {
    const { exitCode, reason } = await this.deploy("abort");
    if (exitCode !== 0) throw new Error(`abort ended with ${exitCode}: ${reason} (${running.stderr()})`);
  }

  private async rollBack(): Promise<Played> {
    const { previous } = this.world.record;
    const deployment = await this.deploy("rollback");
    if (deployment.exitCode === 0) this.version = previous!.version;
    return this.result("rollback", `to ${previous!.version}`, [0], deployment);
  }

  private async retry({ exitCode, tolerance, version }: NonNullable<Operator["failed"]>): Promise<Played> {
    const deployment = await this.deploy("retry");
    return this.result("retry", version, [exitCode], deployment, { candidate: version, tolerance });
  }

  private async holdAndPromote(): Promise<Played> {
    const { version, deployment } = await this.release(
      "good",
      "--goal",
      "10",
      "--strategy",
      "canary",
      "--step-seconds",
      "0.4",
    );
    if (deployment.exitCode !== 0) return this.result("heldThenPromoted", version, [0], deployment);
    const promoted = await this.deploy("promote");
    if (promoted.exitCode === 0) this.version = version;
    return this.result("heldThenPromoted", version, [0], promoted);
  }

  private async stage(): Promise<Played> {
    const version = this.nextVersion();
    const deployment = await this.deploy("stage", version, "--artifact", await this.pack(version));
    return this.result("staged", version, [0], deployment);
  }

  /** Kills an instance of the live release, and heals its server. */
  private async heal(): Promise<Played> {
    const server = pick(this.random, ["web-1", "web-2"]);
    const { state } = (await this.world.status())[0]!;
    const id = state.stable!.releaseId;
    const below = this.world.path(`.bluegreen/local/servers/${server}/releases/${id}`);
    for (const { pid } of processesIn(below)) process.kill(pid, "SIGTERM");
    const deployment = await this.deploy("heal", server);
    return this.result("heal", server, [0], deployment, { tolerance: "killedInstance" });
  }

  private async release(
    variant: Variant,
    ...options: string[]
  ): Promise<{ version: string; deployment: Ended }> {
    const version = this.nextVersion();
    const file = await this.pack(version, variant);
    return {
      version,
      deployment: await this.deploy("release", version, "--artifact", file, ...options),
    };
  }

  /** A refused command prints a message instead of JSON. */
  private async deploy(...args: string[]): Promise<Ended> {
    try {
      return await this.world.deploy(...args);
    } catch (error) {
      return { exitCode: 3, outcome: "refused", reason: (error as Error).message.trim() };
    }
  }

  private pack(version: string, variant: Variant = "good"): Promise<string> {
    return packVariant(this.world.path("packages"), version, variant, this.migrations);
  }

  private nextVersion(): string {
    return `2.0.${(this.number += 1)}`;
  }

  private result(
    kind: Kind,
    what: string,
    expected: readonly number[],
    { exitCode, outcome, reason }: Ended,
    { tolerance = "none", candidate = null }: Partial<Pick<Played, "tolerance" | "candidate">> = {},
  ): Played {
    return { kind, what, expected, exitCode, outcome, reason, version: this.version, tolerance, candidate };
  }
}
