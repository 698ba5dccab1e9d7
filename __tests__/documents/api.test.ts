/**
 * The API reference is generated when the package is published. It has to come out without a warning: every public name
 * has a comment, and every type that a public name refers to is public.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "./pages";

const OPTIONS = join(REPOSITORY, "development/build/typedoc.json");

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-api-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function reference(options: string) {
  const args = ["node_modules/typedoc/bin/typedoc", "--options", options, "--out", join(folder, "api")];
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined };
  const spawned = spawnSync(process.execPath, args, { cwd: REPOSITORY, encoding: "utf8", env });
  return { status: spawned.status, output: spawned.stdout + spawned.stderr };
}

test("it is generated without a warning, and covers each entry", () => {
  expect(reference(OPTIONS)).toEqual({ status: 0, output: "" });
  const page = (name: string) => readFileSync(join(folder, "api", name), "utf8");
  expect(page("stacks/README.md")).toContain("### BlueGreenDeployment\n");
  expect(page("constructs/azure.md")).toContain("### AzureVirtualMachine\n");
  expect(page("release.md")).toContain("### readPlan()\n");
});

test("a public name without a comment and a type that is not public are refused", () => {
  const write = (name: string, content: string | object): void =>
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  write(
    "entry.ts",
    "interface Hidden { a: 1 }\nexport function bare(given: Hidden): Hidden { return given; }\n",
  );
  write("package.json", { name: "test" });
  write("tsconfig.json", { compilerOptions: { types: [] }, files: ["entry.ts"] });
  write("typedoc.json", {
    name: "test",
    extends: [OPTIONS],
    entryPoints: ["entry.ts"],
    tsconfig: "tsconfig.json",
  });
  const { status, output } = reference(join(folder, "typedoc.json"));
  expect(status).not.toBe(0);
  expect(output).toMatch(/Hidden, .*not included in the documentation/);
  expect(output).toMatch(/bare .*does not have any documentation/);
  expect(existsSync(join(folder, "api"))).toBe(false);
});
