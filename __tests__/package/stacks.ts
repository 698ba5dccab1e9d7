/** An app of somebody who uses both stacks as a library, for every kind of environment, and what comes of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Project } from "./project";

/** Of the repository: what they are called there, and where a project has them. */
export const ENVIRONMENTS = ["local", "azure-linux", "azure-socialgoal"] as const;
export const RECORD = "record.json";

/** The record of a second release, so that both slots have something. */
export function writeInputs(project: Project): void {
  for (const name of ENVIRONMENTS)
    project.write(`environments/${name}.json`, readFileSync(`environments/${name}.json`, "utf8"));
  const first = JSON.parse(readFileSync("__tests__/terraform/record.json", "utf8")) as {
    slots: { blue: { artifact: object } };
  };
  const { blue } = first.slots;
  project.write(RECORD, {
    ...first,
    ...{ sequence: 2, active: "green", previous: blue },
    slots: { blue, green: { ...blue, version: "1.1.0", run: 2 } },
  });
}

/** Synthesizes each into a folder of its own; in the words that TypeScript and JavaScript share. */
export const appOf = (environments: readonly string[]): string => `import { readFileSync } from "node:fs";
import { App } from "cdktf";
import { BaseStack, WebStack } from "cdktf-bluegreen/stacks";
import { parseEnvironment } from "cdktf-bluegreen/configuration";
import { parseRecord } from "cdktf-bluegreen/release";

const record = parseRecord(readFileSync("${RECORD}", "utf8"), "${RECORD}");
for (const name of ${JSON.stringify(environments)}) {
  const file = "environments/" + name + ".json";
  const environment = parseEnvironment(readFileSync(file, "utf8"), file);
  const app = new App({ outdir: "out-" + name });
  new BaseStack(app, "base", { environment });
  new WebStack(app, "web", { environment, record });
  app.synth();
}
`;

export type Json = Record<string, unknown>;

/** What Terraform reads, by environment and stack, as JSON: text differs between engines, and means nothing. */
export function synthesized(
  project: Project,
  environments: readonly string[] = ENVIRONMENTS,
): Record<string, Json> {
  return Object.fromEntries(
    environments.flatMap((environment) =>
      ["base", "web"].map((stack) => {
        const file = join(`out-${environment}`, "stacks", stack, "cdk.tf.json");
        return [`${environment} ${stack}`, project.json<Json>(file)];
      }),
    ),
  );
}
