/** Where a scenario is played: an environment of its own below `.bluegreen`, on free ports. */
import { Failure } from "../../release/failure";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LocalEnvironment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import type { Dialect } from "../../release/migrations/sql-text";
import { requireLocal } from "../../configuration/platform";
import { InstallResult, readResultLine } from "../../release/result-line";
import { parseSlotStepName } from "../../release/steps";
import { writeAtomically } from "../../system/atomic-file";
import { takenPorts } from "../project/ports";
import { openProject, packagedApp } from "../project/project";
import type { Project } from "../project/project";
import type { Scenario } from "./scenarios";

export const REHEARSAL_FOLDER = ".bluegreen/rehearsal";
const FIRST_PORT = 20_080;
const PORTS_APART = 400;
const LAST_PORT = 40_000;

/** What every scenario is played with. */
interface Parts {
  readonly driver: string;
  readonly database: Dialect;
}

/** One environment a scenario; no two of them want the same port. */
export async function openVenues(
  folder: string,
  scenarios: readonly Scenario[],
  parts: Parts,
): Promise<Project[]> {
  const venues: Project[] = [];
  let portBase = FIRST_PORT;
  for (const scenario of scenarios) {
    const venue = await openVenue(folder, scenario, parts, portBase);
    portBase = localPlatform(venue).portBase + PORTS_APART;
    venues.push(venue);
  }
  return venues;
}

async function openVenue(
  folder: string,
  scenario: Scenario,
  parts: Parts,
  firstPort: number,
): Promise<Project> {
  const own = `${REHEARSAL_FOLDER}/${scenario.name}`;
  rmSync(join(folder, own), { recursive: true, force: true });
  mkdirSync(join(folder, own), { recursive: true });
  for (let portBase = firstPort; portBase < LAST_PORT; portBase += PORTS_APART) {
    const file = `${own}/environment.json`;
    const environment = environmentFile(scenario, parts, own, portBase);
    writeAtomically(join(folder, file), `${JSON.stringify(environment, null, 2)}\n`);
    const venue = openProject(folder, file, packagedApp());
    if ((await takenPorts(requireLocal(venue.environment, "a rehearsal"))).length === 0) return venue;
  }
  throw new Failure(`no free ports between ${firstPort} and ${LAST_PORT}`, EXIT.unexpected);
}

function localPlatform({ environment }: Project): LocalEnvironment["platform"] {
  return requireLocal(environment, "a rehearsal").platform;
}

/** Environments that an earlier rehearsal left running. */
export function leftVenues(folder: string): Project[] {
  const all = join(folder, REHEARSAL_FOLDER);
  if (!existsSync(all)) return [];
  return readdirSync(all)
    .map((name) => `${REHEARSAL_FOLDER}/${name}/environment.json`)
    .filter((file) => existsSync(join(folder, file)))
    .map((file) => openProject(folder, file, packagedApp()));
}

/** How long the instances of a release took to stop and start, as the installers measured it. The longest counts. */
export function installMs(venue: Project, releaseId: string): number {
  const servers = join(venue.folder, localPlatform(venue).folder, "servers");
  const seconds = readdirSync(servers).flatMap((server) => {
    const commands = join(servers, server, "commands");
    if (!existsSync(commands)) return [];
    return readdirSync(commands)
      .filter((name) => parseSlotStepName(name)?.releaseId === releaseId)
      .flatMap((name) => {
        const output = readFileSync(join(commands, name, "stdout"), "utf8");
        return readResultLine(InstallResult, output)?.seconds ?? [];
      });
  });
  return 1000 * Math.max(0, ...seconds);
}

function environmentFile(
  scenario: Scenario,
  { driver, database }: Parts,
  own: string,
  portBase: number,
): object {
  return {
    formatVersion: 1,
    application: "socialgoal",
    name: `rehearsal-${scenario.name}`,
    record: `${own}/release.json`,
    platform: { kind: "local", folder: own, portBase, database },
    topology: scenario.topology,
    servers: { count: 2 },
    proxies: { driver },
    start: ["node", "server.js"],
    // Long enough where one machine builds, starts and asks everything, and no longer than the load's users wait.
    verification: { path: "/health", intervalSeconds: 0.05, deadlineSeconds: 9 },
    stopSeconds: 15,
    // The rehearsal has a load of its own.
    measurement: { rate: 0 },
  };
}
