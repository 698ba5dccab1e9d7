/** A part of a document is replaced by what its program writes, and nothing else is. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPages, REPOSITORY } from "./pages";

const folder = mkdtempSync(join(tmpdir(), "bluegreen-section-"));
afterAll(() => rmSync(folder, { recursive: true }));

const DOCUMENT =
  "# Title\n\n<!-- begin a -->\n\nold\n\n<!-- end a -->\n\n<!-- begin b -->\n\nkept\n\n<!-- end b -->\n";

function put(name: string, text: string, document = DOCUMENT) {
  const file = join(folder, "document.md");
  writeFileSync(file, document);
  const ran = spawnSync(process.execPath, [join(REPOSITORY, "development/build/section.mjs"), name, file], {
    input: text,
    encoding: "utf8",
  });
  return { exitCode: ran.status, error: ran.stderr, document: readFileSync(file, "utf8") };
}

test("a part is replaced, and the rest of the document stays", () => {
  const { exitCode, document } = put("a", "new: $& $1\n");
  expect(exitCode).toBe(0);
  expect(document).toBe(DOCUMENT.replace("old", () => "new: $& $1"));
  expect(put("a", "new: $& $1", document).document).toBe(document);
});

test.each([
  ["no such part", "c", "new", DOCUMENT],
  ["a part that has no end", "a", "new", DOCUMENT.replace("<!-- end a -->", "")],
  ["a part that is there twice", "a", "new", DOCUMENT + DOCUMENT],
  ["a program that wrote nothing", "a", "\n", DOCUMENT],
])("%s is refused, and nothing is written", (_, name, text, document) => {
  expect(put(name, text, document)).toEqual({ exitCode: 2, error: expect.stringMatching(/\S/), document });
});

test("docs/reliability.md has a part for each program that writes there", () => {
  const page = readPages().find(({ file }) => file === "docs/reliability.md")!.text;
  for (const name of ["faults", "proxy-faults", "soak", "bench"])
    expect(put(name, "new", page).exitCode).toBe(0);
});
