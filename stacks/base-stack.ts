/** The base stack: everything long-lived. Provisioned once; releases don't touch it, destroying it stops all. */
import { LocalBackend, TerraformStack } from "cdktf";
import type { Construct } from "constructs";
import { LocalProxy, LocalWebServer } from "../constructs/local/local-machines";
import { fromStack } from "../constructs/local/project-path";
import { directorSpec } from "../release/director-spec";
import type { Environment } from "../release/environment";
import { dataFolder, proxyPlaces, serverFolder, serverPlaces, stateFile } from "../release/naming";
import { emptyRecord } from "../release/record";

export interface BaseStackProps {
  readonly environment: Environment;
}

export class BaseStack extends TerraformStack {
  constructor(scope: Construct, id: string, props: BaseStackProps) {
    super(scope, id);
    const { environment } = props;
    new LocalBackend(this, { path: fromStack(this, stateFile(environment, id)) });

    for (const { name } of serverPlaces(environment)) {
      const folder = serverFolder(environment, name);
      new LocalWebServer(this, name, { name, folder, dataFolder: dataFolder(environment) });
    }
    const nothing = emptyRecord(environment.application);
    proxyPlaces(environment).forEach(({ name }, index) => {
      const spec = directorSpec(environment, nothing, index);
      new LocalProxy(this, name, { name, folder: serverFolder(environment, name), spec });
    });
  }
}
