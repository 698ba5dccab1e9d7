/** The logs of a candidate's instances on the local platform, for when it does not start. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { serverFolder, slotEndpoints } from "../../configuration/naming";
import { isLocal } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import type { Project } from "./project";

/** @returns existing files, relative to the project; none on Azure, where the step's output has the cause. */
export function candidateLogs({ folder, environment }: Project, { active }: ReleaseRecord): string[] {
  if (!isLocal(environment)) return [];
  return slotEndpoints(environment)
    [active].map(({ server }) => `${serverFolder(environment, server)}/logs/${active}.log`)
    .filter((log) => existsSync(join(folder, log)));
}
