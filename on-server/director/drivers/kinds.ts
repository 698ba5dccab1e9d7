/** The kinds of proxy, by name. */
import type { DirectorSpec } from "../../../release/director-spec";
import type { DriverName } from "../../../release/drivers";
import type { Driver, ProxyConfigurator } from "./driver";
import { EmbeddedDriver } from "./embedded/embedded-driver";
import { EmbeddedConfigurator } from "./embedded/embedded-settings";
import { HaproxyConfigurator } from "./haproxy/haproxy-configuration";
import { HaproxyDriver } from "./haproxy/haproxy-driver";

interface Kind {
  driver(spec: DirectorSpec): Driver;
  configurator(spec: DirectorSpec): ProxyConfigurator;
}

export const KINDS: Readonly<Record<DriverName, Kind>> = {
  haproxy: {
    driver: () => new HaproxyDriver(),
    configurator: (spec) => new HaproxyConfigurator(spec),
  },
  embedded: {
    driver: () => new EmbeddedDriver(),
    configurator: (spec) => new EmbeddedConfigurator(spec),
  },
};
