/** The long-lived part of the local platform: folders as web servers, running proxies, a database. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { LocalExecProvisioner } from "cdktf";
import { Construct } from "constructs";
import { encodeSpec } from "../../configuration/director-spec";
import type { DirectorSpec } from "../../configuration/director-spec";
import type { DatabaseAccess } from "../../release/migrate-spec";
import { DEFAULT_HTTP_SETTINGS } from "../../configuration/http-settings";
import { DATABASE_URL_FILE } from "../../configuration/naming";
import { InvalidInput } from "../../release/failure";
import { onServerProgram, shippedFile } from "../on-server-program";
import { privateOutput } from "../private-output";
import { projectFromStack } from "../project-path";
import { TerraformData } from "../terraform-data";

/** A machine of the local platform: a folder. */
export interface LocalMachineProps {
  /** The server's name in its environment. */
  readonly name: string;
  /** The server's folder, relative to the project. */
  readonly folder: string;
}

/** What {@link LocalWebServer} is made of. */
export interface LocalWebServerProps extends LocalMachineProps {
  /** The data folder that all releases on all servers share, relative to the project. It outlives the servers. */
  readonly dataFolder: string;
}

/** A web server: a folder in which `LocalServer` runs steps. Destroying it stops every instance in it. */
export class LocalWebServer extends Construct {
  constructor(scope: Construct, id: string, props: LocalWebServerProps) {
    super(scope, id);
    const { folder, dataFolder } = props;
    new TerraformData(this, "Resource", {
      triggersReplace: folder,
      input: { folder },
      provisioners: [
        program(this, "start-server.sh", { SERVER_FOLDER: folder, DATA_FOLDER: dataFolder }),
        stopProgram(this),
      ],
    });
  }
}

/** The folder that all servers share, for `storage.shared`. It outlives the stack, as the data folder does. */
export class LocalSharedStorage extends Construct {
  /** @param folder relative to the project. */
  constructor(scope: Construct, id: string, folder: string) {
    super(scope, id);
    new TerraformData(this, "Resource", {
      triggersReplace: folder,
      provisioners: [program(this, "prepare-share.sh", { SHARED_FOLDER: folder })],
    });
  }
}

/** What {@link LocalDatabase} is made of. */
export interface LocalDatabaseProps {
  /** The database's name: letters, digits and underscores. */
  readonly name: string;
  /** The folder of its files and of the file with its address, relative to the project. */
  readonly dataFolder: string;
  /** Its port on the loopback address. */
  readonly port: number;
  /**
   * `postgres`: a new PostgreSQL server, or a database on the server in PG_URL if that is set. `mssql`: a database on the
   * SQL Server in MSSQL_URL; `port` is ignored. The variables are read where Terraform runs.
   * @default "postgres"
   */
  readonly dialect?: "postgres" | "mssql";
}

/** A database that servers on this machine share: created by this stack, or existing. */
export interface ILocalDatabase {
  /** How a migrator opens it. */
  readonly access: DatabaseAccess;
}

/** How to reach an existing database. */
export interface LocalDatabaseAttributes {
  /**
   * A file that contains only the address, as in `postgres://user:password@127.0.0.1/shop`. The path is relative to the
   * project. The migration reads it when it runs.
   */
  readonly urlFile: string;
}

/**
 * The database that all releases share. Destroying it stops the server; the data stays in the data folder. For an
 * existing one: `LocalDatabase.fromDatabaseAttributes`.
 */
export class LocalDatabase extends Construct implements ILocalDatabase {
  /** An existing database, for a `Migrator`. Adds nothing to the stack. */
  static fromDatabaseAttributes(
    scope: Construct,
    id: string,
    { urlFile }: LocalDatabaseAttributes,
  ): ILocalDatabase {
    return Object.assign(new Construct(scope, id), { access: { kind: "file" as const, file: urlFile } });
  }

  readonly access: DatabaseAccess;

  constructor(
    scope: Construct,
    id: string,
    { name, dataFolder, port, dialect = "postgres" }: LocalDatabaseProps,
  ) {
    super(scope, id);
    this.access = { kind: "file", file: `${dataFolder}/${DATABASE_URL_FILE}` };
    const interpreter = ["node", shippedFile(this, onServerProgram("local-database.js"))];
    const project = { PROJECT_FOLDER: projectFromStack(this) };
    new TerraformData(this, "Resource", {
      // PostgreSQL's value has no dialect, as in versions without the prop.
      triggersReplace: JSON.stringify([name, dataFolder, port, ...(dialect === "postgres" ? [] : [dialect])]),
      input: { folder: dataFolder },
      provisioners: [
        {
          type: "local-exec",
          interpreter,
          command: "start",
          environment: {
            ...project,
            DATA_FOLDER: dataFolder,
            DATABASE_NAME: name,
            DATABASE_PORT: String(port),
            ...(dialect === "mssql"
              ? { DATABASE_DIALECT: dialect, MIGRATOR: shippedFile(this, onServerProgram("migrate.js")) }
              : {}),
          },
        },
        {
          type: "local-exec",
          when: "destroy",
          interpreter,
          command: "stop",
          environment: { ...project, DATA_FOLDER: "${self.input.folder}" },
        },
      ],
    });
  }
}

/** What {@link LocalProxy} is made of. */
export interface LocalProxyProps extends LocalMachineProps {
  /** The director's configuration. Nothing in it depends on a release. */
  readonly spec: DirectorSpec;
  /**
   * The account that serves users, where root starts the proxy: HAProxy's, and that of NGINX's workers. The embedded proxy
   * stays root's. @default - haproxy for HAProxy; www-data or nginx for NGINX
   */
  readonly user?: string;
}

/**
 * A running proxy with its director. A new director replaces the old one without a restart. When endpoints change (a
 * server was added), NGINX reloads while it serves; the other proxies restart. All keep their traffic and the director's
 * state. For an existing proxy: `DirectorSetup`.
 */
export class LocalProxy extends Construct {
  constructor(scope: Construct, id: string, props: LocalProxyProps) {
    super(scope, id);
    privateOutput(this);
    const { folder, user } = props;
    const { endpoints, verification } = props.spec;
    const { driver, host, port } = props.spec.proxy;
    if (driver === "command") {
      throw new InvalidInput(
        `a LocalProxy starts haproxy, nginx or embedded; for driver "command" start the proxy yourself and use DirectorSetup`,
      );
    }
    const { path, status } = verification;
    const reloads = driver === "nginx";
    // The inputs of the proxy's configuration; a release changes none of them.
    const configuration = [
      ...[endpoints, path, status, verification.host, props.spec.preview],
      ...chosenSettings(props.spec),
    ];
    const bundle = onServerProgram("director.js");
    const serverFolder = new TerraformData(this, "folder", {
      triggersReplace: folder,
      input: { folder },
      provisioners: [stopProgram(this)],
    });
    const director = new TerraformData(this, "director", {
      dependsOn: [serverFolder],
      triggersReplace: createHash("sha256").update(readFileSync(bundle)).digest("hex"),
      provisioners: [
        program(this, "install-director.sh", {
          SERVER_FOLDER: folder,
          DIRECTOR_BUNDLE: shippedFile(this, bundle),
        }),
      ],
    });
    const running = new TerraformData(this, "Resource", {
      // Without an account the value is that of versions without the prop.
      triggersReplace: JSON.stringify([
        ...[folder, driver, host, port],
        ...(reloads ? [] : configuration),
        ...(user === undefined ? [] : [user]),
      ]),
      input: { folder },
      dependsOn: [director],
      provisioners: [
        program(this, "start-proxy.sh", {
          SERVER_FOLDER: folder,
          DIRECTOR_SPEC: encodeSpec(props.spec),
          PROXY_DRIVER: driver,
          PROXY_ADDRESS: `${host}:${port}`,
          ...(user === undefined ? {} : { SERVICE_USER: user }),
          PROXY_BUNDLE: shippedFile(this, onServerProgram("embedded-proxy.js")),
        }),
        stopProgram(this, { KEEP_FOLDER: "yes" }),
      ],
    });
    if (!reloads) return;
    new TerraformData(this, "configuration", {
      triggersReplace: JSON.stringify(configuration),
      dependsOn: [running],
      provisioners: [
        program(this, "configure-proxy.sh", { SERVER_FOLDER: folder, DIRECTOR_SPEC: encodeSpec(props.spec) }),
      ],
    });
  }
}

/** What differs from the defaults: without it the proxy's value is that of versions that did not apply these settings. */
function chosenSettings({ proxy, activation, sessions }: DirectorSpec): object[] {
  const defaults: Readonly<Record<string, unknown>> = { ...DEFAULT_HTTP_SETTINGS };
  const http = Object.entries(proxy.http).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]),
  );
  const chosen = {
    ...(http.length > 0 && { http: Object.fromEntries(http) }),
    ...(activation !== null && { activation }),
    ...(sessions !== undefined && { sessions }),
  };
  return Object.keys(chosen).length === 0 ? [] : [chosen];
}

function program(scope: Construct, name: string, environment: Record<string, string>): LocalExecProvisioner {
  const file = shippedFile(scope, onServerProgram(`local/${name}`));
  return {
    type: "local-exec",
    interpreter: ["bash"],
    command: file,
    environment: { ...environment, PROJECT_FOLDER: projectFromStack(scope) },
  };
}

/** A destroy-time provisioner may refer only to its resource, so the folder is in the resource's state. */
function stopProgram(scope: Construct, more: Record<string, string> = {}): LocalExecProvisioner {
  const file = shippedFile(scope, onServerProgram("local/stop-server.sh"));
  const folders = { SERVER_FOLDER: "${self.input.folder}", PROJECT_FOLDER: projectFromStack(scope) };
  const environment = { ...folders, ...more };
  return { type: "local-exec", when: "destroy", interpreter: ["bash"], command: file, environment };
}
