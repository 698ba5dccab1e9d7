/**
 * Reads and validates an environment file: each field, contradictions between fields, and the names that the platform
 * derives from it.
 */
import * as z from "zod/mini";
import { azureNames, sharedStorageAccount, virtualMachineName } from "./azure/azure-names";
import { Iis } from "./azure/azure-platform";
import { EnvironmentFile } from "./environment";
import type { AzureEnvironment, Environment } from "./environment";
import { refuseHooks, refuseHooksInRecreate } from "../release/hooks";
import { nearestField } from "./field-names";
import { refuseHttp2WithoutDriver, refuseIdleStrictTransport } from "./http-settings";
import { OPERATIONS_SERVER, proxyPlaces, serverPlaces } from "./naming";
import { InvalidInput } from "../release/failure";
import { refuseReferences } from "./secret-headers";
import { refuseImpossibleSessions } from "./sessions";
import { refuseNestedFolders } from "./shared-storage";
import { parseSchedule, refuseConvergeSideBySide } from "../release/schedule";
import { parseFile } from "../release/validation";

/** The default of the command and of synth, without an option or BLUEGREEN_ENVIRONMENT. */
export const DEFAULT_ENVIRONMENT_FILE = "environments/local.json";

/** Each has ten ports, all below 65,536 for any `portBase`. */
const MOST_LOCAL_SERVERS = 20;
const START_IS_MISSING = `start must be the command that starts an instance, as in ["node", "server.js"]`;

/**
 * Reads an environment file.
 * @throws InvalidInput one line that names the file, the fields, and what they should be.
 */
export function parseEnvironment(text: string, file: string): Environment {
  const data = parseFile(EnvironmentFile, text, file, nearestField(EnvironmentFile));
  if (data.topology === "split" && data.servers.count < 2) {
    throw new InvalidInput(
      `${file}: topology "split" needs 2 servers or more, servers.count is ${data.servers.count}; one is enough for "sideBySide"`,
    );
  }
  const schedule = parseSchedule(data.schedule, `${file}: schedule`);
  refuseConvergeSideBySide(schedule, data.topology, file);
  const { sessions } = data;
  if (sessions !== undefined)
    within(file, () => refuseImpossibleSessions(sessions, data.proxies.driver, schedule, "proxies.driver"));
  refusePreviewWithoutDigest(data, file);
  const { platform, proxies } = data;
  within(file, () => {
    refuseHttp2WithoutDriver(proxies, "proxies.");
    const hasTls = platform.kind === "azure" && platform.tlsCertificate !== undefined;
    refuseIdleStrictTransport(proxies, { hasTls, within: "proxies." });
    refuseNestedFolders("storage.shared", data.storage?.shared ?? []);
    refuseHooks(data);
    refuseHooksInRecreate(data, schedule);
  });
  if (platform.kind === "local") {
    if (data.servers.count > MOST_LOCAL_SERVERS) {
      throw new InvalidInput(
        `${file}: servers.count is ${data.servers.count}, but the local platform has ports for ${MOST_LOCAL_SERVERS}`,
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

/** @throws InvalidInput if the parts contradict each other or a name breaks an Azure rule. */
function resolveAzure(environment: AzureEnvironment): AzureEnvironment {
  const { platform, start, proxies, verification } = environment;
  if (proxies.driver !== "haproxy") {
    throw new InvalidInput(
      `proxies.driver "${proxies.driver}" is only for servers on one machine; Azure needs "haproxy"`,
    );
  }
  const windows = platform.webServers.os === "windows";
  if (windows && start !== undefined) {
    throw new InvalidInput("start does not apply to IIS, which starts the application itself: leave it out");
  }
  if (windows && proxies.http.instances === "http2") {
    throw new InvalidInput(
      `proxies.http.instances is "http2", but IIS takes HTTP/2 only with TLS, which instances do not have: leave it out, or use platform.webServers.os "linux"`,
    );
  }
  if (!windows && start === undefined) throw new InvalidInput(START_IS_MISSING);
  const { sku, zoneRedundant } = platform.database ?? {};
  if (zoneRedundant === true && /^(Basic|S\d+)$/.test(sku!)) {
    throw new InvalidInput(
      `platform.database.zoneRedundant is true, but "${sku}" is in one zone: choose a P, GP, BC or HS service objective`,
    );
  }
  if (windows && environment.storage !== undefined) {
    throw new InvalidInput(
      `storage.shared is for platform.webServers.os "linux"; on Windows platform.iis.sharedFolders are one folder a server`,
    );
  }
  if (environment.storage === undefined && platform.sharedStorageGb !== undefined) {
    throw new InvalidInput(
      "platform.sharedStorageGb is the size of the share for storage.shared, which is missing",
    );
  }
  if (!windows && platform.iis !== undefined) {
    throw new InvalidInput(`platform.iis is only for platform.webServers.os "windows", this one is "linux"`);
  }
  if (windows && platform.webServers.packages.length > 0) {
    throw new InvalidInput(`platform.webServers.packages are Debian packages, but the servers run Windows`);
  }
  refuseReferences(environment);
  const { domain } = platform;
  azureNames(environment);
  if (environment.storage !== undefined) sharedStorageAccount(environment);
  const servers = [...serverPlaces(environment), ...proxyPlaces(environment)].map(({ name }) => name);
  for (const server of [...servers, OPERATIONS_SERVER]) virtualMachineName(environment, server);
  return {
    ...environment,
    proxies: withHosts(proxies, domain),
    platform: windows ? { ...platform, iis: platform.iis ?? z.parse(Iis, {}) } : platform,
    // Verify with the same Host header that users send.
    verification: domain === undefined ? verification : { host: domain, ...verification },
  };
}

/** The domain is the site's name unless other names are given. */
function withHosts(proxies: Environment["proxies"], domain: string | undefined): Environment["proxies"] {
  if (domain === undefined || proxies.http.hosts.length > 0) return proxies;
  return { ...proxies, http: { ...proxies.http, hosts: [domain.toLowerCase()] } };
}

function refusePreviewWithoutDigest(
  { preview, proxies }: Pick<Environment, "preview" | "proxies">,
  file: string,
): void {
  if (proxies.driver === "nginx" && preview !== undefined && preview.md5 === undefined) {
    throw new InvalidInput(
      `${file}: preview.md5 is missing: NGINX can't compute any other digest (a secret of 128 random bits is as safe with it)`,
    );
  }
}
