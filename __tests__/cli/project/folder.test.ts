/** Where a command finds its project: in the working directory, or above it. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../../../cli/project/project";

const FILE = "environments/local.json";

let above: string;
beforeEach(() => (above = realpathSync(mkdtempSync(join(tmpdir(), "bluegreen-folder-")))));
afterEach(() => rmSync(above, { recursive: true }));

/** @returns the folder's path. */
function folder(name: string, ...files: string[]): string {
  mkdirSync(join(above, name, "environments"), { recursive: true });
  for (const file of files) writeFileSync(join(above, name, file), "{}");
  return join(above, name);
}

test("it is the nearest one that has the environment file, from the working directory upwards", () => {
  const project = folder("shop", FILE);
  const inner = folder("shop/parts/admin", FILE);
  expect(projectFolder(FILE, project)).toBe(project);
  expect(projectFolder(FILE, folder("shop/src/pages"))).toBe(project);
  expect(projectFolder(FILE, folder("shop/parts/admin/src"))).toBe(inner);
});

test("another environment may be in another one", () => {
  const project = folder("shop", FILE, "environments/prod.json");
  const inner = folder("shop/admin", FILE);
  expect(projectFolder("environments/prod.json", inner)).toBe(project);
});

test("an absolute path is not looked for below the root", () => {
  const project = folder("shop", FILE);
  expect(projectFolder(join(project, FILE), project)).toBe(project);
});

test("without one anywhere it is the working directory, whose message says what is missing", () => {
  const empty = folder("empty");
  expect(projectFolder("environments/none-of-these.json", empty)).toBe(empty);
});
