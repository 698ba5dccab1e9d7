/** Plays a row in one phase: release, fault, end state, next steps; then compares with what the row documents. */
import { setTimeout as pause } from "node:timers/promises";
import type { LoadTotals } from "../../cli/load/messages";
import type { Ran } from "../testbed/processes";
import type { Outcome } from "./results";
import { enter } from "./injection-points";
import type { InjectionPoint } from "./injection-points";
import type { ReleaseUnderWay } from "./release-under-way";
import type { EndState, Row } from "./row";
import { exitOf, messageOf } from "./output";
import { kill } from "./stage";
import type { Stage } from "./stage";
import { byChance, LivingUsers } from "./living-users";
import { carryOut } from "./next-step";
import type { Step } from "./next-step";

/** How many requests show which releases serve: enough to meet a weight of 30 % for certain. */
const ASKED = 60;
const SETTLES_MS = 10_000;
/** The users of a living proxy end on the right release in this time. */
const RIGHT_MS = 30_000;

export async function play(stage: Stage, row: Row, phase: InjectionPoint): Promise<Outcome> {
  const expected = row.phases[phase]!;
  const startedAt = Date.now();
  if (phase === "rollback") await stage.prepareRollback();
  const old = stage.stable();
  const broken: string[] = [];
  const steps: Step[] = [];
  let ran: Ran | null = null;
  let end: (NonNullable<Outcome["end"]> & { problem: string }) | null = null;
  let underWay: ReleaseUnderWay | undefined;
  let living: LivingUsers | undefined;
  let rightAfterMs: number | undefined;
  await stage.begin();
  try {
    await row.before?.(stage, phase);
    if (expected.endsOn !== undefined) living = new LivingUsers(stage.world);
    underWay = await enter(stage, phase, (await row.release?.(stage, phase)) ?? {});
    let decided = performance.now();
    await row.inject(stage, underWay, phase);
    ran = await underWay.running.ended;
    await underWay.aborted?.ended;
    const post = await stage.endSlowPost();
    if (post !== null && !post.includes(" 201 ")) broken.push(`the slow POST got: ${post}`);
    end = await settled(stage, expected, old, underWay);
    if (end.problem !== "") broken.push(end.problem);
    const { whileAway = [], endsOn } = expected;
    if (whileAway.length > 0) decided = performance.now();
    for (const next of whileAway) {
      const step = await carryOut(stage, next, underWay);
      steps.push(...step.steps);
      broken.push(...step.broken);
    }
    if (endsOn !== undefined) {
      await living!.stop();
      const release = endsOn === "old" ? old : asked(stage, underWay);
      rightAfterMs = living!.settledOn(release, decided);
      broken.push(...(await ofTheLiving(stage, release, rightAfterMs)));
    }
    await row.repair?.(stage, phase);
    if (phase === "install") stage.deliverSettings();
    for (const next of expected.goesOn) {
      const step = await carryOut(stage, next, underWay);
      steps.push(...step.steps);
      broken.push(...step.broken);
    }
    if (endsOn !== undefined) broken.push(...(await disagreement(stage)));
    broken.push(...(await stage.notMigrated()));
    if (stage.world.deposed().length > 0)
      broken.push(`left in Terraform's state: ${stage.world.deposed().join(", ")}`);
  } catch (error) {
    broken.push((error as Error).message);
    await living?.stop();
    await breakOff(stage, row, phase, underWay);
  }
  const { users, lost } = await stage.end().catch(async (error: Error) => {
    await stage.giveUp();
    return { users: null, lost: [error.message] };
  });
  broken.push(...lost);
  if (users !== null) broken.push(...costs(expected, users));
  if (ran !== null) broken.push(...ending(expected, ran));
  return {
    phase,
    status: broken.length === 0 ? "passed" : "failed",
    broken,
    seconds: (Date.now() - startedAt) / 1000,
    ...described(expected),
    exit: ran === null ? null : exitOf(ran),
    message: ran === null ? "" : messageOf(ran),
    users: users === null ? null : counted(users),
    end:
      end === null ? null : { serves: end.serves, record: end.record, phase: end.phase, weight: end.weight },
    ...(rightAfterMs === undefined ? {} : { rightAfterMs }),
    wayOn: steps,
  };
}

/** The project is deleted after this: nothing has to succeed here. */
async function breakOff(
  stage: Stage,
  row: Row,
  phase: InjectionPoint,
  underWay?: ReleaseUnderWay,
): Promise<void> {
  if (underWay !== undefined) kill([-underWay.running.pid]);
  if (underWay?.aborted !== undefined) kill([-underWay.aborted.pid]);
  try {
    await row.repair?.(stage, phase);
  } catch {
    // The fault may not have happened yet.
  }
}

export function skipped(row: Row, phase: InjectionPoint, why: string): Outcome {
  return {
    ...{ phase, status: "skipped" as const, broken: [why], seconds: 0 },
    ...described(row.phases[phase]!),
    ...{ exit: null, message: "", users: null, end: null, wayOn: [] },
  };
}

function described({ exit, serves, goesOn, costs, mended }: EndState): Pick<Outcome, "expected" | "mended"> {
  return { expected: { exit, serves, goesOn, mayCost: costs?.because ?? "" }, mended: mended ?? null };
}

/** Waits until the end state is as documented: the processes of a killed release may still be ending. */
async function settled(
  stage: Stage,
  { serves }: EndState,
  old: string,
  { releaseId }: ReleaseUnderWay,
): Promise<NonNullable<Outcome["end"]> & { problem: string }> {
  const fresh = releaseId;
  const allowed: Record<EndState["serves"], (all: readonly string[]) => boolean> = {
    old: (all) => all.join() === old,
    new: (all) => all.join() === fresh,
    verified: (all) => all.every((each) => each === old || each === fresh),
    nothing: () => true,
  };
  const deadline = Date.now() + SETTLES_MS;
  for (;;) {
    const answers = await stage.world.serving(0, ASKED);
    const good = allowed[serves](answers);
    if (!good && Date.now() < deadline) {
      await pause(100);
      continue;
    }
    const { phase, weight } = stage.state();
    return {
      serves: answers.map((each) => each.replace(old, `old (${old})`).replace(fresh, `new (${fresh})`)),
      record: describeRecord(stage),
      phase,
      weight: weight,
      problem: good ? "" : `users get ${answers.join(", ")}, not ${serves} (old: ${old}, new: ${fresh})`,
    };
  }
}

function describeRecord(stage: Stage): string {
  try {
    const { sequence, active, slots } = stage.world.record;
    const release = slots[active];
    return `${sequence}: ${release === null ? "nothing" : `${release.version}-${release.run}`} in ${active}`;
  } catch {
    return "missing";
  }
}

/** A retry installs the version under a new id if it was not installed yet. */
function asked({ world: { record } }: Stage, { version, releaseId }: ReleaseUnderWay): string {
  const live = record.slots[record.active];
  return live?.version === version ? `${version}-${live.run}` : releaseId;
}

/** The users of the living proxy, before the other one is repaired. */
async function ofTheLiving(stage: Stage, release: string, afterMs: number): Promise<string[]> {
  const answers = await stage.world.serving(0, ASKED);
  if (answers.join() !== release)
    return [`users of the living proxy get ${answers.join(", ")}, not ${release}`];
  return afterMs > RIGHT_MS ? [`users of the living proxy got ${release} after ${afterMs} ms only`] : [];
}

/** In the end both proxies serve one release. */
async function disagreement({ world }: Stage): Promise<string[]> {
  const [first, second] = [await world.serving(0, ASKED), await world.serving(1, ASKED)];
  const agree = first.length === 1 && first.join() === second.join();
  return agree ? [] : [`in the end users get ${first.join(", ")}, and those of proxy-2 ${second.join(", ")}`];
}

function costs(
  { costs: may, endsOn }: EndState,
  { failed: all, failures, longestGapMs }: LoadTotals,
): string[] {
  const failed = endsOn === undefined ? all : all - byChance(failures);
  if (failed > (may?.requests ?? 0)) return [`${failed} requests failed: ${JSON.stringify(failures)}`];
  if (may !== undefined && longestGapMs > may.gapMs) return [`no request succeeded for ${longestGapMs} ms`];
  return [];
}

function ending({ exit, message: expected }: EndState, ran: Ran): string[] {
  const message = messageOf(ran);
  const is = exitOf(ran);
  return [
    ...(exit.includes(is) ? [] : [`exit code ${is}, not ${exit.join(" or ")}: ${message}`]),
    ...(expected === undefined || expected.test(message)
      ? []
      : [`the message is: ${message}; not ${String(expected)}`]),
    ...(/^\s+at /m.test(ran.stderr + ran.stdout) ? ["shows a stack trace"] : []),
  ];
}

function counted({
  sent,
  failed,
  failures,
  longestGapMs,
  acknowledged,
  found,
}: LoadTotals): Outcome["users"] {
  return { sent, failed, failures, longestGapMs, acknowledged, found };
}
