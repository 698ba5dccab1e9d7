/** The kinds of proxy, by name. */
import { existsSync, readFileSync } from "node:fs";
import type { DirectorSpec } from "../../../configuration/director-spec";
import type { DRIVER_NAMES } from "../../../configuration/drivers";
import { writeAtomically } from "../../../system/atomic-file";
import { CommandDriver } from "./command/command-driver";
import type { Driver, ProxyConfigurator } from "./driver";
import { EmbeddedDriver } from "./embedded/embedded-driver";
import { EmbeddedConfigurator } from "./embedded/embedded-settings";
import { HaproxyConfigurator } from "./haproxy/haproxy-configuration";
import { HaproxyDriver } from "./haproxy/haproxy-driver";
import { renewedMap, TRAFFIC_MAP } from "./haproxy/traffic-map";
import { configureNginx, NginxDriver } from "./nginx/nginx-driver";

interface Kind {
  driver(spec: DirectorSpec): Driver;
  /** Writes the proxy's configuration into its folder. NGINX also reloads it if it runs. */
  configure(spec: DirectorSpec): Promise<void>;
}

export const KINDS: Readonly<Record<(typeof DRIVER_NAMES)[number], Kind>> = {
  haproxy: {
    driver: ({ schedule, proxy }) => new HaproxyDriver(schedule.analysis, proxy.http.instances),
    configure: async (spec) => {
      writeFiles(new HaproxyConfigurator(spec));
      const map = readFileSync(TRAFFIC_MAP, "utf8");
      if (renewedMap(map) !== map) writeAtomically(TRAFFIC_MAP, renewedMap(map));
    },
  },
  nginx: {
    driver: (spec) => new NginxDriver(spec),
    configure: configureNginx,
  },
  embedded: {
    driver: () => new EmbeddedDriver(),
    configure: async (spec) => writeFiles(new EmbeddedConfigurator(spec)),
  },
  command: {
    driver: (spec) => new CommandDriver(spec),
    configure: (spec) => new CommandDriver(spec).configure(),
  },
};

function writeFiles(configurator: ProxyConfigurator): void {
  for (const [name, content] of Object.entries(configurator.files())) {
    // A new configuration keeps the traffic that the proxy serves.
    if (!(name.startsWith("traffic.") && existsSync(name))) writeAtomically(name, content);
  }
}
