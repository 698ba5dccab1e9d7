/**
 * The installer's check of each server on which this sequence installs something, before begin: so a release that a server
 * can't take is refused while nothing was changed. A rollback that only moves traffic does not need it.
 */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { serverPlaces } from "../../configuration/naming";
import { convergesNow, healedServers } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { otherSlot } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { stepId, stepName } from "../../release/steps";
import type { InstallStepsProps } from "./install-steps";

const CHECK_SECONDS = 120;

/** @returns the steps: all servers in parallel; none if the installer has no check. */
export function checkSteps(scope: Construct, props: InstallStepsProps): ITerraformDependable[] {
  const { environment, record, servers, installer } = props;
  const { check } = installer;
  if (check === undefined) return [];
  return serverPlaces(environment).flatMap(({ name, slots }) => {
    const step = servers.get(name)?.run(scope, stepId.check(name), {
      name: stepName.check(record),
      script: check,
      parameters: { APPLICATION: environment.application, ...installer.parameters },
      timeoutSeconds: CHECK_SECONDS,
      dependsOn: [],
      needed: installsOn(record, name, slots),
    });
    return step === undefined ? [] : [step];
  });
}

function installsOn(record: ReleaseRecord, server: string, slots: readonly Slot[]): boolean {
  const healed = healedServers(record);
  if (healed.length > 0) return healed.includes(server);
  const converges = convergesNow(record) && slots.includes(otherSlot(record.active));
  return converges || slots.some((slot) => record.slots[slot]?.run === record.sequence);
}
