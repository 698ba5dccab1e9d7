/** The local platform: servers are folders, instances are processes, commands run through `terraform_data`. */
import type { TerraformStack } from "cdktf";
import { directorSpec } from "../../release/director-spec";
import type { LocalEnvironment } from "../../release/environment";
import { dataFolder, proxyPlaces, serverFolder, serverPlaces } from "../../release/naming";
import { emptyRecord } from "../../release/record";
import { onServerProgram } from "../on-server-program";
import type { Platform } from "../platform";
import { LocalProxy, LocalWebServer } from "./local-machines";
import { LocalServer } from "./local-server";

export class LocalPlatform implements Platform {
  constructor(private readonly environment: LocalEnvironment) {}

  provision(stack: TerraformStack): void {
    const { environment } = this;
    for (const { name } of serverPlaces(environment)) {
      const folder = serverFolder(environment, name);
      new LocalWebServer(stack, name, { name, folder, dataFolder: dataFolder(environment) });
    }
    const nothing = emptyRecord(environment.application);
    proxyPlaces(environment).forEach(({ name }, index) => {
      const spec = directorSpec(environment, nothing, index);
      new LocalProxy(stack, name, { name, folder: serverFolder(environment, name), spec });
    });
  }

  machines(): ReturnType<Platform["machines"]> {
    const { environment } = this;
    const server = ({ name }: { name: string }) =>
      new LocalServer({ name, folder: serverFolder(environment, name) });
    return {
      servers: new Map(serverPlaces(environment).map((place) => [place.name, server(place)])),
      proxies: proxyPlaces(environment).map(server),
      installer: {
        script: onServerProgram("install/install-release.sh"),
        patienceSeconds: 0,
        parameters: { SERVICE_MANAGER: "process", DATA_FOLDER: dataFolder(environment) },
      },
    };
  }
}
