/**
 * The director's steps on the proxies: begin, switch, share. A proxy that the record leaves out keeps its addresses, with
 * no step at them: so the dependencies of all others stay. Terraform removes its earlier steps last, after users moved:
 * on Azure that fails while the machine is stopped, and is repeated by the next sequence.
 */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { encodeSpec, stepSpec } from "../../configuration/director-spec";
import { stepId, stepName } from "../../release/steps";
import { convergesNow, scheduleOf } from "../../release/record";
import { onServerProgram } from "../on-server-program";
import { privateOutput } from "../private-output";
import type { Server } from "../server";
import type { Deployed } from "./deployed";

export interface DirectorStepsProps extends Deployed {
  /** The proxies in the order of the traffic shift: the first runs the schedule. */
  readonly proxies: readonly Server[];
}

const MARGIN_SECONDS = 120;

/** @returns the steps: all proxies in parallel. */
export function beginSteps(scope: Construct, props: DirectorStepsProps, dependsOn: ITerraformDependable[]) {
  return props.proxies.map((_, index) => direct(scope, props, "begin", index, dependsOn));
}

/** @returns the steps: one proxy after another, so that a problem appears on the first only. */
export function switchSteps(scope: Construct, props: DirectorStepsProps, dependsOn: ITerraformDependable[]) {
  return props.proxies.reduce<ITerraformDependable[]>((before, _, index) => {
    const after = index === 0 ? dependsOn : before.slice(-1);
    return [...before, direct(scope, props, "switch", index, after)];
  }, []);
}

export function shareSteps(scope: Construct, props: DirectorStepsProps, dependsOn: ITerraformDependable[]) {
  return props.proxies.map((_, index) => direct(scope, props, "share", index, dependsOn));
}

function direct(
  scope: Construct,
  props: DirectorStepsProps,
  step: "begin" | "switch" | "share",
  index: number,
  dependsOn: ITerraformDependable[],
): ITerraformDependable {
  const { environment, record, proxies } = props;
  const proxy = proxies[index]!;
  privateOutput(scope);
  return proxy.run(scope, stepId[step](proxy.name), {
    name: stepName[step](record),
    script: onServerProgram("director/run-director.sh"),
    parameters: {
      DIRECTOR_COMMAND: step,
      DIRECTOR_SPEC: encodeSpec(stepSpec(environment, record, index)),
    },
    timeoutSeconds: timeoutSeconds(props),
    dependsOn,
    needed: record.leftOut?.includes(proxy.name) !== true && (step !== "share" || convergesNow(record)),
  });
}

/** Longer than everything that the schedule may wait for, so only a hanging step reaches it. */
function timeoutSeconds({ environment, record }: Deployed): number {
  const { steps, stepSeconds, bakeSeconds, drainSeconds } = scheduleOf(record, environment);
  const waiting =
    steps.length * stepSeconds +
    bakeSeconds +
    2 * drainSeconds +
    2 * environment.verification.deadlineSeconds;
  return Math.ceil(waiting) + MARGIN_SECONDS;
}
