/** Clients leave releases one by one, in any life of an application: nothing that users rely on breaks. */
import * as fc from "fast-check";
import { releaseLeft } from "../../../release/draining";
import { leavingScenario, play } from "./scenario";

const RUNS = { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 1_500), seed: 5 };

test("no invariant is broken: who stays somewhere has a release that was verified, until before it is replaced", async () => {
  let left = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(leavingScenario, async (each) => {
      const { world } = await play(each, ({ step, result }, { world: { traffic } }) => {
        if (releaseLeft(traffic) !== null) left += 1;
        if (step === "begin" && result?.reason.includes("still active")) refused += 1;
      });
      expect(world.violations).toEqual([]);
    }),
    RUNS,
  );
  // Rich enough: releases leave clients, and others have to wait for them.
  expect({ left: left > 300, refused: refused > 50 }).toEqual({ left: true, refused: true });
});

test("a release that had to wait begins once the limit is over, whoever is active", async () => {
  await fc.assert(
    fc.asyncProperty(leavingScenario, async (each) => {
      const { world, operator, applied } = await play(each);
      const last = applied.at(-1);
      fc.pre(last?.step === "begin" && last.result?.reason.includes("still active") === true);
      world.now += 3_001;
      const { result } = await operator.apply(operator.record);
      expect(result?.reason ?? "").not.toContain("still active");
      expect(world.violations).toEqual([]);
    }),
    { ...RUNS, numRuns: 40, maxSkipsPerRun: 500 },
  );
});
