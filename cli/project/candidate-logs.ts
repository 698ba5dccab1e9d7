/** Where to look when a candidate does not come up: what its instances wrote, on the local platform. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { serverFolder, slotEndpoints } from "../../configuration/naming";
import { isLocal } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import type { Project } from "./project";

/** @returns files that are there, relative to the project; none on Azure, whose step's output says what can be said. */
export function candidateLogs({ folder, environment }: Project, { active }: ReleaseRecord): string[] {
  if (!isLocal(environment)) return [];
  return slotEndpoints(environment)
    [active].map(({ server }) => `${serverFolder(environment, server)}/logs/${active}.log`)
    .filter((log) => existsSync(join(folder, log)));
}
