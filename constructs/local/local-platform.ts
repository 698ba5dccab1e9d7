/** The local platform: servers are folders, instances are processes, commands run through `terraform_data`. */
import type { TerraformStack } from "cdktf";
import { directorSpec } from "../../configuration/director-spec";
import type { LocalEnvironment } from "../../configuration/environment";
import {
  databasePort,
  databaseUrlFile,
  dataFolder,
  OPERATIONS_SERVER,
  proxyPlaces,
  serverFolder,
  serverPlaces,
  sharedFolder,
} from "../../configuration/naming";
import { emptyRecord } from "../../release/record";
import { linuxInstaller } from "../installer";
import { localMigrator } from "../migrator";
import type { Migrator } from "../migrator";
import type { Platform } from "../platform";
import { LocalDatabase, LocalProxy, LocalSharedStorage, LocalWebServer } from "./local-machines";
import { LocalServer } from "./local-server";

export class LocalPlatform implements Platform {
  constructor(private readonly environment: LocalEnvironment) {}

  provision(stack: TerraformStack): void {
    const { environment } = this;
    for (const { name } of serverPlaces(environment)) {
      const folder = serverFolder(environment, name);
      new LocalWebServer(stack, name, { name, folder, dataFolder: dataFolder(environment) });
    }
    if (environment.storage !== undefined)
      new LocalSharedStorage(stack, "shared-storage", sharedFolder(environment));
    const { database: dialect } = environment.platform;
    if (dialect !== undefined) {
      const name = OPERATIONS_SERVER;
      const folder = serverFolder(environment, name);
      new LocalWebServer(stack, name, { name, folder, dataFolder: dataFolder(environment) });
      new LocalDatabase(stack, "database", {
        name: `${environment.application}_${environment.name}`.replaceAll("-", "_"),
        dataFolder: dataFolder(environment),
        port: databasePort(environment),
        dialect,
      });
    }
    const nothing = emptyRecord(environment.application);
    proxyPlaces(environment).forEach(({ name }, index) => {
      const spec = directorSpec(environment, nothing, index);
      const { user } = environment.platform;
      const folder = serverFolder(environment, name);
      new LocalProxy(stack, name, { name, folder, spec, ...(user === undefined ? {} : { user }) });
    });
  }

  machines(stack: TerraformStack): ReturnType<Platform["machines"]> {
    const { environment } = this;
    const { user } = environment.platform;
    const server = ({ name }: { name: string }) =>
      new LocalServer({ name, folder: serverFolder(environment, name) });
    return {
      servers: new Map(serverPlaces(environment).map((place) => [place.name, server(place)])),
      proxies: proxyPlaces(environment).map(server),
      installer: linuxInstaller({
        serviceManager: "process",
        dataFolder: dataFolder(environment),
        ...(user === undefined ? {} : { serviceUser: user }),
        ...(environment.storage === undefined
          ? {}
          : { sharedStorage: { folder: sharedFolder(environment), paths: environment.storage.shared } }),
      }),
      ...(environment.platform.database === undefined ? {} : { migrator: this.migrator(stack) }),
    };
  }

  private migrator(stack: TerraformStack): Migrator {
    const { environment } = this;
    const name = OPERATIONS_SERVER;
    return localMigrator(stack, {
      server: new LocalServer({ name, folder: serverFolder(environment, name) }),
      database: { kind: "file", file: databaseUrlFile(environment) },
    });
  }
}
