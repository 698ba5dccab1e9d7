/** The table of guards fits the director; whether each is needed takes longer to know, see mutations.test.ts. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PROPERTIES } from "./invariants";
import { MUTATIONS } from "./mutations";

const DIRECTOR = resolve(__dirname, "../../../on-server/director");

test("each guard stands where the table says, once", () => {
  for (const { file, text } of MUTATIONS) {
    const parts = readFileSync(join(DIRECTOR, file), "utf8").split(text);
    expect({ file, text, times: parts.length - 1 }).toEqual({ file, text, times: 1 });
  }
});

test("each invariant has a guard", () => {
  const invariants = PROPERTIES.map(({ name }) => name.slice(0, name.indexOf(":")));
  expect(new Set(MUTATIONS.map(({ invariant }) => invariant))).toEqual(new Set(invariants));
});
