/** The API pages are what typedoc makes of the sources: `npm run docs:api` makes them anew. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GENERATED, REPOSITORY } from "./pages";

test("docs/api is what the sources say; else: npm run docs:api", () => {
  const fresh = mkdtempSync(join(tmpdir(), "bluegreen-api-"));
  try {
    execFileSync(process.execPath, ["node_modules/typedoc/bin/typedoc", "--out", fresh], { cwd: REPOSITORY });
    expect(pagesIn(join(REPOSITORY, GENERATED))).toEqual(pagesIn(fresh));
  } finally {
    rmSync(fresh, { recursive: true });
  }
});

function pagesIn(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}
