/**
 * Only the director, with a custom driver, for an existing HAProxy and a separate installation. There are two stacks: the
 * machines' stack sets up the director, the release's stack moves the traffic.
 */
import { TerraformStack } from "cdktf";
import { DirectorSetup, customEnvironment, TrafficSwitch } from "cdktf-bluegreen";
import type { CustomEnvironment, ReleaseRecord, Server } from "cdktf-bluegreen";
import type { Construct } from "constructs";

export interface SiteProps {
  /** The proxy's port for users. */
  readonly port: number;
  /** The ports of the two slots. */
  readonly slots: { readonly blue: number; readonly green: number };
  /** The driver's path on the proxy. */
  readonly driver: string;
}

export function site({ port, slots, driver }: SiteProps): CustomEnvironment {
  return customEnvironment({
    application: "shop",
    name: "production",
    servers: [{ name: "app-01", host: "127.0.0.1", ports: slots }],
    proxies: [{ name: "lb-01", host: "127.0.0.1", port }],
    driver: "command",
    driverCommand: { program: [driver, "admin.sock", "site"], timeoutSeconds: 5 },
    verification: { successes: 2, intervalSeconds: 0.1, deadlineSeconds: 5 },
    schedule: { strategy: "canary", steps: [25, 100], stepSeconds: 1, bakeSeconds: 1 },
  });
}

export interface StackProps {
  readonly environment: CustomEnvironment;
  readonly proxy: (scope: Construct) => Server;
}

/** The stack of the machines, which outlives the releases. */
export class DirectorStack extends TerraformStack {
  constructor(scope: Construct, id: string, { environment, proxy }: StackProps) {
    super(scope, id);
    new DirectorSetup(this, "director", { environment, proxies: [proxy(this)] });
  }
}

export interface ReleaseStackProps extends StackProps {
  readonly record: ReleaseRecord;
}

/** One release. The installation goes between the two calls and depends on the result of `begin`. */
export class ReleaseStack extends TerraformStack {
  constructor(scope: Construct, id: string, { environment, proxy, record }: ReleaseStackProps) {
    super(scope, id);
    const traffic = new TrafficSwitch(this, "traffic", { environment, record, proxies: [proxy(this)] });
    const begun = traffic.begin();
    const installed = begun;
    traffic.switch(installed);
  }
}
