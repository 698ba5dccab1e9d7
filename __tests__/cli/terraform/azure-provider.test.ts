/** What the command does about azurerm before it starts: another version, variables that stop it, a state that is newer. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stack } from "../../../cli/terraform/stack";
import { lockedAzurerm } from "../../../cli/terraform/azure-provider";

/** Notes each call, and prints what the test wants from `state pull` and `show`. */
const TERRAFORM = `#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$CALLS"
case $1 in state) cat state.json ;; show) printf '{"format_version":"1.2","resource_changes":[]}' ;; esac
`;

let folder: string;
let calls: () => string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-test-azurerm-"));
  const program = join(folder, "terraform");
  writeFileSync(program, TERRAFORM.replace('"$CALLS"', `'${join(folder, "calls")}'`));
  chmodSync(program, 0o755);
  calls = () => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
});
afterEach(() => {
  delete process.env["ARM_PROVIDER_ENHANCED_VALIDATION"];
  rmSync(folder, { recursive: true, force: true });
});

/** @param locked the version of the last init. */
function stack(name: "base" | "web", version: string, locked?: string, state: object = {}): Stack {
  const place = join(folder, "stacks", name);
  mkdirSync(place, { recursive: true });
  const required_providers = { azurerm: { source: "azurerm", version } };
  writeFileSync(join(place, "cdk.tf.json"), JSON.stringify({ terraform: { required_providers } }));
  writeFileSync(join(place, "state.json"), JSON.stringify(state));
  if (locked !== undefined) writeFileSync(join(place, ".terraform.lock.hcl"), lock(locked));
  return new Stack(folder, name, { path: join(folder, "terraform") } as never);
}

const lock = (version: string): string => `# This file is maintained automatically by "terraform init".

provider "registry.terraform.io/hashicorp/azurerm" {
  version     = "${version}"
  constraints = "${version}"
  hashes = [
    "h1:0123456789abcdef=",
  ]
}

provider "registry.terraform.io/hashicorp/http" {
  version = "3.4.5"
}
`;
/** Base's container, as 4.81.0 and 5.2.0 write it. */
const container = (schema_version: number): object => ({
  version: 4,
  resources: [
    { type: "azurerm_storage_account", name: "one", instances: [{ schema_version: 4, attributes: {} }] },
    { type: "azurerm_storage_container", name: "one", instances: [{ schema_version, attributes: {} }] },
  ],
});

test("another version than that of the last init is fetched, instead of refused by Terraform's lock", async () => {
  await stack("web", "4.81.0", "4.55.0").plan();
  expect(calls()[0]).toBe("init -input=false -reconfigure -upgrade -no-color");
});

test("the version of the last init, and the first one, need no upgrade", async () => {
  await stack("web", "4.81.0", "4.81.0").plan();
  await stack("base", "4.81.0").plan();
  expect(calls().filter((call) => call.startsWith("init"))).toEqual([
    "init -input=false -reconfigure -no-color",
    "init -input=false -reconfigure -no-color",
  ]);
});

test("a state of base that 5.x wrote is refused for 4.x, before anything is planned", async () => {
  const back = stack("base", "4.81.0", undefined, container(2));
  await expect(back.plan()).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringMatching(
      /^azurerm 5.x wrote the state of base, and 4.81.0 refuses it.*platform.provider/,
    ),
  });
  expect(calls().filter((call) => call.startsWith("plan"))).toEqual([]);
});

test.each([
  ["4.81.0", 1],
  ["5.2.0", 1],
  ["5.2.0", 2],
])("azurerm %s reads a state with the schema %i", async (version, schema) => {
  await stack("base", version, undefined, container(schema)).plan();
  expect(calls().some((call) => call.startsWith("plan"))).toBe(true);
});

test("the variable with which 5.x stops every command is named before it does", async () => {
  process.env["ARM_PROVIDER_ENHANCED_VALIDATION"] = "false";
  await expect(stack("web", "5.2.0").plan()).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(
      /^ARM_PROVIDER_ENHANCED_VALIDATION is set, with which azurerm 5.2.0 stops/,
    ),
  });
  await stack("web", "4.81.0").plan();
  expect(calls().some((call) => call.startsWith("plan"))).toBe(true);
});

test("a lock of other providers only has no version", () => {
  writeFileSync(
    join(folder, ".terraform.lock.hcl"),
    lock("5.2.0").replace("hashicorp/azurerm", "acme/other"),
  );
  expect(lockedAzurerm(folder)).toBeNull();
  expect(lockedAzurerm(join(folder, "nowhere"))).toBeNull();
});
