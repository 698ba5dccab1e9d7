/** Both stacks of an Azure environment, read as Terraform reads them: blocks by type, and where references lead. */
import { readFileSync } from "node:fs";
import type { AzureEnvironment } from "../../configuration/environment";
import { parseEnvironment } from "../../configuration/environment-file";
import { requireAzure } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import { BaseStack } from "../../stacks/base-stack";
import { azureEnvironment, ON_WINDOWS } from "../configuration/azure/examples";
import { recordOf } from "../release/examples";
import { synthesizeApp, readStack, synthesizeWeb } from "./synthesis";
import type { Block, SynthesizedStack } from "./synthesis";

export type { Block, SynthesizedStack } from "./synthesis";

/** The environments that the repository comes with. */
export function shipped(name: "azure-linux" | "azure-socialgoal"): AzureEnvironment {
  const file = `environments/${name}.json`;
  return requireAzure(parseEnvironment(readFileSync(file, "utf8"), file));
}

export const DATABASE = {
  administrators: { group: "sql-administrators", objectId: "00000000-0000-0000-0000-000000000002" },
};

/** The shipped environments, and what else an environment file may say. */
export const ENVIRONMENTS: readonly (readonly [string, AzureEnvironment])[] = [
  ["azure-linux.json", shipped("azure-linux")],
  ["azure-socialgoal.json", shipped("azure-socialgoal")],
  ["as little as possible", azureEnvironment()],
  [
    "as much as possible",
    azureEnvironment(
      {
        addressSpace: "172.16.0.0/16",
        domain: "shop.example.com",
        tlsCertificate: "shop",
        bastion: "Standard",
        database: { ...DATABASE, authentication: "sql" },
        alertEmails: ["somebody@example.com"],
        publishers: ["00000000-0000-0000-0000-000000000003"],
        proxyServers: { allowedSources: ["198.51.100.0/24", "203.0.113.7"] },
        tags: { "cost-center": "4711" },
      },
      { topology: "split", servers: { count: 5 }, proxies: { count: 3 } },
    ),
  ],
  ["nobody logs in", azureEnvironment({ bastion: "none", database: DATABASE })],
  ["Windows, open to all and to one more", azureEnvironment(...onWindows(["0.0.0.0/0", "203.0.113.0/24"]))],
  ["nothing is protected", azureEnvironment({ protect: false, database: DATABASE })],
];

function onWindows(allowedSources: readonly string[]) {
  const [platform, changes] = ON_WINDOWS;
  return [{ ...platform, proxyServers: { allowedSources } }, changes] as const;
}

const bases = new Map<AzureEnvironment, SynthesizedStack>();
const webs = new Map<AzureEnvironment, SynthesizedStack>();

/** The base stack; each environment's is synthesized once. */
export function baseOf(environment: AzureEnvironment): SynthesizedStack {
  return once(bases, environment, () => {
    const outdir = synthesizeApp((app) => new BaseStack(app, "base", { environment }));
    return readStack(outdir, "base");
  });
}

/** The web stack of a record; without one, of a release that follows another. */
export function webOf(environment: AzureEnvironment, record?: ReleaseRecord): SynthesizedStack {
  if (record !== undefined) return synthesizeWeb(environment, record);
  const { application } = environment;
  return once(webs, environment, () => synthesizeWeb(environment, recordOf({ application })));
}

function once<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

/** The blocks of a type by their name in Terraform. @param type without `azurerm_`. */
export function resources<T extends object = Block>(
  stack: SynthesizedStack,
  type: string,
): Readonly<Record<string, T>> {
  return (stack.json.resource?.[`azurerm_${type}`] ?? {}) as Readonly<Record<string, T>>;
}

/** The only block of a type. */
export function only<T extends object = Block>(stack: SynthesizedStack, type: string): T {
  const blocks = Object.values(resources<T>(stack, type));
  expect(blocks).toHaveLength(1);
  return blocks[0]!;
}

/** `${azurerm_subnet.network_subnet-web_DE9284C1.id}` leads to `network_subnet-web_DE9284C1`. */
export function target(reference: unknown): string {
  const [, name] = /^\$\{[a-z_]+\.([A-Za-z0-9_-]+)\.[a-z_]+\}$/.exec(String(reference)) ?? [];
  if (name === undefined) throw new Error(`${String(reference)} is no reference to a resource`);
  return name;
}

/** Every attribute below a value with its path, however deep. */
export function attributes(value: unknown, path = ""): { path: string; key: string; value: unknown }[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [
    { path: `${path}/${key}`, key, value: each as unknown },
    ...attributes(each, `${path}/${key}`),
  ]);
}
