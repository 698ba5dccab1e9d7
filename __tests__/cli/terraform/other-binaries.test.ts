/** What other programs than Terraform 1.11 print and store: newer states, OpenTofu's warnings, its name in messages. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cdktfCommand } from "../../../cli/project/cdktf-command";
import { commandLineOf } from "../../../cli/project/engines";
import { findTerraform } from "../../../cli/terraform/binary";
import { jsonOf } from "../../../cli/terraform/json-output";
import { entriesOf, readState } from "../../../cli/terraform/pulled-state";
import { Stack } from "../../../cli/terraform/stack";

/** Recorded from OpenTofu 1.12.6: a settings file that is not there. */
const WARNINGS = `
Warning: Unable to open CLI configuration file

The CLI configuration file at "/nowhere/{tofurc}" does not exist.

{not yet
`;

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-binaries-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, script: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

test("JSON is found behind warnings, also where it has several lines", () => {
  const json = JSON.stringify({ terraform_version: "1.12.6", platform: "linux_amd64" }, null, 2);
  expect(jsonOf(`${WARNINGS}${json}\n`)).toBe(`${json}\n`);
  expect(jsonOf(json)).toBe(json);
  expect(jsonOf("no JSON {")).toBe("no JSON {");
});

test("a binary that warns before it prints its version is found", async () => {
  const tofu = program("tofu", `cat <<'E'${WARNINGS}{\n  "terraform_version": "1.12.6"\n}\nE`);
  await expect(
    findTerraform({ log: () => undefined, env: { ...process.env, TERRAFORM_BINARY_NAME: tofu } }),
  ).resolves.toMatchObject({ name: "tofu", version: "1.12.6" });
});

test("a plan is read behind warnings, and messages name the program that ran", async () => {
  mkdirSync(join(folder, "stacks/web"), { recursive: true });
  writeFileSync(join(folder, "stacks/web/cdk.tf.json"), "{}");
  const plan = JSON.stringify({ format_version: "1.2", resource_changes: [], errored: false });
  const tofu = program(
    "tofu",
    `[ "$1" != show ] || cat <<'E'${WARNINGS}${plan}\nE\n[ ! -e broken ] || exit 1`,
  );
  const stack = new Stack(folder, "web", { path: tofu, name: "tofu", version: "1.12.6", fetched: false });
  await expect(stack.plan()).resolves.toMatchObject({ isEmpty: true });
  writeFileSync(join(folder, "stacks/web/broken"), "");
  await expect(stack.plan()).rejects.toThrow(/^tofu init of web failed: /);
});

test("a state of Terraform 1.16 is read, whose new attribute an older `show` refuses", () => {
  const state = {
    ...{ version: 4, terraform_version: "1.16.0", serial: 3, lineage: "0", outputs: {}, check_results: null },
    resources: [
      {
        ...{ mode: "managed", type: "terraform_data", name: "begin-proxy-1" },
        provider: 'provider["terraform.io/builtin/terraform"]',
        instances: [
          {
            schema_version: 1,
            attributes: {
              ...{ id: "1", input: null, output: null, store: { value: "x", type: "string" } },
              triggers_replace: { value: "begin-3-0a1b2c3d", type: "string" },
            },
            sensitive_attributes: [],
          },
          { schema_version: 1, deposed: "1a2b3c4d", attributes: null },
        ],
      },
      {
        ...{ module: "module.web", mode: "data", type: "a", name: "b" },
        instances: [{ index_key: "k", attributes: { id: "2" } }],
      },
    ],
  };
  const read = readState(JSON.stringify(state))!;
  expect(read.terraform_version).toBe("1.16.0");
  expect(entriesOf(read)).toMatchObject([
    {
      ...{ address: "terraform_data.begin-proxy-1", deposed: false },
      values: { triggers_replace: "begin-3-0a1b2c3d" },
    },
    { address: "terraform_data.begin-proxy-1", deposed: true, values: {} },
    { address: 'module.web.data.a.b["k"]', values: { id: "2" } },
  ]);
  expect(readState("")).toMatchObject({ resources: [] });
  expect(readState('{"resources":{}}')).toBeNull();
});

describe("a command of cdktf-cli that a message names", () => {
  const before = { ...process.env };
  afterEach(() => (process.env = { ...before }));

  test.each([
    ["only OpenTofu", ["tofu"], undefined, "TERRAFORM_BINARY_NAME=tofu npx cdktf deploy base"],
    ["both", ["terraform", "tofu"], undefined, "npx cdktf deploy base"],
    ["OpenTofu, which the variable names already", ["tofu"], "tofu", "npx cdktf deploy base"],
    ["neither", [], undefined, "npx cdktf deploy base"],
  ])("where PATH has %s", (_, programs, variable, command) => {
    for (const name of programs) program(name, "");
    process.env = { ...before, PATH: folder, TERRAFORM_BINARY_NAME: variable };
    if (variable === undefined) delete process.env["TERRAFORM_BINARY_NAME"];
    expect(cdktfCommand("deploy base")).toBe(command);
  });

  test.each([
    ["cdktf-cli", "cdktf", "npx cdktf deploy base"],
    ["CDK Terrain's", "cdktn", "npx cdktn deploy base"],
  ])("where a folder above the project installs %s", (_, name, command) => {
    const bin = join(folder, "node_modules", ".bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, name), "");
    mkdirSync(join(folder, "project"));
    expect(cdktfCommand("deploy base", join(folder, "project"))).toBe(command);
  });

  test.each([
    ["20.18.0", "cdktf-cli", "0.21.0"],
    ["22.18.9", "cdktf-cli", "0.21.0"],
    ["22.19.0", "cdktn-cli", "0.24.0"],
    ["26.10.0", "cdktn-cli", "0.24.0"],
  ])("where a project installs none: one that runs on Node.js %s", (node, name, version) => {
    expect(commandLineOf(folder, node)).toMatchObject({ package: name, version, installed: false });
  });

  test("where a project installs none, it can be pasted all the same", () => {
    expect(cdktfCommand("deploy base", folder)).toMatch(
      /^(TERRAFORM_BINARY_NAME=tofu )?npx --package cdkt[fn]-cli@0\.\d+\.\d+ cdkt[fn] deploy base$/,
    );
  });
});
