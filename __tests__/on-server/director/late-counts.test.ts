/** begin looks at users' answers, with a proxy that counts late (NGINX behind a buffer, on a loaded machine). */
import { countBefore } from "../../../on-server/director/users";
import { simulatedEnvironment, SimulatedWorld } from "./simulated-world";
import { Operator } from "./operator";

const USUAL = {
  at: 1_700_000_000_000,
  ...{ answers: 5_000, failed: 100, seconds: 60 },
  latency: {},
  counted: { at: 0, blue: { answers: 0, failed: 0 }, green: { answers: 0, failed: 0 } },
};

test.each([400, 800])("what fails already is seen, though nothing is counted for %i ms", async (late) => {
  const world = new SimulatedWorld(simulatedEnvironment());
  const operator = new Operator(world);
  await operator.release("1.0.0");
  world.misbehave("blue", "failsUnderTraffic");
  world.requestsPerMs = 0.5;
  const begunAt = world.now;
  world.fault = (surroundings) => {
    const { driver, store } = surroundings;
    const first = driver.counts();
    return {
      ...surroundings,
      store: { load: () => ({ ...store.load(), usual: USUAL }), save: (state) => store.save(state) },
      driver: { ...driver, counts: () => (world.now - begunAt < late ? first : driver.counts()) },
    };
  };
  const before = await countBefore(world.director());
  expect(before!.failed / before!.answers).toBeGreaterThan(0.1);
});
