/** The verdict's error rates, with the director's code on simulated sites. `development/simulation` has all cells. */
import { simulate } from "../../development/simulation/canary";
import { CELLS } from "../../development/simulation/cells";

const RUNS = 12;
/** Busier sites take too long here. */
const chosen = CELLS.filter(({ conditions }) => conditions.requestsPerSecond <= 20);

async function rolledBack(cell: (typeof CELLS)[number]) {
  const bad = [];
  for (let seed = 1; seed <= RUNS; seed++) {
    const ending = await simulate(cell.conditions, seed, cell.schedule);
    if (!ending.promoted) bad.push(ending);
  }
  return bad;
}

let canaries = 0;
const reasons: string[] = [];

test.each(chosen.filter(({ kind }) => kind === "equal"))(
  "$name: most releases pass",
  async (cell) => {
    const bad = await rolledBack(cell);
    canaries += RUNS;
    reasons.push(...bad.map(({ reason }) => `${cell.name}: ${reason}`));
    expect(bad.length).toBeLessThanOrEqual(1);
  },
  120_000,
);

test("of all equal releases as few are rolled back as falseRollbackRate promises", () => {
  expect(canaries).toBeGreaterThanOrEqual(250);
  // A binomial of 1 % exceeds it once in 500 times.
  const most = 0.01 * canaries + 2.9 * Math.sqrt(0.01 * canaries);
  expect({ reasons, isMore: reasons.length > most }).toEqual({ reasons, isMore: false });
});

test.each(chosen.filter(({ kind }) => kind === "worse"))(
  "$name: nearly all are rolled back",
  async (cell) => {
    expect((await rolledBack(cell)).length).toBeGreaterThanOrEqual(0.9 * RUNS);
  },
  120_000,
);

test("the same seed gives the same release", async () => {
  const { conditions, schedule } = chosen.find(({ kind }) => kind === "worse")!;
  expect(await simulate(conditions, 7, schedule)).toEqual(await simulate(conditions, 7, schedule));
});
