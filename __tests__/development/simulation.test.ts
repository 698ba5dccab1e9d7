/** The verdict's error rates, with the director's code on simulated sites. `development/simulation` has all cells. */
import { simulate } from "../../development/simulation/canary";
import { CELLS } from "../../development/simulation/cells";

/** Busier sites, and latencies by client, take long to simulate. */
const runsOf = ({ conditions }: (typeof CELLS)[number]) =>
  conditions.stable.latency === undefined ? 100 : 8;
const chosen = CELLS.filter(({ conditions }) => conditions.requestsPerSecond <= 20);

async function rolledBack(cell: (typeof CELLS)[number], runs: number) {
  const bad = [];
  for (let seed = 1; seed <= runs; seed++) {
    const ending = await simulate(cell.conditions, seed, cell.schedule);
    if (!ending.promoted) bad.push(ending);
  }
  return bad;
}

/** A binomial with this chance exceeds it once in 500 times. */
function most(releases: number, chance: number): number {
  return chance * releases + 2.9 * Math.sqrt(chance * (1 - chance) * releases);
}

let canaries = 0;
const reasons: string[] = [];

test.each(chosen.filter(({ kind }) => kind === "equal"))(
  "$name: most releases pass",
  async (cell) => {
    const bad = await rolledBack(cell, runsOf(cell));
    canaries += runsOf(cell);
    reasons.push(...bad.map(({ reason }) => `${cell.name}: ${reason}`));
    expect(bad.length).toBeLessThanOrEqual(most(runsOf(cell), (cell.conditions.runs ?? 1) > 1 ? 0.02 : 0.01));
  },
  120_000,
);

test("of all equal releases as few are rolled back as falseRollbackRate promises", () => {
  expect(canaries).toBeGreaterThanOrEqual(600);
  const isMore = reasons.length > most(canaries, 0.01);
  expect({ reasons, isMore }).toEqual({ reasons, isMore: false });
});

test.each(chosen.filter(({ kind }) => kind === "worse"))(
  "$name: nearly all are rolled back",
  async (cell) => {
    expect((await rolledBack(cell, 12)).length).toBeGreaterThanOrEqual(10);
  },
  120_000,
);

test("the same seed gives the same release", async () => {
  const { conditions, schedule } = chosen.find(({ kind }) => kind === "worse")!;
  expect(await simulate(conditions, 7, schedule)).toEqual(await simulate(conditions, 7, schedule));
});
