/**
 * Checks the layout: the files and subfolders of each folder must not import each other in a cycle. A subfolder counts as
 * one node. Prints each cycle with its imports, and exits with 1.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { circles } from "./circles.mjs";
import { trackedFiles } from "./tracked-files.mjs";

/** The most entries of the repository's root: a longer list is hard to read. */
const ROOT_ENTRIES = 26;

const tracked = trackedFiles();
const sources = new Set(
  tracked.filter((file) => /\.[cm]?[jt]s$/.test(file) && !file.startsWith("__tests__/")),
);
const imports = [...sources].flatMap((file) =>
  ts
    .preProcessFile(readFileSync(file, "utf8"), true, true)
    .importedFiles.flatMap(({ fileName }) => resolved(file, fileName).map((target) => [file, target])),
);

const problems = [...foldersOf(sources)].flatMap((folder) =>
  circles(edgesIn(folder)).map(
    (circle) =>
      `${folder || "the root"}: ${circle.map(([from, to]) => from.child + " -> " + to.child).join(", ")}\n` +
      circle.map(([from, to]) => `    ${from.file} imports ${to.file}`).join("\n"),
  ),
);
const entries = new Set(tracked.map((file) => file.split("/")[0]));
if (entries.size > ROOT_ENTRIES)
  problems.push(`the root has ${entries.size} entries, more than ${ROOT_ENTRIES}`);
for (const problem of problems) console.error(`layout: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

function resolved(file, specifier) {
  if (!specifier.startsWith(".")) return [];
  const path = relative(".", join(dirname(file), specifier));
  const candidates = [path, `${path}.ts`, path.replace(/\.js$/, ".ts"), `${path}/index.ts`];
  return candidates.filter((candidate) => sources.has(candidate)).slice(0, 1);
}

/** The imports between the folder's entries. */
function edgesIn(folder) {
  const below = folder === "" ? "" : `${folder}/`;
  const place = (file) => ({ file, child: file.slice(below.length).split("/")[0] });
  return imports
    .filter((both) => both.every((file) => file.startsWith(below)))
    .map(([from, to]) => [place(from), place(to)])
    .filter(([from, to]) => from.child !== to.child);
}

function foldersOf(files) {
  const folders = new Set([""]);
  for (const file of files) {
    for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) folders.add(folder);
  }
  return folders;
}
