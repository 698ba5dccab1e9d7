/**
 * An environment file (`environments/<name>.json`): everything about where an application runs that does not
 * change with a release. One application each.
 */
import * as z from "zod/mini";
import { azureNames, virtualMachineName } from "./azure/azure-names";
import { AzurePlatform, Iis } from "./azure/azure-platform";
import { Backend } from "./backend";
import { DRIVERS } from "./drivers";
import { FreezeWindow } from "./freeze-windows";
import { Hooks, refuseHooks, refuseHooksInRecreate } from "./hooks";
import { Activation } from "./http-exchange";
import { Measurement } from "./measurement";
import { OPERATIONS_SERVER, proxyPlaces, serverPlaces } from "./naming";
import { FOLDER, matches, Program } from "./patterns";
import { Preview } from "./preview";
import { InvalidInput } from "./refusal";
import { ApplicationName } from "./record";
import { resolveSchedule, ScheduleChoice, Topology } from "./schedule";
import type { Schedule } from "./schedule";
import { describeIssues, parseFile } from "./validation";
import { Verification, wholeSeconds } from "./verification";

/** All have addresses in one subnet. */
const MOST_SERVERS = 200;
/** Each has ten ports of its own, below 65,536 whatever `portBase` is. */
const MOST_LOCAL_SERVERS = 20;

export const Proxies = z.strictObject({
  /** How the proxy is told about traffic; see docs. @default "haproxy" */
  driver: z._default(z.enum(DRIVERS), "haproxy"),
  /** @default 1 */
  count: z._default(z.int().check(z.minimum(1), z.maximum(8)), 1),
});

/** Servers are folders, instances are processes, everything listens on the loopback address. */
export const LocalPlatform = z.strictObject({
  kind: z.literal("local"),
  /** Where the servers' folders and Terraform's state live, relative to the project. @default ".bluegreen/<name>" */
  folder: z.optional(matches(FOLDER, "folder below the project")),
  /** The first proxy listens here, the next ones after it; slots get ports from 100 above. @default 18080 */
  portBase: z._default(z.int().check(z.minimum(1024), z.maximum(65_000)), 18_080),
  /** A database that all releases share. @default none */
  database: z.optional(z.literal("postgres", { error: () => `must be "postgres"` })),
});

const EnvironmentFile = z.strictObject({
  formatVersion: z.literal(1),
  application: ApplicationName,
  name: matches(/^[a-z][a-z0-9-]{0,23}$/, "environment name: a-z, 0-9 and -, at most 24 characters"),
  /** The record of this environment, relative to the project. */
  record: matches(FOLDER, "path below the project"),
  platform: z.discriminatedUnion("kind", [LocalPlatform, AzurePlatform], {
    error: () => `must be "local" or "azure"`,
  }),
  /** @default local: two files in the environment's folder */
  backend: z._default(Backend, { kind: "local" }),
  topology: Topology,
  servers: z.strictObject({ count: z.int().check(z.minimum(1), z.maximum(MOST_SERVERS)) }),
  proxies: z._default(Proxies, z.parse(Proxies, {})),
  /** What starts an instance, as a list of arguments; run in the release's folder with HOST and PORT set. Not for IIS. */
  start: z.optional(Program),
  verification: z._default(Verification, z.parse(Verification, {})),
  /** @default nobody is told */
  activation: z.optional(Activation),
  /** @default nobody sees a release before it gets traffic */
  preview: z.optional(Preview),
  /** What is asked of the application while a sequence runs. @default 10 times a second what verification asks */
  measurement: z._default(Measurement, z.parse(Measurement, {})),
  /** Commands and webhooks before and after the phases of a release, in the order in which they run. @default none */
  hooks: z.optional(Hooks),
  /** How releases get their traffic unless the record says otherwise. @default blue/green, all at once */
  schedule: z._default(ScheduleChoice, { strategy: "blueGreen" }),
  /** When nobody releases. @default never */
  freezeWindows: z._default(z.array(FreezeWindow).check(z.maxLength(50)), []),
  /** Where receipts are kept, relative to the project: name a folder that is in git to share them. @default "receipts" in the environment's own folder */
  receipts: z.optional(matches(FOLDER, "folder below the project")),
  /** Releases kept on a server's disk besides those in use. @default 5 */
  keepReleases: z._default(z.int().check(z.minimum(2), z.maximum(50)), 5),
  /** How long an instance may take to finish its requests when it is stopped. @default 30 */
  stopSeconds: z._default(wholeSeconds(1, 600), 30),
});

const START_IS_MISSING = `start must say what starts an instance, as in ["node", "server.js"]`;

type Common = Omit<z.infer<typeof EnvironmentFile>, "schedule" | "platform"> & {
  readonly schedule: Schedule;
};
export type LocalEnvironment = Common & {
  readonly platform: z.infer<typeof LocalPlatform> & { readonly folder: string };
};
export type AzureEnvironment = Common & { readonly platform: AzurePlatform };
export type Environment = LocalEnvironment | AzureEnvironment;

/**
 * Reads an environment file.
 * @throws InvalidInput one line that names the file, the field, and what it should be.
 */
export function parseEnvironment(text: string, file: string): Environment {
  const data = parseFile(EnvironmentFile, text, file);
  if (data.topology === "split" && data.servers.count < 2) {
    throw new InvalidInput(
      `${file}: topology "split" needs 2 servers or more, servers.count is ${data.servers.count}; one is enough for "sideBySide"`,
    );
  }
  const schedule = parseSchedule(data.schedule, `${file}: schedule`);
  refuseConvergeSideBySide(schedule, data.topology, file);
  refusePreviewWithoutDigest(data, file);
  const { platform } = data;
  within(file, () => {
    refuseHooks(data);
    refuseHooksInRecreate(data, schedule);
  });
  if (platform.kind === "local") {
    if (data.servers.count > MOST_LOCAL_SERVERS) {
      throw new InvalidInput(
        `${file}: servers.count is ${data.servers.count}, and the local platform has ports for ${MOST_LOCAL_SERVERS}`,
      );
    }
    if (data.start === undefined) throw new InvalidInput(`${file}: ${START_IS_MISSING}`);
    if (data.backend.kind !== "local") {
      throw new InvalidInput(
        `${file}: the servers are on this machine, so the state is too: leave out "backend"`,
      );
    }
    const folder = platform.folder ?? `.bluegreen/${data.name}`;
    return { ...data, schedule, platform: { ...platform, folder } };
  }
  return within(file, () => resolveAzure({ ...data, schedule, platform }));
}

function within<T>(file: string, resolve: () => T): T {
  try {
    return resolve();
  } catch (error) {
    throw error instanceof InvalidInput ? new InvalidInput(`${file}: ${error.message}`) : error;
  }
}

/** @throws InvalidInput where the parts contradict each other or a name breaks a rule of Azure. */
function resolveAzure(environment: AzureEnvironment): AzureEnvironment {
  const { platform, start, proxies, verification } = environment;
  if (proxies.driver !== "haproxy") {
    throw new InvalidInput(
      `proxies.driver "${proxies.driver}" is for servers on one machine; on Azure it is "haproxy"`,
    );
  }
  const windows = platform.webServers.os === "windows";
  if (windows && start !== undefined) {
    throw new InvalidInput("start has no meaning on IIS, which starts the application itself: leave it out");
  }
  if (!windows && start === undefined) throw new InvalidInput(START_IS_MISSING);
  if (!windows && platform.iis !== undefined) {
    throw new InvalidInput(`platform.iis is for platform.webServers.os "windows", this one is "linux"`);
  }
  if (windows && platform.webServers.packages.length > 0) {
    throw new InvalidInput(`platform.webServers.packages are Debian packages, the servers run Windows`);
  }
  const { domain } = platform;
  azureNames(environment);
  const servers = [...serverPlaces(environment), ...proxyPlaces(environment)].map(({ name }) => name);
  for (const server of [...servers, OPERATIONS_SERVER]) virtualMachineName(environment, server);
  return {
    ...environment,
    platform: windows ? { ...platform, iis: platform.iis ?? z.parse(Iis, {}) } : platform,
    // What users send is what the application shall be asked with.
    verification: domain === undefined ? verification : { host: domain, ...verification },
  };
}

function refusePreviewWithoutDigest(
  { preview, proxies }: Pick<Common, "preview" | "proxies">,
  file: string,
): void {
  if (proxies.driver === "nginx" && preview !== undefined && preview.md5 === undefined) {
    throw new InvalidInput(
      `${file}: preview.md5 is missing: NGINX can compute no other digest (a secret of 128 random bits is as safe with it)`,
    );
  }
}

/** @throws InvalidInput where the parts of a schedule contradict each other. */
export function parseSchedule(choice: unknown, where: string): Schedule {
  const parsed = z.safeParse(ScheduleChoice, choice);
  if (!parsed.success) throw new InvalidInput(`${where}: ${describeIssues(parsed.error)}`);
  return resolveSchedule(parsed.data);
}

/** Side by side, the old slot's port on every server would only get a second copy of the same release. */
export function refuseConvergeSideBySide(schedule: Schedule, topology: Topology, where: string): void {
  if (schedule.afterPromotion === "converge" && topology !== "split") {
    throw new InvalidInput(
      `${where}: afterPromotion "converge" needs topology "split", this one is "${topology}"`,
    );
  }
}
