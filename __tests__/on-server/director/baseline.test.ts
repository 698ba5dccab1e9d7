/**
 * With blue/green, stable gets no requests beside the candidate: its answers since begin, while the candidate was installed,
 * stand for it. The director is the real one, the site is simulated.
 */
import { BLUE_GREEN, simulate } from "../../../development/simulation/canary";
import type { Behaviour } from "../../../development/simulation/site";

const RUNS = 10;
const slow = (median: number): Behaviour => ({
  errors: 0,
  latency: (random) => median * Math.exp(0.8 * random.normal()),
});

async function rolledBack(requestsPerSecond: number, stable: Behaviour, candidate: Behaviour) {
  const ended = [];
  for (let seed = 1; seed <= RUNS; seed++) {
    ended.push(await simulate({ requestsPerSecond, stable, candidate }, seed, BLUE_GREEN));
  }
  return ended.flatMap(({ promoted, reason }) => (promoted ? [] : [reason]));
}

test("a release that fails three times as often is rolled back", async () => {
  const reasons = await rolledBack(100, { errors: 0.01 }, { errors: 0.03 });
  expect(reasons.length).toBeGreaterThanOrEqual(RUNS - 1);
});

test("a release that is three times slower is rolled back", async () => {
  const reasons = await rolledBack(20, slow(100), slow(300));
  expect(reasons.length).toBeGreaterThanOrEqual(RUNS - 1);
  for (const reason of reasons) expect(reason).toMatch(/p95 is \d+ ms, stable's was \d+ ms/);
});

test("an equal release is not", async () => {
  expect(await rolledBack(20, { ...slow(100), errors: 0.02 }, { ...slow(100), errors: 0.02 })).toEqual([]);
});
