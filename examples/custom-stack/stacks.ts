/**
 * A whole deployment in a custom app: one stack has the machines, the other one the release and other resources. The
 * machines are folders and processes, so that the example runs anywhere.
 */
import { LocalBackend, TerraformOutput, TerraformStack } from "cdktf";
import {
  BlueGreenDeployment,
  directorSpec,
  emptyRecord,
  LocalProxy,
  LocalServer,
  LocalWebServer,
  customEnvironment,
  TerraformData,
} from "cdktf-bluegreen";
import type { Installer, CustomEnvironment, ReleaseRecord } from "cdktf-bluegreen";
import type { Construct } from "constructs";

/** Relative to the project, which is the working directory of the synth. */
const folderOf = (server: string) => `.machines/${server}`;

/** @param port for users; the slots use the next two ports. */
export function site(port: number): CustomEnvironment {
  const host = "127.0.0.1";
  return customEnvironment({
    application: "shop",
    name: "production",
    servers: [{ name: "app-01", host, ports: { blue: port + 1, green: port + 2 } }],
    proxies: [{ name: "lb-01", host, port }],
    driver: "embedded",
    verification: { successes: 2, intervalSeconds: 0.1, deadlineSeconds: 5 },
    schedule: { strategy: "blueGreen", bakeSeconds: 1, drainSeconds: 1 },
    stopSeconds: 5,
  });
}

export class MachinesStack extends TerraformStack {
  constructor(scope: Construct, id: string, { environment }: { readonly environment: CustomEnvironment }) {
    super(scope, id);
    new LocalBackend(this, { path: "../../../machines.tfstate" });
    const folder = folderOf("app-01");
    new LocalWebServer(this, "app-01", { name: "app-01", folder, dataFolder: ".machines/data" });
    const spec = directorSpec(environment, emptyRecord(environment.application), 0);
    new LocalProxy(this, "lb-01", { name: "lb-01", folder: folderOf("lb-01"), spec });
  }
}

export interface ReleaseStackProps {
  readonly environment: CustomEnvironment;
  readonly record: ReleaseRecord;
  readonly installer: Installer;
}

export class ReleaseStack extends TerraformStack {
  constructor(scope: Construct, id: string, { environment, record, installer }: ReleaseStackProps) {
    super(scope, id);
    new LocalBackend(this, { path: "../../../release.tfstate" });
    const server = (name: string) =>
      LocalServer.fromServerAttributes(this, name, { name, folder: folderOf(name) });
    new BlueGreenDeployment(this, "shop", {
      environment,
      record,
      servers: new Map([["app-01", server("app-01")]]),
      proxies: [server("lb-01")],
      installer,
    });

    // Other resources of the stack: the deployment does not touch them.
    new TerraformData(this, "note", { triggersReplace: `record ${record.sequence}` });
    new TerraformOutput(this, "sequence", { value: record.sequence });
  }
}
