/** Whose clients stay on their servers, in a simulated world: those of the releases that users get. */
import type { ScheduleChoice } from "../../../../release/schedule";
import { Operator } from "../operator";
import { simulatedEnvironment, SimulatedWorld } from "../simulated-world";
import { CANARY } from "./worlds";

async function keepingWorld(schedule: ScheduleChoice) {
  const environment = simulatedEnvironment(schedule);
  const world = new SimulatedWorld({ ...environment, sessions: { affinity: "server", withoutCookie: [] } });
  const operator = new Operator(world);
  await operator.release("1.0.0");
  const first = world.history.length;
  return {
    world,
    operator,
    kept: () => world.history.slice(first).map(({ weight, sessions }) => ({ weight, ...sessions })),
  };
}

test("of both while traffic is divided, and of the new one afterwards", async () => {
  const { world, operator, kept } = await keepingWorld(CANARY);
  expect(world.traffic.sessions).toEqual({ blue: "1.0.0-1", green: null });
  await operator.release("1.1.0");
  const both = { blue: "1.0.0-1", green: "1.1.0-2" };
  expect(kept()).toEqual([
    { weight: 5, ...both },
    { weight: 25, ...both },
    { weight: 50, ...both },
    { weight: 100, blue: null, green: "1.1.0-2" },
    { weight: 0, blue: null, green: "1.1.0-2" },
  ]);
});

test("of stable again, if the candidate fails", async () => {
  const { world, operator, kept } = await keepingWorld(CANARY);
  world.behaviours.set("1.1.0", "failsUnderTraffic");
  await operator.release("1.1.0");
  expect(kept()).toEqual([
    { weight: 5, blue: "1.0.0-1", green: "1.1.0-2" },
    { weight: 0, blue: "1.0.0-1", green: null },
  ]);
});

test("a rollback keeps the clients of the release that users get again", async () => {
  const { world, operator } = await keepingWorld({ strategy: "blueGreen" });
  await operator.release("1.1.0");
  await operator.rollback();
  expect(world.traffic).toMatchObject({ live: "blue", sessions: { blue: "1.0.0-1", green: null } });
});

test("without affinity the traffic names none", async () => {
  const world = new SimulatedWorld(simulatedEnvironment(CANARY));
  await new Operator(world).release("1.0.0");
  expect(world.traffic).not.toHaveProperty("sessions");
});
