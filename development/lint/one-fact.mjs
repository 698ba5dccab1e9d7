/** Checks that each fact of facts.mjs is in its home, and in no other file of the product. */
import { readFileSync } from "node:fs";
import { FACTS } from "./facts.mjs";
import { trackedFiles } from "./tracked-files.mjs";

const PRODUCT = /^(?!__tests__\/|examples\/|findings\/|development\/lint\/).*\.(?:[cm]?[jt]s|sh|ps1)$/;

const texts = trackedFiles()
  .filter((file) => PRODUCT.test(file))
  .map((file) => ({ file, lines: readFileSync(file, "utf8").split("\n") }));

const problems = FACTS.flatMap(({ fact, home, pattern, also = [] }) => {
  const places = texts.flatMap(({ file, lines }) =>
    lines.flatMap((line, index) => (pattern.test(line) ? [{ file, at: `${file}:${index + 1}` }] : [])),
  );
  const lost = [home, ...also].filter((file) => !places.some((place) => place.file === file));
  const second = places.filter(({ file }) => file !== home && !also.includes(file));
  return [
    ...second.map(({ at }) => `${at} repeats ${fact}: use ${home}`),
    ...lost.map((file) => `${file} no longer contains ${fact}: update its home in facts.mjs`),
  ];
});
for (const problem of problems) console.error(`one fact: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
