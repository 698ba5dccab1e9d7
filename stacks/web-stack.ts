/**
 * The web stack: one release. It holds nothing but commands that run on the servers of the base stack, so it
 * cannot destroy infrastructure; and it is a pure function of the environment and the record.
 */
import { LocalBackend, TerraformStack } from "cdktf";
import type { Construct } from "constructs";
import { BlueGreenDeployment } from "../constructs/blue-green-deployment";
import { LocalServer } from "../constructs/local/local-server";
import { fromStack } from "../constructs/local/project-path";
import type { Environment } from "../release/environment";
import { dataFolder, proxyPlaces, serverFolder, serverPlaces, stateFile } from "../release/naming";
import type { ReleaseRecord } from "../release/record";

export interface WebStackProps {
  readonly environment: Environment;
  readonly record: ReleaseRecord;
}

export class WebStack extends TerraformStack {
  constructor(scope: Construct, id: string, props: WebStackProps) {
    super(scope, id);
    const { environment, record } = props;
    new LocalBackend(this, { path: fromStack(this, stateFile(environment, id)) });

    const local = ({ name }: { name: string }) =>
      new LocalServer({ name, folder: serverFolder(environment, name) });
    // "Default" leaves no trace in the steps' addresses.
    new BlueGreenDeployment(this, "Default", {
      environment,
      record,
      servers: new Map(serverPlaces(environment).map((place) => [place.name, local(place)])),
      proxies: proxyPlaces(environment).map(local),
      dataFolder: dataFolder(environment),
    });
  }
}
