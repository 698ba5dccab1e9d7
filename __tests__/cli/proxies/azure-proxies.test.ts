/** What is seen of proxies on Azure while others may be at work: the words of their last steps, out of Terraform's state. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AzureProxies } from "../../../cli/proxies/azure-proxies";
import type { Project } from "../../../cli/project/project";
import { parseEnvironment } from "../../../configuration/environment-file";
import type { AzureEnvironment } from "../../../configuration/environment";
import { emptyRecord } from "../../../release/record";
import { recordOf } from "../../release/examples";
import { lastLine } from "./last-line";

const FILE = "environments/azure-linux.json";
const AT = "2026-11-25T12:00:00.000Z";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "azure-proxies-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A synth that makes the stack's folder, and a Terraform that shows a state. */
function proxiesWith(outputs: Readonly<Record<string, string>>): { proxies: AzureProxies; project: Project } {
  const resources = Object.entries(outputs).map(([step, output]) => ({
    address: `azurerm_virtual_machine_run_command.${step}`,
    values: { name: step, instance_view: [{ output, exit_code: 0 }] },
  }));
  writeFileSync(
    join(folder, "state.json"),
    JSON.stringify({ prior_state: { values: { root_module: { resources } } } }),
  );
  const terraform = join(folder, "terraform");
  writeFileSync(
    terraform,
    `#!/bin/sh\necho "$PWD $1" >>${folder}/asked\n[ "$1" != show ] || cat ${folder}/state.json\n`,
  );
  chmodSync(terraform, 0o755);
  const text = readFileSync(join(__dirname, "../../..", FILE), "utf8");
  const environment = parseEnvironment(text, FILE) as AzureEnvironment;
  const synth = [
    "sh",
    "-c",
    `echo synth >>${folder}/asked; mkdir -p "$CDKTF_OUTDIR/stacks/web"; echo {} >"$CDKTF_OUTDIR/stacks/web/cdk.tf.json"`,
  ] as const;
  const project: Project = { folder, environmentFile: FILE, environment, synth };
  const binary = { path: terraform, name: "terraform", version: "1.11.4", fetched: false } as const;
  return { project, proxies: new AzureProxies(project, environment, async () => binary) };
}

function said(step: string, sequence: number): string {
  const line = lastLine(
    { step, sequence, at: AT, serving: ["blue"] },
    {
      ...{ sequence, stable: { slot: "blue", releaseId: "1.0.0-1" } },
      journal: [{ at: Date.parse(AT), event: "traffic", live: "blue", weight: 0, mode: "serve" }],
    },
  );
  return `something else\n${JSON.stringify(line)}\nbluegreen: ${step} ended with 0\n`;
}

function installed(releaseId: string): string {
  return JSON.stringify({ step: "install", slot: "blue", releaseId, outcome: "installed", seconds: 1.5 });
}

test("the newest words count, with their journal and their time; a proxy that said nothing is named", async () => {
  const { proxies } = proxiesWith({
    "begin-proxy-1": said("begin", 2),
    "switch-proxy-1": said("switch", 1),
    "begin-proxy-2": "cut off",
  });
  const [first, second] = await proxies.poll(emptyRecord("socialgoal"));
  expect(first).toMatchObject({
    ...{ proxy: "proxy-1", problem: null },
    status: { at: AT, step: "begin", state: { sequence: 2, journal: [{ event: "traffic", weight: 0 }] } },
  });
  expect(second).toEqual({ proxy: "proxy-2", status: null, problem: "proxy-2 has run no step yet" });
});

test("words that are no director's are a problem of that proxy, with the field that is wrong", async () => {
  const { proxies } = proxiesWith({
    "begin-proxy-1": said("begin", 1).replace('"phase":"stable"', '"phase":"asleep"'),
    "begin-proxy-2": said("begin", 1),
  });
  expect(await proxies.poll(emptyRecord("socialgoal"))).toMatchObject([
    {
      ...{ proxy: "proxy-1", status: null },
      problem: expect.stringMatching(/^what \S+\.begin-proxy-1 reported: state\.phase must be "stable" or /),
    },
    { proxy: "proxy-2", problem: null },
  ]);
  await expect(proxies.survey(emptyRecord("socialgoal"))).rejects.toThrow(
    /^what \S+\.begin-proxy-1 reported: /,
  );
});

test("a deployment in a construct of the project is seen as one that stands in the stack", async () => {
  const { proxies } = proxiesWith({
    "release_begin-proxy-1_1A2B3C4D": said("begin", 2),
    "release_install-blue-web-1_1A2B3C4D[0]": installed("1.0.0-1"),
    "release_install-green-web-2_1A2B3C4D": installed("2.0.0-2"),
  });
  const [first] = await proxies.poll(recordOf());
  expect(first).toMatchObject({ proxy: "proxy-1", problem: null, status: { step: "begin" } });
  expect(first?.status?.endpoints).toMatchObject({
    blue: [{ server: "web-1", releaseId: "1.0.0-1", healthy: true }],
    green: [{ server: "web-2", releaseId: "2.0.0-2", healthy: true }],
  });
});

test("whoever looks again and again synthesizes once, in a folder that no release works in", async () => {
  const { proxies } = proxiesWith({ "begin-proxy-1": said("begin", 1) });
  await proxies.poll(emptyRecord("socialgoal"));
  await proxies.poll(emptyRecord("socialgoal"));
  const asked = readFileSync(join(folder, "asked"), "utf8").trim().split("\n");
  expect(asked.filter((line) => line === "synth")).toHaveLength(1);
  const places = new Set(asked.filter((line) => line !== "synth").map((line) => line.split(" ")[0]));
  expect([...places]).toEqual([expect.stringMatching(/\/watch\/cdktf\.out\/stacks\/web$/)]);
  expect(existsSync(join(folder, ".bluegreen"))).toBe(true);
});
