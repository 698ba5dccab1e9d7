/** The kinds of proxy, by name. */
import { existsSync, readFileSync } from "node:fs";
import type { DirectorSpec } from "../../../configuration/director-spec";
import type { DRIVER_NAMES } from "../../../configuration/drivers";
import { writeAtomically } from "../../../system/atomic-file";
import { CommandDriver } from "./command/command-driver";
import { parseTraffic, sameTraffic, servingSlots, trafficEntries } from "./driver";
import type { Driver, ProxyConfigurator, Traffic } from "./driver";
import { EmbeddedDriver } from "./embedded/embedded-driver";
import { EmbeddedConfigurator, TRAFFIC_FILE } from "./embedded/embedded-settings";
import { HaproxyConfigurator } from "./haproxy/haproxy-configuration";
import { HaproxyDriver } from "./haproxy/haproxy-driver";
import { renewedServers, SERVERS_STATE } from "./haproxy/servers-state";
import { renewedMap, storedTraffic, TRAFFIC_MAP, trafficMap } from "./haproxy/traffic-map";
import { configureNginx, NginxDriver } from "./nginx/nginx-driver";
import { LIVE, readTraffic, writeTraffic } from "./nginx/traffic-folder";
import { refuseUnreachableInstances } from "../protocol-change";
import type { State, StateStore } from "../state";

interface TrafficAtStart {
  /** null if the proxy was never configured here. */
  read(): Traffic | null;
  write(traffic: Traffic): void;
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
    },
    atStart: {
      read: () =>
        existsSync(TRAFFIC_MAP) ? storedTraffic(renewedMap(readFileSync(TRAFFIC_MAP, "utf8"))) : null,
      write: (traffic) => writeAtomically(TRAFFIC_MAP, trafficMap(traffic)),
    },
  },
  nginx: {
    driver: (spec) => new NginxDriver(spec),
    configure: configureNginx,
    atStart: { read: () => (existsSync(LIVE) ? readTraffic() : null), write: writeTraffic },
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

/**
 * Writes a proxy's configuration. A proxy that does not run starts with the traffic that the director last set, whatever
 * an earlier proxy of the same kind left here: base may exchange one kind for another, and users notice no more than the
 * restart.
 * @throws Failure (refused), before anything is written, if the proxy could not reach the live instances any more.
 */
export async function configure(spec: DirectorSpec, state: StateStore): Promise<void> {
  const kind = KINDS[spec.proxy.driver];
  const known = stateOrNull(state, true);
  if (known !== null) await refuseUnreachableInstances(spec, servingSlots(known.traffic.intended));
  if (kind.atStart !== undefined && !(await runs(kind.driver(spec)))) takeOver(kind.atStart, state);
  await kind.configure(spec);
}

function takeOver({ read, write }: TrafficAtStart, state: StateStore): void {
  const found = read();
  const known = stateOrNull(state, found !== null);
  // No director has moved traffic here yet.
  if (known === null || known.traffic.intended.live === null) return;
  const { intended, before } = known.traffic;
  // A director that was killed may not have set what it intended.
  const isCurrent =
    found !== null && (sameTraffic(found, intended) || (!known.finished && sameTraffic(found, before)));
  if (!isCurrent) write(intended);
}

/** A damaged state stops no proxy that knows its traffic from starting. The next step reports it. */
function stateOrNull(state: StateStore, mayBeDamaged: boolean): State | null {
  try {
    return state.load();
  } catch (error) {
    if (mayBeDamaged) return null;
    throw error;
  }
}

async function runs(driver: Driver): Promise<boolean> {
  try {
    await driver.observe();
    return true;
  } catch {
    return false;
  }
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
