/**
 * The synthesized folder is the same wherever it is made, and names nothing of the machine that made it: so it can be
 * committed, uploaded, and planned elsewhere. Here the built synth entry makes it, as for a user.
 */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { recordOf } from "../release/examples";

const SYNTH = resolve("lib/main.js");
const REPOSITORY = resolve(".");
const FILE = "environments/one.json";

const CLOUD = { backend: { kind: "cloud", organization: "acme" } };
const STORAGE = {
  backend: {
    kind: "azurerm",
    resourceGroup: "rg-terraform",
    storageAccount: "stacme",
    container: "tfstate",
  },
};
const HOOK = { hooks: [{ when: "before switch", name: "smoke", command: ["bash", "hooks/smoke.sh"] }] };
const ENVIRONMENTS: readonly (readonly [string, string, object])[] = [
  ["Linux on Azure, state in a file", "azure-linux.json", HOOK],
  ["Windows on Azure, state in Terraform Cloud", "azure-socialgoal.json", CLOUD],
  ["Linux on Azure, state in a storage account", "azure-linux.json", STORAGE],
  ["this machine", "local.json", HOOK],
];

let root: string;
beforeAll(() => (root = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-portable-"))));
afterAll(() => rmSync(root, { recursive: true }));

/** Every file that synth writes in a new project there, by its path. */
function synthesized(project: string, environment: Record<string, unknown>): Map<string, string> {
  mkdirSync(dirname(join(project, FILE)), { recursive: true });
  writeFileSync(join(project, FILE), JSON.stringify(environment));
  const record = recordOf({ application: String(environment["application"]) });
  writeFileSync(join(project, String(environment["record"])), JSON.stringify(record));
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], BLUEGREEN_ENVIRONMENT: FILE };
  const ran = spawnSync(process.execPath, [SYNTH], { cwd: project, env, encoding: "utf8" });
  expect({ status: ran.status, stderr: ran.stderr }).toMatchObject({ status: 0 });
  const output = join(project, "cdktf.out");
  return new Map(
    readdirSync(output, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path): [string, string] => [relative(output, path), readFileSync(path, "latin1")])
      .sort(([one], [other]) => one.localeCompare(other)),
  );
}

describe.each(ENVIRONMENTS)("%s", (title, file, changes) => {
  const environment = {
    ...(JSON.parse(readFileSync(join("environments", file), "utf8")) as Record<string, unknown>),
    ...changes,
    record: "release.json",
  };
  let here: Map<string, string>;
  let there: Map<string, string>;
  beforeAll(() => {
    const name = title.replaceAll(/\W+/g, "-");
    here = synthesized(join(root, name), environment);
    there = synthesized(join(root, "some where else", "deeper", name), environment);
  });

  test("is the same in two folders, byte for byte", () => {
    expect([...here.keys()]).toEqual(expect.arrayContaining(["manifest.json", "stacks/web/cdk.tf.json"]));
    expect(here.size).toBeGreaterThan(8);
    expect([...there.keys()]).toEqual([...here.keys()]);
    for (const [path, text] of here) expect([path, there.get(path) === text]).toEqual([path, true]);
  });

  test("names no folder of this machine, neither in Terraform's files nor in scripts", () => {
    const folders = [root, REPOSITORY];
    for (const [path, text] of here) {
      for (const folder of folders) expect([path, text.includes(folder)]).toEqual([path, false]);
    }
  });

  test("carries all files that its stacks ask for", () => {
    for (const stack of ["base", "web"]) {
      const asked = [...here.get(`stacks/${stack}/cdk.tf.json`)!.matchAll(/assets\/[\w./-]+/g)].map(
        ([path]) => path,
      );
      expect(asked.length).toBeGreaterThan(0);
      for (const path of asked) expect([...here.keys()]).toContain(`stacks/${stack}/${path}`);
    }
  });
});
