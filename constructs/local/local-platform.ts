/** The local platform: servers are folders, instances are processes, commands run through `terraform_data`. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TerraformStack } from "cdktf";
import { directorSpec } from "../../release/director-spec";
import type { LocalEnvironment } from "../../release/environment";
import {
  databasePort,
  databaseUrlFile,
  dataFolder,
  OPERATIONS_SERVER,
  proxyPlaces,
  serverFolder,
  serverPlaces,
} from "../../release/naming";
import { emptyRecord } from "../../release/record";
import type { Migrator } from "../blue-green-deployment";
import { onServerProgram, shippedFile } from "../on-server-program";
import type { Platform } from "../platform";
import { LocalDatabase, LocalProxy, LocalWebServer } from "./local-machines";
import { LocalServer } from "./local-server";
import { shippedFromProject } from "./project-path";

export class LocalPlatform implements Platform {
  constructor(private readonly environment: LocalEnvironment) {}

  provision(stack: TerraformStack): void {
    const { environment } = this;
    for (const { name } of serverPlaces(environment)) {
      const folder = serverFolder(environment, name);
      new LocalWebServer(stack, name, { name, folder, dataFolder: dataFolder(environment) });
    }
    if (environment.platform.database !== undefined) {
      const name = OPERATIONS_SERVER;
      const folder = serverFolder(environment, name);
      new LocalWebServer(stack, name, { name, folder, dataFolder: dataFolder(environment) });
      new LocalDatabase(stack, "database", {
        name: `${environment.application}_${environment.name}`.replaceAll("-", "_"),
        dataFolder: dataFolder(environment),
        port: databasePort(environment),
      });
    }
    const nothing = emptyRecord(environment.application);
    proxyPlaces(environment).forEach(({ name }, index) => {
      const spec = directorSpec(environment, nothing, index);
      new LocalProxy(stack, name, { name, folder: serverFolder(environment, name), spec });
    });
  }

  machines(stack: TerraformStack): ReturnType<Platform["machines"]> {
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
      ...(environment.platform.database === undefined ? {} : { migrator: this.migrator(stack) }),
    };
  }

  private migrator(stack: TerraformStack): Migrator {
    const { environment } = this;
    const name = OPERATIONS_SERVER;
    const program = onServerProgram("migrate.js");
    return {
      server: new LocalServer({ name, folder: serverFolder(environment, name) }),
      database: { kind: "file", file: databaseUrlFile(environment) },
      parameters: {
        MIGRATOR_URL: shippedFromProject(stack, shippedFile(stack, program)),
        MIGRATOR_SHA256: createHash("sha256").update(readFileSync(program)).digest("hex"),
      },
    };
  }
}
