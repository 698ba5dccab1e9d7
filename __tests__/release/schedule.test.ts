/** The three ways to upgrade: their defaults, and steps that make sense. */
import { parseSchedule, resolveSchedule, Strategy } from "../../release/schedule";
import { complaint } from "./examples";

const COMMON = {
  stepSeconds: 60,
  bakeSeconds: 60,
  drainSeconds: 30,
  onFailure: "rollback",
  afterPromotion: "retain",
  whileDown: "hold",
  retainSeconds: 0,
  analysis: {
    intervalSeconds: 5,
    minimumRequests: 20,
    maxErrorRatio: 0.002,
    maxLatencyRatio: 2,
    latencySlackMs: 100,
  },
};

test("blue/green moves all requests at once", () => {
  expect(Strategy.blueGreen()).toEqual({ strategy: "blueGreen", steps: [100], ...COMMON });
});

test("a canary gets 5, 25, 50 and 100 per cent", () => {
  expect(Strategy.canary()).toEqual({ strategy: "canary", steps: [5, 25, 50, 100], ...COMMON });
});

test("a recreate holds the requests meanwhile", () => {
  expect(Strategy.recreate()).toEqual({ strategy: "recreate", steps: [100], ...COMMON });
});

test("given values override the defaults, and nothing else changes", () => {
  const schedule = Strategy.canary({ steps: [1, 100], bakeSeconds: 0, onFailure: "freeze" });
  expect(schedule).toEqual({ ...Strategy.canary(), steps: [1, 100], bakeSeconds: 0, onFailure: "freeze" });
});

test("a choice in a file means the same as the strategy in code", () => {
  expect(resolveSchedule({ strategy: "blueGreen" })).toEqual(Strategy.blueGreen());
  expect(resolveSchedule({ strategy: "canary", steps: [20, 100] })).toEqual(
    Strategy.canary({ steps: [20, 100] }),
  );
  expect(resolveSchedule({ strategy: "recreate", whileDown: "maintenancePage" })).toEqual(
    Strategy.recreate({ whileDown: "maintenancePage" }),
  );
});

test("a complete schedule is a choice as well", () => {
  for (const schedule of [Strategy.blueGreen(), Strategy.canary(), Strategy.recreate()]) {
    expect(resolveSchedule(schedule)).toEqual(schedule);
  }
});

test.each([[[100]], [[1, 100]], [[99, 100]], [[5, 25, 50, 100]]])("%j are steps", (steps) => {
  expect(parseSchedule({ strategy: "canary", steps }, "the options").steps).toEqual(steps);
});

test.each<[unknown, string]>([
  [[], 'steps: "steps" must end with 100'],
  [[5, 50], 'steps: "steps" must end with 100'],
  [[100, 100], 'steps: "steps" must increase, as in [5, 25, 50, 100]'],
  [[5, 5, 100], 'steps: "steps" must increase, as in [5, 25, 50, 100]'],
  [[50, 25, 100], 'steps: "steps" must increase, as in [5, 25, 50, 100]'],
  [[0, 100], "steps.0 must be at least 1"],
  [[5, 101], 'steps.1 must be at most 100; steps: "steps" must end with 100'],
  [[0.5, 100], "steps.0 must be a whole number"],
  [["5", 100], "steps.0 must be of type number"],
  [100, "steps must be of type array"],
])("%j are no steps", (steps, message) => {
  const said = complaint(() => parseSchedule({ strategy: "canary", steps }, "the options"));
  expect(said).toBe(`the options: ${message}`);
});

test("steps that make no sense are refused in code too, with the strategy's name", () => {
  expect(complaint(() => Strategy.canary({ steps: [5, 5, 100] }))).toBe(
    'a canary schedule: steps: "steps" must increase, as in [5, 25, 50, 100]',
  );
});

test.each<[object, string]>([
  [{}, 'the options: strategy must be "blueGreen" or "canary" or "recreate"'],
  [{ strategy: "rolling" }, 'the options: strategy must be "blueGreen" or "canary" or "recreate"'],
  [{ strategy: "canary", stepSeconds: -1 }, "the options: stepSeconds must be at least 0"],
  [{ strategy: "canary", stepSeconds: 86_401 }, "the options: stepSeconds must be at most 86400"],
  [{ strategy: "canary", bakeSeconds: Number.NaN }, "the options: bakeSeconds must be of type number"],
  [{ strategy: "canary", drainSeconds: 3_601 }, "the options: drainSeconds must be at most 3600"],
  [{ strategy: "canary", onFailure: "hope" }, 'the options: onFailure must be "rollback" or "freeze"'],
  [{ strategy: "canary", afterPromotion: "x" }, 'the options: afterPromotion must be "retain" or "converge"'],
  [{ strategy: "recreate", whileDown: "x" }, 'the options: whileDown must be "hold" or "maintenancePage"'],
  [
    { strategy: "canary", analysis: { maxErrorRatio: 1.1 } },
    "the options: analysis.maxErrorRatio must be at most 1",
  ],
  [{ strategy: "canary", weight: 5 }, 'the options: unknown field "weight"'],
])("%j is refused", (choice, message) => {
  expect(complaint(() => parseSchedule(choice, "the options"))).toBe(message);
});
