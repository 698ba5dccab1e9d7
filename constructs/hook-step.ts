/**
 * A hook as a step between the steps of a release. It runs where Terraform runs, on every platform, in every sequence
 * that has its phase. Its place in the graph is the same for every record.
 */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { hookFacts } from "../configuration/hook-facts";
import { hookParameters, isNeeded } from "../release/hooks";
import type { Hook } from "../release/hooks";
import { stepId, stepName } from "../release/steps";
import type { DeploymentEnvironment } from "../configuration/custom-environment";
import type { ReleaseRecord } from "../release/record";
import { projectFromStack } from "./project-path";
import { onServerProgram, shippedFile } from "./on-server-program";
import { TerraformData } from "./terraform-data";

export interface HookStepProps {
  readonly hook: Hook;
  readonly environment: DeploymentEnvironment;
  readonly record: ReleaseRecord;
  readonly dependsOn: ITerraformDependable[];
}

export function hookStep(scope: Construct, { hook, environment, record, dependsOn }: HookStepProps) {
  const { when, position } = hook;
  const execution = stepName.hook(record, when, position);
  return new TerraformData(scope, stepId.hook(when, position), {
    triggersReplace: execution,
    provisioners: [
      {
        type: "local-exec",
        interpreter: ["bash", shippedFile(scope, onServerProgram("hooks/run-hook.sh"))],
        // Only for Terraform's output: the script reads its environment.
        command: execution,
        environment: {
          ...hookParameters(hook, hookFacts(environment, record, when)),
          PROJECT_FOLDER: projectFromStack(scope),
        },
      },
    ],
    dependsOn,
    lifecycle: { createBeforeDestroy: true },
    ...(isNeeded(hook, environment, record) ? {} : { count: 0 }),
  });
}
