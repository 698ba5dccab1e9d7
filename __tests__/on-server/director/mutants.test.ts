/** Each invariant's property notices a director that breaks it. */
import { PROPERTIES } from "./invariants";
import { MUTANTS } from "./mutants";

const RUNS = { numRuns: 1_500, seed: 3, endOnFailure: true };

/** Fails where none of the invariant's properties does. */
async function check(invariant: string, fault: (typeof MUTANTS)[number]["fault"]): Promise<void> {
  for (const property of PROPERTIES) {
    if (property.name.startsWith(`${invariant}:`)) await property.check(RUNS, fault);
  }
}

test.each(MUTANTS)("$invariant is broken where a director lacks $lacks", async ({ invariant, fault }) => {
  await expect(check(invariant, fault)).rejects.toThrow("Property failed after");
});

test("each invariant has a mutant", () => {
  const invariants = PROPERTIES.map(({ name }) => name.slice(0, name.indexOf(":")));
  expect(new Set(MUTANTS.map(({ invariant }) => invariant))).toEqual(new Set(invariants));
});
