/** The director's invariants: at least 10,000 lives of an application in all, with a crash at any point of them. */
import { DIRECTOR_PHASES } from "../../../release/director-status";
import { PROPERTIES } from "./invariants";
import { play, rudeScenario, scenario } from "./scenario";
import * as fc from "fast-check";
import { KILLED, REACHABLE } from "./simulated-world";

const KILLED_AT_LEAST = 20;
/** PROPERTY_SEED=random looks where nobody looked yet; a fixed one is the same for everybody. */
const seed = process.env["PROPERTY_SEED"] ?? "4";
const RUNS = {
  numRuns: Number(process.env["PROPERTY_RUNS"] ?? 460),
  ...(seed === "random" ? {} : { seed: Number(seed) }),
};

test.each(PROPERTIES)("$name", async ({ check }) => {
  await expect(check(RUNS)).resolves.toBeUndefined();
});

test("there is a property for each of the thirteen invariants, and ten thousand runs of them", () => {
  const named = new Set(PROPERTIES.map(({ name }) => name.slice(0, name.indexOf(":"))));
  expect([...named]).toEqual(Array.from({ length: 13 }, (_, index) => `I${index + 1}`));
  expect(PROPERTIES.length * RUNS.numRuns).toBeGreaterThanOrEqual(10_000);
});

test("the simulated lives are rich: every way to end a sequence is among them", async () => {
  const ends = new Set<string>();
  await fc.assert(
    fc.asyncProperty(rudeScenario, async (each) => {
      await play(each, ({ step, result }) => void ends.add(`${step} ${result?.exitCode ?? "failed"}`));
    }),
    { ...RUNS, seed: 7 },
  );
  expect([...ends]).toEqual(
    expect.arrayContaining([
      ...["begin 3", "begin crashed", "install failed"],
      ...["switch 0", "switch 4", "switch 5", "switch 6", "switch crashed"],
      ...["share 0", "share crashed"],
    ]),
  );
});

const PLACES = DIRECTOR_PHASES.flatMap((phase) =>
  REACHABLE[phase].flatMap((point) =>
    (["before", "after"] as const).map((when) => ({ phase, point, when, name: `${phase} ${point} ${when}` })),
  ),
);

test.each(PLACES)("killed while $phase, $when it comes to $point: no invariant is broken", async (place) => {
  const { name, ...crash } = place;
  const lives = fc.sample(scenario, { numRuns: 4_000, seed: 11 }).values();
  while ((KILLED.get(name) ?? 0) < KILLED_AT_LEAST) {
    const life = lives.next();
    if (life.done === true) break;
    const { happenings, site, ...rest } = life.value;
    const users = place.point === "cut" ? { ...site, requestsPerMs: 0.4, hasLongRequests: true } : site;
    const killed = happenings.map((happening) => ({ ...happening, crash }));
    const { world } = await play({ ...rest, site: users, happenings: killed });
    expect(world.violations).toEqual([]);
  }
  expect(KILLED.get(name)).toBeGreaterThanOrEqual(KILLED_AT_LEAST);
});

/**
 * A server whose heal had failed comes back with a convergence; a staged first release is aborted after a change by hand; a
 * sequence begins after a director was killed between verification and traffic.
 */
const RARE = ["converging include", "staged traffic", "verified measure"];

test("nowhere else can a director be killed", () => {
  const known = PLACES.map(({ name }) => name);
  expect(
    [...KILLED.keys()].filter((name) => !known.includes(name) && !RARE.some((rare) => name.startsWith(rare))),
  ).toEqual([]);
});

test("a slot is not left for one whose servers died while begin looked at users' answers", async () => {
  const release = { kind: "release", behaviour: "diesUnderTraffic", goal: "live", again: false } as const;
  const { world } = await play({
    schedule: {
      ...{ strategy: "blueGreen", steps: [100], stepSeconds: 0, bakeSeconds: 0, drainSeconds: 1 },
      ...{ onFailure: "rollback", afterPromotion: "converge", retainSeconds: 0 },
      analysis: { intervalSeconds: 0.4, minimumRequests: 20 },
    },
    site: { requestsPerMs: 0.01, hasLongRequests: false, activates: false },
    happenings: [
      { action: { ...release, contracts: [] }, crash: null, abortAfterMs: 201, installFails: false },
      { action: { kind: "retry" }, crash: null, abortAfterMs: null, installFails: false },
    ],
  });
  expect(world.violations).toEqual([]);
});
