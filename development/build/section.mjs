/**
 * Replaces a section of a document, between `<!-- begin NAME -->` and `<!-- end NAME -->`, with the text on stdin.
 *
 *   npx tsx development/faults/page.ts faults.json | node development/build/section.mjs faults docs/reliability.md
 */
import { readFileSync, writeFileSync } from "node:fs";

const [name, file] = process.argv.slice(2);
if (file === undefined) fail("usage: node development/build/section.mjs NAME DOCUMENT <TEXT");
const text = readFileSync(0, "utf8").trim();
if (text === "") fail(`stdin is empty: ${file} is unchanged`);
const document = readFileSync(file, "utf8");
const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
const [before, rest, ...again] = document.split(begin);
const after = rest?.split(end).slice(1).join(end);
if (again.length > 0 || !rest?.includes(end)) fail(`${file} needs one ${begin}, and ${end} after it`);
writeFileSync(file, `${before}${begin}\n\n${text}\n\n${end}${after}`);

function fail(message) {
  console.error(message);
  process.exit(2);
}
