/** A rollback goes through, whatever the release that it leaves does to its users meanwhile; in a simulated world. */
import { EXIT } from "../../../../release/exit-code";
import { resolveSchedule } from "../../../../release/schedule";
import * as transitions from "../../../../release/transitions";
import { isWayBack } from "../../../../release/way-back";
import { CANARY, liveWorld } from "./worlds";

test("users of the bad release get failed answers while the kept one is verified", async () => {
  const { world, operator } = await liveWorld({ ...CANARY, steps: [50, 100] });
  world.requestsPerMs = 0.5;
  await operator.release("1.1.0");
  expect(world.traffic.live).toBe("green");
  const record = transitions.rollback(operator.record, world.observed, {
    environmentSchedule: world.environment.schedule,
  });
  operator.record = record;
  expect(await world.run("begin", record)).toMatchObject({ exitCode: EXIT.done });
  world.misbehave("green", "failsUnderTraffic");
  expect(await world.run("switch", record)).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
  expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
});

test("a retry that expects changed pages is no rollback: what its candidate does to users still stops it", async () => {
  const { world, operator } = await liveWorld(CANARY);
  world.requestsPerMs = 0.5;
  await operator.release("1.1.0", { installFails: true });
  const schedule = { ...CANARY, analysis: { expectChange: true } };
  const record = transitions.retry(operator.record, world.observed, true, schedule);
  expect(record).toMatchObject({ retry: true, rollsBack: false });
  expect(await world.run("begin", record)).toMatchObject({ exitCode: EXIT.done });
  world.install(record);
  world.misbehave("blue", "failsUnderTraffic");
  expect(await world.run("switch", record)).toMatchObject({ exitCode: EXIT.rejected });
  expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
  // What earlier versions wrote for a rollback.
  expect(isWayBack({ retry: true, schedule: resolveSchedule(schedule) })).toBe(true);
});
