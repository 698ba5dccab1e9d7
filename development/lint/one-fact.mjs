/** Checks that each fact of facts.mjs is in its home, and in no other file of the product. */
import { readFileSync } from "node:fs";
import { FACTS } from "./facts.mjs";
import { trackedFiles } from "./tracked-files.mjs";

const PRODUCT = /^(?!__tests__\/|examples\/|findings\/|development\/lint\/).*\.(?:[cm]?[jt]s|sh|ps1)$/;

const texts = trackedFiles()
  .filter((file) => PRODUCT.test(file))
  .map((file) => ({ file, text: readFileSync(file, "utf8") }));

const problems = FACTS.flatMap(({ fact, home, patterns, also = [] }) => {
  const places = patterns.flatMap((pattern) => placesOf(pattern));
  const second = places.filter(({ file }) => file !== home && !also.includes(file));
  const isIn = (file, pattern) => places.some((place) => place.file === file && place.pattern === pattern);
  const lost = [
    ...patterns.filter((pattern) => !isIn(home, pattern)).map((pattern) => `${home} (${pattern})`),
    ...also.filter((file) => !patterns.some((pattern) => isIn(file, pattern))),
  ];
  return [
    ...second.map(({ file, line }) => `${file}:${line} repeats ${fact}: use ${home}`),
    ...lost.map((where) => `${where} no longer contains ${fact}: update facts.mjs`),
  ];
});
for (const problem of problems) console.error(`one fact: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

function placesOf(pattern) {
  const everywhere = new RegExp(pattern, `${pattern.flags}g`);
  return texts.flatMap(({ file, text }) =>
    [...text.matchAll(everywhere)].map(({ index }) => ({
      ...{ file, pattern },
      line: text.slice(0, index).split("\n").length,
    })),
  );
}
