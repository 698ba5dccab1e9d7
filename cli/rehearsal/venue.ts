/** Where a scenario runs: a separate environment below `.bluegreen`, on free ports. */
import { Failure } from "../../release/failure";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LocalEnvironment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import type { Dialect } from "../../release/migrations/sql-text";
import { requireLocal } from "../../configuration/platform";
import { InstallResult, readResultLine } from "../../release/result-line";
import { parseSlotStepName } from "../../release/steps";
import { writeAtomically } from "../../system/atomic-file";
import { privateFolder } from "../../system/private-files";
import { takenPorts } from "../project/ports";
import { openProject, packagedApp } from "../project/project";
import type { Project } from "../project/project";
import { PICTURES } from "./pictures";
import type { Scenario } from "./scenarios";
import { BALANCERS, sessionsOf } from "./sessions";

export const REHEARSAL_FOLDER = ".bluegreen/rehearsal";
const FIRST_PORT = 20_080;
const PORTS_APART = 400;
const LAST_PORT = 40_000;

interface Parts {
  readonly driver: string;
  readonly database: Dialect;
}

/** One environment per scenario, without common ports. */
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
  const venueFolder = `${REHEARSAL_FOLDER}/${scenario.name}`;
  rmSync(join(folder, venueFolder), { recursive: true, force: true });
  privateFolder(join(folder, venueFolder));
  for (let portBase = firstPort; portBase < LAST_PORT; portBase += PORTS_APART) {
    const file = `${venueFolder}/environment.json`;
    const environment = environmentFile(scenario, parts, venueFolder, portBase);
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
  const venues = join(folder, REHEARSAL_FOLDER);
  if (!existsSync(venues)) return [];
  return readdirSync(venues)
    .map((name) => `${REHEARSAL_FOLDER}/${name}/environment.json`)
    .filter((file) => existsSync(join(folder, file)))
    .map((file) => openProject(folder, file, packagedApp()));
}

/** The longest time that an instance of a release took to stop and start, as the installers measured it. */
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
  folder: string,
  portBase: number,
): object {
  return {
    formatVersion: 1,
    application: "socialgoal",
    name: `rehearsal-${scenario.name}`,
    record: `${folder}/release.json`,
    platform: { kind: "local", folder, portBase, database },
    topology: scenario.topology,
    servers: { count: 2 },
    proxies: { driver, http: { trusted: BALANCERS } },
    sessions: sessionsOf(scenario),
    start: ["node", "server.js"],
    // Long enough for one busy machine, and no longer than the load waits for an answer.
    verification: { path: "/health", intervalSeconds: 0.05, deadlineSeconds: 9 },
    stopSeconds: 15,
    storage: { shared: [PICTURES] },
    // The rehearsal has its own load.
    measurement: { rate: 0 },
  };
}
