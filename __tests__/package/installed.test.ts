/**
 * The package in the hands of somebody who installed it: the command in an empty folder, the library in the TypeScript
 * template of `cdktf init` and in a project of ES modules. All of it is outside of the repository.
 */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { join } from "node:path";
import { Project, workplace } from "./project";
import { appOf, ENVIRONMENTS, RECORD, synthesized, writeInputs } from "./stacks";
import { pack } from "./tarball";
import type { Tarball } from "./tarball";

const COMMAND = "node_modules/cdktf-bluegreen/lib/cli/main.js";
const SYNTH_ENTRY = "node_modules/cdktf-bluegreen/lib/main.js";
const PEERS = ["@cdktf/provider-azurerm", "cdktf", "constructs"];
/** What the template of `cdktf init` installs for its compiler. */
const TEMPLATE_TYPES = ["@types/jest", "@types/node"];

let folder: string;
let tarball: Tarball;

beforeAll(() => {
  folder = workplace();
  tarball = pack(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function installed(name: string): Promise<Project> {
  const project = new Project(join(folder, name));
  await project.unpack(tarball.path);
  return project;
}

/** What programs and declarations ask for, and do not find from where they lie. */
function missing(project: Project, files: readonly string[]): string[] {
  return files.flatMap((file) => {
    const path = project.in("node_modules/cdktf-bluegreen", file);
    const asks = file.endsWith(".js") ? /\brequire\("([^"]+)"\)/g : /\b(?:import\(|from )"([^"]+)"/g;
    const asked = readFileSync(path, "utf8").matchAll(asks);
    const from = createRequire(path);
    const names = [...asked].map(([, name = ""]) => name);
    return names.filter((name) => !isFound(from, name)).map((name) => `${file} asks for ${name}`);
  });
}

function isFound(from: NodeJS.Require, name: string): boolean {
  // Newer versions have more than this one.
  if (isBuiltin(name) || name.startsWith("node:")) return true;
  try {
    return from.resolve(name) !== "";
  } catch {
    return false;
  }
}

describe("the command, in an empty folder with no peer in reach", () => {
  let project: Project;
  beforeAll(async () => {
    project = await installed("empty");
    await project.must(process.execPath, [COMMAND, "init", "--example", "--yes", "--driver", "embedded"]);
  });
  const bluegreen = (...args: string[]) => project.must(process.execPath, [COMMAND, ...args]);

  test("everything that it loads is there", () => {
    const library = /^lib\/(index|configuration|constructs|release|stacks)[./]/;
    const programs = tarball.files.filter((file) => /^lib\/.*\.js$/.test(file) && !library.test(file));
    expect(programs.length).toBeGreaterThan(8);
    expect(missing(project, programs)).toEqual([]);
    expect(PEERS.filter((name) => existsSync(project.in("node_modules", name)))).toEqual([]);
  });

  test("init makes a project whose app synthesizes, and packs the sample", async () => {
    const { app } = project.json<{ app: string }>("cdktf.json");
    expect(app).toBe(`node ${SYNTH_ENTRY}`);
    await project.must("sh", ["-c", app]);
    for (const stack of ["base", "web"])
      expect(existsSync(project.in("cdktf.out/stacks", stack, "cdk.tf.json"))).toBe(true);
    expect(existsSync(project.in("packages/socialgoal-1.4.0.zip"))).toBe(true);
  });

  test("it measures, and draws what it measured", async () => {
    const server: Server = createServer((_, response) => response.end("ok"));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    try {
      const { port } = server.address() as AddressInfo;
      const load = ["--url", `http://127.0.0.1:${port}`, "--warm-up", "0.2", "--cool-down", "0.2"];
      const deployed = ["--", process.execPath, "--eval", ""];
      await bluegreen("measure", ...load, "--receipt", "measured.json", ...deployed);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    await bluegreen("report", "measured.json");
    expect(readFileSync(project.in("measured.html"), "utf8")).toContain("<svg");
  });

  test("it plans with the OpenTofu that TERRAFORM_BINARY_NAME names", async () => {
    // No OpenTofu here: what is tested is which program is started, and that nothing starts another.
    const found = (await project.must("sh", ["-c", "command -v terraform"])).trim();
    project.write("bin/tofu", `#!/bin/sh\necho "$@" >>"${project.in("tofu.log")}"\nexec "${found}" "$@"\n`);
    project.write("bin/terraform", "#!/bin/sh\nexit 9\n");
    await project.must("chmod", ["+x", "bin/tofu", "bin/terraform"]);
    const env = { PATH: `${project.in("bin")}:${process.env["PATH"]}`, TERRAFORM_BINARY_NAME: "tofu" };
    await project.must(process.execPath, [COMMAND, "plan", "base"], env);
    const commands = readFileSync(project.in("tofu.log"), "utf8").split("\n");
    for (const command of ["version", "init", "plan", "show"])
      expect(commands).toContainEqual(expect.stringMatching(new RegExp(`(^| )${command}( |$)`)));
  });
});

describe("the library, in the TypeScript template of `cdktf init`", () => {
  const ONE_CONSTRUCT = `import { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import { App, TerraformStack } from "cdktf";
import { AzureVirtualMachine } from "cdktf-bluegreen/constructs/azure";

const app = new App({ outdir: "out-one" });
const stack = new TerraformStack(app, "one");
new AzurermProvider(stack, "azurerm", { features: [{}] });
const server = new AzureVirtualMachine({ name: "web-1", os: "linux", virtualMachineId: "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/web-1", location: "westeurope" });
server.run(stack, "check", { name: "check-1", script: "check.sh", parameters: { URL: "/" }, timeoutSeconds: 60, dependsOn: [] });
app.synth();
`;
  const MISTAKES = `import { WebStack } from "cdktf-bluegreen";
import type { WebStackProps } from "cdktf-bluegreen/stacks";
import { AzureVirtualMachine } from "cdktf-bluegreen/constructs/azure";
import { parseRecord } from "cdktf-bluegreen/release";

// @ts-expect-error -- a stack has props
export const noProps = (scope: WebStack) => new WebStack(scope, "web");
// @ts-expect-error -- a record is more than its sequence
export const record: WebStackProps["record"] = { sequence: 1 };
// @ts-expect-error -- no such operating system
export const machine = new AzureVirtualMachine({ name: "web-1", os: "plan9", virtualMachineId: "", location: "" });
// @ts-expect-error -- no entry of the package
export type Internal = typeof import("cdktf-bluegreen/constructs/azure/patching");
// @ts-expect-error -- text, not a buffer
export const read = parseRecord(Buffer.from(""), "release.json");
`;
  let project: Project;

  beforeAll(async () => {
    project = await installed("template");
    project.fillWithTemplate();
    project.link(...PEERS, ...TEMPLATE_TYPES);
    writeInputs(project);
    project.write("check.sh", "true\n");
    project.write("main.ts", appOf(ENVIRONMENTS));
    project.write("one-construct.ts", ONE_CONSTRUCT);
    project.write("mistakes.ts", MISTAKES);
    await project.compile();
  });

  test("everything that it loads is there", () => {
    expect(
      missing(
        project,
        tarball.files.filter((file) => /^lib\/.*\.(js|d\.ts)$/.test(file)),
      ),
    ).toEqual([]);
  });

  test("both stacks are what the package's own app makes of them, on every platform", async () => {
    await project.node("main.js");
    const asLibrary = synthesized(project);
    for (const name of ENVIRONMENTS) {
      await project.node(SYNTH_ENTRY, {
        BLUEGREEN_ENVIRONMENT: `environments/${name}.json`,
        BLUEGREEN_RECORD: RECORD,
        CDKTF_OUTDIR: `out-${name}`,
      });
    }
    expect(asLibrary).toEqual(synthesized(project));
  });

  test("one construct alone", async () => {
    await project.node("one-construct.js");
    const { resource } = project.json<{ resource: object }>("out-one/stacks/one/cdk.tf.json");
    expect(Object.keys(resource)).toEqual(["azurerm_virtual_machine_run_command"]);
  });
});

test("a project of ES modules gets the same types, the same names and the same stacks", async () => {
  const project = await installed("modules");
  project.link(...PEERS, "@types/node");
  writeInputs(project);
  project.write("package.json", { private: true, type: "module" });
  project.write("tsconfig.json", {
    compilerOptions: {
      module: "nodenext",
      target: "es2022",
      strict: true,
      skipLibCheck: true,
      types: ["node"],
    },
    files: ["main.ts", "names.ts"],
  });
  project.write("main.ts", `import "./names.js";\n${appOf(["local"])}`);
  // An ES module sees of CommonJS only the names that can be read off its text.
  project.write(
    "names.ts",
    `import { BlueGreenDeployment, LocalServer, Strategy, transitions } from "cdktf-bluegreen";
import { AzureInfrastructure, Network } from "cdktf-bluegreen/constructs/azure";
import { LocalProxy } from "cdktf-bluegreen/constructs/local";
import { BaseStack } from "cdktf-bluegreen/stacks";
const classes = [BlueGreenDeployment, LocalServer, AzureInfrastructure, Network, LocalProxy, BaseStack];
console.log(classes.length, Strategy.canary({}).strategy, typeof transitions.release);
`,
  );
  await project.compile();
  expect(await project.node("main.js")).toBe("6 canary function\n");
  const { "local web": web } = synthesized(project, ["local"]);
  expect(web).toHaveProperty("resource.terraform_data");
});
