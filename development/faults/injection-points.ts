/** The points of a release at which a fault is injected, and how to detect each. The release itself never waits. */
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../testbed/processes";
import type { ReleaseUnderWay, ReleaseWish, WorldKind } from "./release-under-way";
import type { Stage } from "./stage";

export const INJECTION_POINTS = [
  "before",
  "begin",
  "migrate",
  "between scripts",
  "install",
  "verify",
  "shift",
  "bake",
  "drain",
  "converge",
  "rollback",
  "abort",
] as const;
export type InjectionPoint = (typeof INJECTION_POINTS)[number];
type ReleasePhase = Exclude<InjectionPoint, "rollback" | "abort">;

/** Short: a director holds its lock for some tenths of a second only. */
const LOCK_POLL_MS = 2;

export function worldOf(phase: InjectionPoint): WorldKind {
  if (phase === "migrate" || phase === "between scripts") return "database";
  return phase === "converge" ? "split" : "plain";
}

/** Starts a release and resolves when it is in the phase. */
export async function enter(
  stage: Stage,
  phase: InjectionPoint,
  wish: ReleaseWish,
): Promise<ReleaseUnderWay> {
  const sequence = stage.world.record.sequence + 1;
  if (phase === "drain") await stage.beginSlowPost();
  if (phase === "rollback") return enterRollback(stage);
  if (phase === "abort") return enterAbort(stage, wish);
  const { args, from } = SHAPES[phase];
  const underWay = await stage.startRelease(
    sequence,
    { ...wish, args: [...args, ...(wish.args ?? [])] },
    from,
  );
  await ENTRANCES[phase](stage, underWay);
  return underWay;
}

async function enterRollback(stage: Stage): Promise<ReleaseUnderWay> {
  const underWay = stage.startRollback();
  await directorAtWork(stage, underWay, "begin");
  return underWay;
}

/** An abort in the middle of a canary. */
async function enterAbort(stage: Stage, wish: ReleaseWish): Promise<ReleaseUnderWay> {
  const slow = { ...wish, args: [...(wish.args ?? []), "--step-seconds", "60"] };
  const canary = await enter(stage, "shift", slow);
  const running = stage.world.start(["abort", "--json"]);
  await until(() => stage.trafficMap().includes("weight=0&"), "traffic goes back", { running });
  return { ...canary, running, aborted: canary.running };
}

const CANARY = ["--strategy", "canary", "--steps", "30,100", "--step-seconds", "3", "--bake-seconds", "0.5"];
const QUICK = ["--strategy", "blueGreen", "--bake-seconds", "0.3"];
/** 1.2.0 is not healthy before its settings are delivered. */
const SHAPES: Readonly<Record<ReleasePhase, { args: readonly string[]; from: string }>> = {
  before: { args: QUICK, from: "1.1.0" },
  begin: { args: QUICK, from: "1.1.0" },
  migrate: { args: QUICK, from: "1.1.0" },
  "between scripts": { args: QUICK, from: "1.1.0" },
  install: { args: QUICK, from: "1.2.0" },
  verify: { args: QUICK, from: "1.1.0" },
  shift: { args: CANARY, from: "1.1.0" },
  bake: { args: ["--strategy", "blueGreen", "--bake-seconds", "3"], from: "1.1.0" },
  drain: { args: QUICK, from: "1.1.0" },
  converge: { args: [...QUICK, "--converge"], from: "1.1.0" },
};

const ENTRANCES: Readonly<Record<ReleasePhase, (stage: Stage, underWay: ReleaseUnderWay) => Promise<void>>> =
  {
    before: () => Promise.resolve(),
    begin: (stage, underWay) => directorAtWork(stage, underWay, "begin"),
    verify: (stage, underWay) => directorAtWork(stage, underWay, "switch"),
    migrate: (stage, { running }) =>
      until(async () => (await stage.database.sleepingMigrations()) > 0, "a migration runs", { running }),
    "between scripts": async (stage, { running }) => {
      let between = false;
      void stage.database.betweenScripts().then(() => (between = true));
      await until(() => between, "a script is applied, and the next one has not begun", { running });
    },
    install: async (stage, { running, sequence }) => {
      await until(() => stage.stepsBegun("install", sequence) >= 2, "both installs run", {
        running,
      });
      await until(() => stage.candidates().length >= 2, "both instances start up", { running });
    },
    shift: (stage, { running }) =>
      until(
        () => stage.state().phase === "shifting" && /weight=[1-9]\d?&/.test(stage.trafficMap()),
        "the candidate has its first weight",
        { running },
      ),
    bake: (stage, { running }) =>
      until(
        () => stage.state().phase === "baking" && stage.trafficMap().includes("weight=100&"),
        "the candidate has all requests and bakes",
        { running },
      ),
    drain: (stage, { running, sequence }) =>
      until(
        () => stage.state().stable?.releaseId.endsWith(`-${sequence}`) === true && stage.state().finished,
        "the old slot drains",
        { running },
      ),
    converge: (stage, { running, sequence }) =>
      until(() => stage.stepsBegun("converge", sequence) > 0, "converge runs", {
        running,
      }),
  };

async function directorAtWork(
  stage: Stage,
  { running, sequence }: ReleaseUnderWay,
  step: string,
): Promise<void> {
  let ended = false;
  void running.ended.then(() => (ended = true));
  while (!stage.directorLock().startsWith(`${step} ${sequence},`)) {
    if (ended)
      throw new Error(`the release ended before its ${step} was seen: ${(await running.ended).stderr}`);
    await pause(LOCK_POLL_MS);
  }
}

/** How long a fault lasts: there is no other condition to wait for. */
export async function lasting(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  await until(() => performance.now() >= end, "the fault lasts");
}
