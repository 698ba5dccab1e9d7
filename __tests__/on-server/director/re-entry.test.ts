/**
 * Whoever kills a director after any of its effects, and goes on as documented, ends where an undisturbed run ends: the
 * same step again, as Terraform would start it; else `bluegreen retry`.
 */
import { EXIT } from "../../../release/exit-code";
import type { Goal } from "../../../release/record";
import { Refusal } from "../../../release/failure";
import type { ScheduleChoice } from "../../../release/schedule";
import { Operator } from "./operator";
import type { Applied } from "./operator";
import { simulatedEnvironment, SimulatedWorld } from "./simulated-world";

const SHIFT = { stepSeconds: 1, bakeSeconds: 1, drainSeconds: 1, retainSeconds: 60 };
const CANARY: ScheduleChoice = { strategy: "canary", steps: [10, 50, 100], ...SHIFT };
const CONVERGE: ScheduleChoice = { strategy: "blueGreen", ...SHIFT, afterPromotion: "converge" };
const RECREATE: ScheduleChoice = { strategy: "recreate", drainSeconds: 1 };

interface Run {
  readonly name: string;
  readonly schedule: ScheduleChoice;
  /** What was there before. */
  before(operator: Operator): Promise<unknown>;
  act(operator: Operator): Promise<Applied>;
}

const nothing = async () => undefined;
const first = (operator: Operator) => operator.release("1.0.0");
const release = (version: string, goal: Goal) => (operator: Operator) => operator.release(version, { goal });

const RUNS: readonly Run[] = [
  { name: "a first deployment", schedule: CANARY, before: nothing, act: first },
  { name: "a canary", schedule: CANARY, before: first, act: release("1.1.0", "live") },
  { name: "a staged release", schedule: CANARY, before: first, act: release("1.1.0", "staged") },
  { name: "a release held at 10 %", schedule: CANARY, before: first, act: release("1.1.0", 10) },
  {
    name: "a promotion",
    schedule: CANARY,
    before: async (operator) => [await first(operator), await operator.release("1.1.0", { goal: 10 })],
    act: (operator) => operator.promote(),
  },
  {
    name: "a rollback",
    schedule: CANARY,
    before: async (operator) => [await first(operator), await operator.release("1.1.0")],
    act: (operator) => operator.rollback(),
  },
  { name: "a convergence", schedule: CONVERGE, before: first, act: release("1.1.0", "live") },
  {
    name: "a release after a convergence",
    schedule: CONVERGE,
    before: async (operator) => [await first(operator), await operator.release("1.1.0")],
    act: release("1.2.0", "live"),
  },
  { name: "a recreate", schedule: RECREATE, before: first, act: release("1.1.0", "live") },
];

/** What users get, and what the director knows; without numbers of sequences, which every new try raises. */
function end({ world }: Operator) {
  const { stable, candidate, shared, phase, finished } = world.state;
  const version = (id: string | undefined) => id?.replace(/-\d+$/, "") ?? null;
  const { live, weight, mode, fallback } = world.traffic;
  return {
    traffic: { live, weight, mode, fallback },
    stable: { version: version(stable?.releaseId), slot: stable?.slot },
    candidate: version(candidate?.releaseId),
    retained: world.state.retainedUntil !== null,
    ...{ shared, phase, finished },
  };
}

async function start({ schedule, before }: Run): Promise<Operator> {
  const operator = new Operator(new SimulatedWorld(simulatedEnvironment(schedule)));
  await before(operator);
  return operator;
}

/** As Terraform does: a killed step runs again, then those that come after it. If that is refused, an operator retries. */
async function goOn({ act }: Run, operator: Operator, { step, record, result }: Applied): Promise<void> {
  const { world } = operator;
  if (step === "switch") {
    const again = await world.run("switch", record);
    const converges = record.converge === true && record.goal === "live";
    if (again.exitCode === EXIT.done && !converges) return;
    if (again.exitCode === EXIT.done) world.converge(record);
  }
  if (step !== "begin" && record.converge === true) {
    if ((await world.run("share", record)).exitCode === EXIT.done) return;
  }
  let last = result;
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      last = (await operator.retry()).result;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // "still gets requests: run `bluegreen abort` first"
      await operator.abort();
      last = (await act(operator)).result;
    }
    if (last?.exitCode === EXIT.done) return;
  }
  throw new Error(`it does not come to its end: ${last?.reason}`);
}

test.each(RUNS)("$name that is killed after any effect ends as an undisturbed one", async (run) => {
  const undisturbed = await start(run);
  undisturbed.world.countEffects();
  const done = await run.act(undisturbed);
  expect(done.result?.exitCode).toBe(EXIT.done);
  const expected = end(undisturbed);
  let effects = 0;
  for (let effect = 1; ; effect += 1) {
    const operator = await start(run);
    operator.world.crash = { effect, when: "after" };
    const applied = await run.act(operator);
    operator.world.crash = null;
    if (applied.result?.exitCode !== "crashed") break;
    effects += 1;
    await goOn(run, operator, applied);
    expect({ effect, ...end(operator) }).toEqual({ effect, ...expected });
    expect(operator.world.violations).toEqual([]);
  }
  expect(effects).toBeGreaterThanOrEqual(3);
});
