/** Synthesizes both stacks as main.ts does, into a temporary folder, and reads them back as JSON. */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "cdktf";
import { parseEnvironment } from "../../release/environment";
import type { Environment } from "../../release/environment";
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

export interface SynthesizedStack {
  readonly text: string;
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
  const outdir = mkdtempSync(join(tmpdir(), "bluegreen-synth-"));
  const app = new App({ outdir });
  new BaseStack(app, "base", { environment });
  new WebStack(app, "web", { environment, record });
  app.synth();
  return { base: read(outdir, "base"), web: read(outdir, "web") };
}

function read(outdir: string, stack: string): SynthesizedStack {
  const text = readFileSync(join(outdir, "stacks", stack, "cdk.tf.json"), "utf8");
  const json = JSON.parse(text) as {
    terraform: { backend: unknown };
    resource?: Record<string, Record<string, SynthesizedResource>>;
  };
  const byType = json.resource ?? {};
  const addresses = Object.entries(byType).flatMap(([type, resources]) =>
    Object.keys(resources).map((name) => `${type}.${name}`),
  );
  return {
    text,
    backend: json.terraform.backend,
    resources: byType["terraform_data"] ?? {},
    addresses: addresses.sort(),
  };
}
