/** The project in which a fault is played: one live release, a constant load, and a check of what must not be lost. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Load } from "../../cli/load/load";
import type { LoadTotals } from "../../cli/load/messages";
import { socialGoalPlan } from "../../cli/load/socialgoal-plan";
import { DirectorState } from "../../release/director-status";
import type { ReleaseRecord } from "../../release/record";
import type { Slot } from "../../release/slot";
import { parseSlotStepName } from "../../release/steps";
import { otherSlot } from "../../release/slot";
import { parseFile } from "../../release/validation";
import { ProxyMachine } from "../testbed/proxy-machine";
import type { Ran } from "../testbed/processes";
import { REPOSITORY, World } from "../testbed/world";
import { Database } from "./database";
import { makeSmallDisks } from "./disks";
import type { SmallDisk } from "./disks";
import { KeptSafe } from "./kept-safe";
import { SlowPost } from "./slow-post";
import { commandsIn, readOr } from "./server-files";
import type { ReleaseUnderWay, ReleaseWish, WorldKind } from "./release-under-way";

const RATE = 60;
const PROXY = ".bluegreen/local/servers/proxy-1";
/** Users reach the application through the first proxy; the second one has the fault. */
const SECOND = 1;
const UNKIND = join(REPOSITORY, "development/faults/unkind.cjs");
const SETTINGS = ".bluegreen/local/data/reminders/settings.json";

export interface Instance {
  readonly pid: number;
  readonly releaseId: string;
  readonly server: string;
  readonly slot: Slot;
}

export class Stage {
  private load: Load | undefined;
  private safe: KeptSafe | undefined;
  private slowPost: SlowPost | undefined;
  private openDatabase: Database | undefined;
  private patch = 0;
  private oldDisk: (() => void) | undefined;
  /** The machine of the second proxy. */
  readonly second: ProxyMachine;
  /** Undone at the end of a row, newest first, however it ends. */
  private readonly leftovers: (() => void | Promise<void>)[] = [];

  private constructor(
    readonly world: World,
    readonly kind: WorldKind,
    private readonly smallDisks: readonly SmallDisk[],
  ) {
    this.second = new ProxyMachine(world, SECOND);
  }

  static async open(kind: WorldKind): Promise<Stage> {
    const world = await World.create({
      topology: kind === "split" ? "split" : "sideBySide",
      proxies: kind === "twoProxies" ? 2 : 1,
      environment: {
        verification: { path: "/health", intervalSeconds: 0.05, deadlineSeconds: 8 },
        schedule: { strategy: "blueGreen", bakeSeconds: 0.3, drainSeconds: 3 },
        ...(kind === "twoProxies" ? { start: ["node", "--require", UNKIND, "server.js"] } : {}),
      },
    });
    if (kind === "database") {
      world.changeEnvironment({
        platform: { kind: "local", portBase: world.portBase, database: "postgres" },
      });
    }
    const disks = kind === "smallDisks" ? makeSmallDisks(world) : [];
    const stage = new Stage(world, kind, disks);
    const first = await world.release("1.0.0", undefined, ...(kind === "split" ? ["--converge"] : []));
    if (first.exitCode !== 0) throw new Error(`the first release failed: ${first.reason}`);
    if (kind === "twoProxies") {
      stage.oldDisk = stage.second.backUp();
      await stage.releaseQuickly();
    }
    return stage;
  }

  /** @returns processes that still run; there should be none. */
  async close(): Promise<string[]> {
    if (this.smallDisks.length > 0) {
      await this.world.run(["down"]);
      for (const disk of this.smallDisks) disk.unmount();
    }
    return this.world.end();
  }

  // --- one row ---

  async begin(): Promise<void> {
    this.load = new Load({ workerEntry: join(REPOSITORY, "lib/cli/load/worker.js"), execArgv: [] });
    await this.load.start(socialGoalPlan(this.world.origin(), RATE));
    this.safe = new KeptSafe(this.world.path("."), PROXY);
  }

  /** @returns what users got, and what was lost. */
  async end(): Promise<{ users: LoadTotals; lost: string[] }> {
    await this.tidy();
    const users = await this.load!.stop();
    this.load = undefined;
    return { users, lost: await this.safe!.lost() };
  }

  /** After a row that broke off. */
  async giveUp(): Promise<void> {
    await this.tidy();
    await this.load?.kill();
    this.load = undefined;
    this.safe?.stop();
  }

  atTheEnd(undo: () => void | Promise<void>): void {
    this.leftovers.push(undo);
  }

  private async tidy(): Promise<void> {
    for (const undo of this.leftovers.splice(0).reverse()) await undo();
  }

  // --- releases ---

  async startRelease(sequence: number, wish: ReleaseWish, from: string): Promise<ReleaseUnderWay> {
    const version = wish.version ?? this.nextVersion();
    const artifact = wish.artifact ?? ["--artifact", (await this.world.pack(version, from)).file];
    if (from === "1.2.0") this.atTheEnd(() => this.world.remove(SETTINGS));
    const migrations =
      this.kind === "database" ? ["--migrations", this.database.slowMigrations(sequence)] : [];
    const args = ["release", version, ...artifact, ...migrations, "--json", ...(wish.args ?? [])];
    const running = this.world.start(args, wish.env === undefined ? {} : { env: wish.env });
    return { running, sequence, version, releaseId: `${version}-${sequence}` };
  }

  /** After an abort the idle slot is empty. */
  async prepareRollback(): Promise<void> {
    if (this.idle() === null) await this.releaseQuickly();
  }

  private idle(): ReleaseRecord["slots"][Slot] {
    const { slots, active } = this.world.record;
    return slots[otherSlot(active)];
  }

  /** To the release in the idle slot. */
  startRollback(): ReleaseUnderWay {
    const { version, run } = this.idle()!;
    const sequence = this.world.record.sequence + 1;
    const running = this.world.start(["rollback", "--json"]);
    return { running, sequence, version, releaseId: `${version}-${run}` };
  }

  /** @throws Error if it is not live in the end. */
  async releaseQuickly(): Promise<void> {
    const { exitCode, reason } = await this.world.release(this.nextVersion(), "1.1.0");
    if (exitCode !== 0) throw new Error(`a release without a fault failed: ${reason}`);
  }

  /** The disk of the second proxy as it was after the first release. */
  restoreOldDisk(): void {
    this.oldDisk!();
  }

  nextVersion(): string {
    this.patch += 1;
    return `1.1.${this.patch}`;
  }

  /** 1.2.0 waits for its settings. */
  deliverSettings(): void {
    this.world.write(SETTINGS, "{}\n");
  }

  run(...args: string[]): Promise<Ran> {
    return this.world.run([...args, "--json"]);
  }

  // --- state ---

  get database(): Database {
    return (this.openDatabase ??= new Database(this.world));
  }

  /** @returns the scripts that the live release needs and that are not applied. */
  async notMigrated(): Promise<string[]> {
    if (this.kind !== "database") return [];
    const { slots } = this.world.record;
    const stable = this.stable();
    const live = [slots.blue, slots.green].find(
      (release) => release !== null && `${release.version}-${release.run}` === stable,
    );
    const missing = live?.migrations === undefined ? [] : await this.database.missing(live.migrations.newest);
    return missing.map((script) => `${stable} is live, and ${script} is not applied`);
  }

  disk(server: string): SmallDisk {
    const disk = this.smallDisks.find((each) => each.server === server);
    if (disk === undefined) throw new Error(`${server} has no small disk here`);
    return disk;
  }

  state(): DirectorState {
    return parseFile(DirectorState, this.world.text(`${PROXY}/state.json`), `${PROXY}/state.json`);
  }

  stable(): string {
    return this.state().stable!.releaseId;
  }

  trafficMap(): string {
    return readOr(this.world.path(`${PROXY}/traffic.map`), "");
  }

  /** The holder of the director's lock on the proxy that has the fault: "switch 7, process 1234 on ...", or empty. */
  directorLock(): string {
    const proxy = this.kind === "twoProxies" ? PROXY.replace(/1$/, "2") : PROXY;
    return readOr(this.world.path(`${proxy}/director.lock.holder`), "");
  }

  directorPid(): number {
    const [, pid] = /, process (\d+) on /.exec(this.directorLock()) ?? [];
    if (pid === undefined) throw new Error("no director is at work");
    return Number(pid);
  }

  get proxyFolder(): string {
    return this.world.path(PROXY);
  }

  /** On how many servers the install or converge steps of a sequence began. */
  stepsBegun(kind: "install" | "converge", sequence: number): number {
    const servers = this.world.path(".bluegreen/local/servers");
    return readdirSync(servers)
      .flatMap((server) => commandsIn(join(servers, server, "commands")))
      .map(parseSlotStepName)
      .filter((step) => step?.kind === kind && step.sequence === sequence).length;
  }

  /** Processes of the project by command line. */
  pids(pattern: RegExp): number[] {
    return this.world.pids(pattern);
  }

  /** The instances in the servers' slots. */
  instances(): Instance[] {
    return this.pids(/\bserver\.js/).flatMap((pid) => {
      const environment = readOr(`/proc/${pid}/environ`, "").split("\0");
      const value = (name: string) =>
        environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
      const releaseId = value("BLUEGREEN_RELEASE_ID");
      if (releaseId === "") return [];
      return [{ pid, releaseId, server: value("BLUEGREEN_SERVER"), slot: value("BLUEGREEN_SLOT") as Slot }];
    });
  }

  live(): Instance[] {
    const stable = this.stable();
    return this.instances().filter(({ releaseId }) => releaseId === stable);
  }

  candidates(): Instance[] {
    const { slots, active } = this.world.record;
    const release = slots[active];
    const id = release === null ? "" : `${release.version}-${release.run}`;
    return this.instances().filter(({ releaseId }) => releaseId === id && id !== this.stable());
  }

  /** The port on which a server's slot answers (release/naming.ts). */
  port(server: string, slot: Slot): number {
    const index = Number(server.slice("web-".length)) - 1;
    return this.world.portBase + 100 + 10 * index + (slot === "green" ? 1 : 0);
  }

  idleSlot(): Slot {
    return otherSlot(this.state().stable!.slot);
  }

  // --- a slow request ---

  async beginSlowPost(): Promise<void> {
    this.slowPost = await SlowPost.begin(this.world.portBase, `slow ${Date.now()}`);
  }

  /** @returns the answer's first line; null without a slow request. */
  async endSlowPost(): Promise<string | null> {
    const post = this.slowPost;
    this.slowPost = undefined;
    return post === undefined ? null : post.end();
  }
}

export function kill(pids: readonly number[], signal: NodeJS.Signals = "SIGKILL"): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
