/** Synthesizes both stacks as main.ts does, into a temporary folder, and reads them back as JSON. */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "cdktf";
import { parseEnvironment } from "../../configuration/environment-file";
import type { Environment } from "../../configuration/environment";
import type { ReleaseRecord } from "../../release/record";
import { BaseStack } from "../../stacks/base-stack";
import { WebStack } from "../../stacks/web-stack";

interface SynthesizedResource {
  readonly triggers_replace: string;
  readonly depends_on?: readonly string[];
  readonly count?: number;
  readonly lifecycle?: { readonly create_before_destroy?: boolean };
  readonly provisioner: readonly Record<
    "local-exec",
    { readonly command: string; readonly when?: string; readonly environment: Record<string, string> }
  >[];
}

/** What is in one block of Terraform's JSON. */
export type Block = Readonly<Record<string, unknown>>;
type BlocksByName = Readonly<Record<string, Block>>;

interface StackJson {
  readonly "//": Block;
  readonly terraform: Block & { readonly backend?: unknown };
  readonly provider?: Block;
  readonly resource?: Readonly<Record<string, BlocksByName>>;
  readonly variable?: BlocksByName;
}

export interface SynthesizedStack {
  readonly text: string;
  readonly json: StackJson;
  /** The folder of the stack's file and of what it ships. */
  readonly folder: string;
  /** The annotations of the synth. */
  readonly warnings: readonly string[];
  readonly backend: unknown;
  readonly resources: Readonly<Record<string, SynthesizedResource>>;
  /** Every Terraform address, sorted. */
  readonly addresses: readonly string[];
}

export function environmentWith(changes: Record<string, unknown> = {}): Environment {
  const file = {
    formatVersion: 1,
    application: "socialgoal",
    name: "test",
    record: "release.json",
    platform: { kind: "local" },
    topology: "sideBySide",
    servers: { count: 2 },
    start: ["node", "server.js"],
    ...changes,
  };
  return parseEnvironment(JSON.stringify(file), "test.json");
}

export function synthesize(
  environment: Environment,
  record: ReleaseRecord,
): { base: SynthesizedStack; web: SynthesizedStack } {
  const outdir = synthesizeApp((app) => {
    new BaseStack(app, "base", { environment });
    new WebStack(app, "web", { environment, record });
  });
  return { base: readStack(outdir, "base"), web: readStack(outdir, "web") };
}

/** The web stack alone: most of the time goes into base. */
export function synthesizeWeb(environment: Environment, record: ReleaseRecord): SynthesizedStack {
  return readStack(
    synthesizeApp((app) => new WebStack(app, "web", { environment, record })),
    "web",
  );
}

/** @returns the folder of what came out. */
export function synthesizeApp(build: (app: App) => void): string {
  const outdir = mkdtempSync(join(tmpdir(), "bluegreen-synth-"));
  const app = new App({ outdir });
  build(app);
  app.synth();
  return outdir;
}

interface Manifest {
  readonly stacks: Record<string, { readonly annotations: readonly { level: string; message: string }[] }>;
}

/** @param outdir of an app that was synthesized. */
export function readStack(outdir: string, stack: string): SynthesizedStack {
  const folder = join(outdir, "stacks", stack);
  const text = readFileSync(join(folder, "cdk.tf.json"), "utf8");
  const json = JSON.parse(text) as StackJson;
  const byType = json.resource ?? {};
  const addresses = Object.entries(byType).flatMap(([type, resources]) =>
    Object.keys(resources).map((name) => `${type}.${name}`),
  );
  const manifest = JSON.parse(readFileSync(join(outdir, "manifest.json"), "utf8")) as Manifest;
  const { annotations } = manifest.stacks[stack]!;
  return {
    text,
    json,
    folder,
    warnings: annotations.filter(({ level }) => level === "@cdktf/warn").map(({ message }) => message),
    backend: json.terraform.backend,
    resources: (byType["terraform_data"] ?? {}) as unknown as SynthesizedStack["resources"],
    addresses: addresses.sort(),
  };
}
