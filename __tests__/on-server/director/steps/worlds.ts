/** Simulated worlds to begin with. */
import { EXIT } from "../../../../release/exit-code";
import type { ScheduleChoice } from "../../../../release/schedule";
import { Operator } from "../operator";
import { simulatedEnvironment, SimulatedWorld } from "../simulated-world";

export const CANARY: ScheduleChoice = {
  strategy: "canary",
  steps: [5, 25, 50, 100],
  stepSeconds: 10,
  bakeSeconds: 10,
  drainSeconds: 1,
};

export function newWorld(schedule?: ScheduleChoice): { world: SimulatedWorld; operator: Operator } {
  const world = new SimulatedWorld(simulatedEnvironment(schedule));
  return { world, operator: new Operator(world) };
}

/** 1.0.0 is live in blue. */
export async function liveWorld(schedule?: ScheduleChoice) {
  const { world, operator } = newWorld(schedule);
  expect((await operator.release("1.0.0")).result).toMatchObject({
    exitCode: EXIT.done,
    outcome: "installed",
  });
  world.history.length = 0;
  world.measured.length = 0;
  return { world, operator };
}

export const weights = ({ history }: SimulatedWorld) => history.map(({ weight }) => weight);
