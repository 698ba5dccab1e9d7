/** A rollback by hand after any life of an application, with a crash at any of its effects: no invariant is broken. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { takenOver } from "../../../release/break-glass";
import { EXIT } from "../../../release/exit-code";
import type { ReleaseRecord } from "../../../release/record";
import type { Operator } from "./operator";
import { play, rudeScenario, SCRIPTS } from "./scenario";
import type { Scenario } from "./scenario";
import { artifact } from "./simulated-world";
import type { CrashPoint, StepResult } from "./simulated-world";

const RUNS = { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 460), seed: 4 };
const crashes = fc.option(
  fc.record({
    effect: fc.integer({ min: 1, max: 8 }),
    when: fc.constantFrom("before" as const, "after" as const),
  }),
);
const NOTHING = { exitCode: EXIT.refused as number, trafficChanges: 0, saves: 0 };

function hadNoEffect({ exitCode, trafficChanges, saves }: StepResult): void {
  assert.deepEqual({ exitCode, trafficChanges, saves }, NOTHING);
}

/** Breaks the glass, again after a crash, and checks what is promised at once. @returns null if it was refused. */
async function byHand({ world, record }: Operator, crash: CrashPoint | null): Promise<StepResult | null> {
  const before = world.state;
  const violations = world.violations.length;
  world.countEffects();
  world.crash = crash;
  let result = await world.run("rollback", record);
  world.crash = null;
  const wasKilled = result.exitCode === "crashed";
  if (wasKilled) result = await world.run("rollback", record);
  assert.deepEqual(world.violations.slice(violations), []);
  if (result.exitCode !== EXIT.done) {
    hadNoEffect(result);
    // Killed, then refused: the other slot died meanwhile, which no crash does here.
    if (wasKilled) assert.equal(world.state, before);
    return null;
  }
  const { stable, brokenGlass, phase } = world.state;
  assert.ok(stable !== null && brokenGlass !== null);
  const { live, weight, mode } = world.traffic;
  assert.deepEqual(
    { live, weight, mode, phase },
    { live: stable.slot, weight: 0, mode: "serve", phase: "stable" },
  );
  assert.deepEqual(brokenGlass.to, { slot: stable.slot, releaseId: stable.releaseId });
  return result;
}

function ever(
  check: (operator: Operator, pick: number, records: readonly ReleaseRecord[]) => Promise<void>,
): Promise<void> {
  let moved = 0;
  const body = async (life: Scenario, crash: CrashPoint | null, pick: number): Promise<void> => {
    const { operator, records } = await play(life);
    if ((await byHand(operator, crash)) === null) return;
    moved += 1;
    await check(operator, pick, records);
  };
  return fc
    .assert(fc.asyncProperty(rudeScenario, crashes, fc.nat(), body), RUNS)
    .then(() =>
      assert.ok(moved >= RUNS.numRuns / 20, `only ${moved} of ${RUNS.numRuns} lives had a way back`),
    );
}

test("I1, I3, I4, I5, I10: users move only to a release that was stable, answers, and works with the schema", () =>
  ever(async () => undefined));

test("I6: an abort changes nothing after it, and a second one changes nothing", () =>
  ever(async ({ world, record }) => {
    const { stable, brokenGlass } = world.state;
    const { traffic } = world;
    for (const step of ["rollback", "abort", "rollback"] as const) {
      assert.equal((await world.run(step, record)).exitCode, EXIT.done);
      assert.equal(world.traffic, traffic);
    }
    assert.deepEqual([world.state.stable, world.state.brokenGlass], [stable, brokenGlass]);
  }));

test("I7, I12: no step of any record so far has an effect, whatever it asks for", () =>
  ever(async ({ world, record }, pick, records) => {
    const { state, traffic } = world;
    const step = (["begin", "switch", "share"] as const)[pick % 3]!;
    const known = [...records, record].filter(({ sequence }) => sequence <= state.brokenGlass!.sequence);
    for (const each of known) {
      const result = await world.run(step, each);
      hadNoEffect(result);
      assert.match(result.reason, /^users were moved by hand .*`bluegreen recover` takes it over/);
    }
    // The next number with what is recorded: what a hand edit or another branch has.
    hadNoEffect(await world.run("begin", { ...record, sequence: state.brokenGlass!.sequence, retry: true }));
    assert.equal(world.state, state);
    assert.equal(world.traffic, traffic);
  }));

test("I8, I11: the record that takes it over moves nobody, and releases go on", () =>
  ever(async (operator) => {
    const { world } = operator;
    const broken = world.state.brokenGlass!;
    const inForce = world.state.record as unknown as ReleaseRecord;
    const sequence = Math.max(operator.record.sequence, broken.sequence) + 1;
    const record = takenOver(inForce, broken, sequence);
    fc.pre(world.unhealed(record).length === 0 && broken.from.slot !== broken.to.slot);
    world.setUp(broken.to.slot, true);
    const before = world.traffic;
    const applied = await operator.apply(record);
    assert.equal(applied.result?.exitCode, EXIT.done, applied.result?.reason);
    assert.deepEqual([world.traffic.live, world.traffic.weight], [before.live, before.weight]);
    assert.equal(world.state.brokenGlass, null);
    assert.equal(operator.reaches(record), true);
    fc.pre(world.environment.schedule.strategy !== "recreate");
    const next = await operator.release({ ...artifact("9.0.0"), contracts: [...SCRIPTS] });
    assert.equal(next.result?.exitCode, EXIT.done, next.result?.reason);
  }));
