/** A rollback goes through, whatever the release that it leaves does to its users meanwhile; in a simulated world. */
import { EXIT } from "../../../../release/exit-code";
import * as transitions from "../../../../release/transitions";
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
