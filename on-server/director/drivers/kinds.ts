/** The kinds of proxy, by name. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { hasAffinity } from "../../../configuration/sessions";
import type { DRIVER_NAMES } from "../../../configuration/drivers";
import { writeAtomically } from "../../../system/atomic-file";
import { CommandDriver } from "./command/command-driver";
import { parseTraffic, trafficEntries } from "./driver";
import type { Driver, ProxyConfigurator, Traffic } from "./driver";
import { EmbeddedDriver } from "./embedded/embedded-driver";
import { EmbeddedConfigurator, TRAFFIC_FILE } from "./embedded/embedded-settings";
import { tokensInRotation, TOKENS_MAP, tokensMap } from "./haproxy/affinity-rules";
import { HaproxyConfigurator } from "./haproxy/haproxy-configuration";
import { HaproxyDriver } from "./haproxy/haproxy-driver";
import { renewedServers, SERVERS_STATE, serversWithoutClients } from "./haproxy/servers-state";
import { renewedMap, storedTraffic, TRAFFIC_MAP, trafficMap, UNMEASURED } from "./haproxy/traffic-map";
import { configureNginx, NginxDriver } from "./nginx/nginx-driver";
import { LIVE, readTraffic, writeTraffic } from "./nginx/traffic-folder";

export interface TrafficAtStart {
  /** null if the proxy was never configured here. */
  read(spec: DirectorSpec): Traffic | null;
  write(traffic: Traffic, spec: DirectorSpec): void;
}

interface Kind {
  driver(spec: DirectorSpec): Driver;
  /** Writes the proxy's configuration into its folder. NGINX also reloads it if it runs. */
  configure(spec: DirectorSpec): Promise<void>;
  /** The traffic with which the proxy starts. Absent if only a custom driver's program knows it. */
  readonly atStart?: TrafficAtStart;
}

export const KINDS: Readonly<Record<(typeof DRIVER_NAMES)[number], Kind>> = {
  haproxy: {
    driver: (spec) => new HaproxyDriver(spec),
    configure: async (spec) => {
      writeFiles(new HaproxyConfigurator(spec));
      const map = readFileSync(TRAFFIC_MAP, "utf8");
      if (renewedMap(map) !== map) writeAtomically(TRAFFIC_MAP, renewedMap(map));
      const servers = readFileSync(SERVERS_STATE, "utf8");
      writeAtomically(SERVERS_STATE, renewedServers(servers, spec.endpoints));
      renewTokens(spec);
    },
    atStart: {
      read: () =>
        existsSync(TRAFFIC_MAP) ? storedTraffic(renewedMap(readFileSync(TRAFFIC_MAP, "utf8"))) : null,
      write: (traffic) => writeAtomically(TRAFFIC_MAP, trafficMap(traffic)),
    },
  },
  nginx: {
    driver: (spec) => new NginxDriver(spec),
    configure: (spec) => configureNginx(spec),
    atStart: {
      read: (spec) => (existsSync(LIVE) ? readTraffic(spec) : null),
      write: (traffic, spec) => writeTraffic(spec, traffic),
    },
  },
  embedded: {
    driver: () => new EmbeddedDriver(),
    configure: async (spec) => writeFiles(new EmbeddedConfigurator(spec)),
    atStart: {
      read: () => (existsSync(TRAFFIC_FILE) ? parseTraffic(entriesIn(TRAFFIC_FILE)) : null),
      write: (traffic) => writeAtomically(TRAFFIC_FILE, JSON.stringify(trafficEntries(traffic))),
    },
  },
  command: {
    driver: (spec) => new CommandDriver(spec),
    configure: (spec) => new CommandDriver(spec).configure(),
  },
};

/** HAProxy's tokens name servers by their numbers in this configuration. */
function renewTokens(spec: DirectorSpec): void {
  if (!hasAffinity(spec)) return rmSync(TOKENS_MAP, { force: true });
  const traffic = storedTraffic(readFileSync(TRAFFIC_MAP, "utf8"));
  const out = serversWithoutClients(readFileSync(SERVERS_STATE, "utf8"));
  const tokens = tokensInRotation(spec, traffic, out);
  if (traffic.sessions !== undefined) writeAtomically(TRAFFIC_MAP, trafficMap(traffic, UNMEASURED, tokens));
  writeAtomically(TOKENS_MAP, tokensMap(tokens));
}

function entriesIn(file: string): ReadonlyMap<string, string> {
  return new Map(JSON.parse(readFileSync(file, "utf8")) as [string, string][]);
}

function writeFiles(configurator: ProxyConfigurator): void {
  for (const [name, content] of Object.entries(configurator.files())) {
    // A new configuration keeps the traffic that the proxy serves.
    if (!(name.startsWith("traffic.") && existsSync(name))) writeAtomically(name, content);
  }
}
