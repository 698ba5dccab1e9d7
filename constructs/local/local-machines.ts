/** The long-lived part of the local platform: folders for web servers, and proxies that run. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { LocalExecProvisioner } from "cdktf";
import { Construct } from "constructs";
import { encodeSpec } from "../../configuration/director-spec";
import type { DirectorSpec } from "../../configuration/director-spec";
import type { DatabaseAccess } from "../../release/migrate-spec";
import { DATABASE_URL_FILE } from "../../configuration/naming";
import { InvalidInput } from "../../release/failure";
import { onServerProgram, shippedFile } from "../on-server-program";
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
  /** What all releases on all servers weight, relative to the project. It outlives the servers. */
  readonly dataFolder: string;
}

/** A web server: a folder, for `LocalServer` to run steps in. Destroying it stops every instance that runs in it. */
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

/** What {@link LocalDatabase} is made of. */
export interface LocalDatabaseProps {
  /** Of the database: letters, digits and underscores. */
  readonly name: string;
  /** Where its files are, and the file with its address; relative to the project. */
  readonly dataFolder: string;
  /** It listens there on the loopback address. */
  readonly port: number;
  /**
   * `postgres`: a PostgreSQL of its own, or where PG_URL names a server, a database there. `mssql`: a database on the
   * SQL Server that MSSQL_URL names; `port` means nothing then. The variables are read where Terraform runs.
   * @default "postgres"
   */
  readonly dialect?: "postgres" | "mssql";
}

/** A database that servers on this machine weight, made by this stack or there already. */
export interface ILocalDatabase {
  /** How a migrator opens it. */
  readonly access: DatabaseAccess;
}

/** How a database that is there already is reached. */
export interface LocalDatabaseAttributes {
  /**
   * A file that holds the address and nothing else, as in `postgres://user:password@127.0.0.1/shop`; relative to the
   * project. It is not read before the migration runs.
   */
  readonly urlFile: string;
}

/**
 * The database that all releases share. Destroying it stops the server; the data stays in the data folder. For one that
 * is there already: `LocalDatabase.fromDatabaseAttributes`.
 */
export class LocalDatabase extends Construct implements ILocalDatabase {
  /** A database that is there already, for a `Migrator`. Adds nothing to the stack. */
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
      // PostgreSQL's is as it was before there was another.
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
  /** What the proxy has to know of the environment; nothing in it depends on a release. */
  readonly spec: DirectorSpec;
}

/**
 * A proxy that runs, with the director beside it. A new director replaces the old one without a restart. Other
 * endpoints (a server was added) are taken over by NGINX while it serves, and restart the others. All keep what they
 * serve and what the director remembers. For a proxy of somebody else's: `DirectorSetup`.
 */
export class LocalProxy extends Construct {
  constructor(scope: Construct, id: string, props: LocalProxyProps) {
    super(scope, id);
    const { folder } = props;
    const { endpoints, verification } = props.spec;
    const { driver, host, port } = props.spec.proxy;
    if (driver === "command") {
      throw new InvalidInput(
        `a LocalProxy starts haproxy, nginx or embedded; the proxy behind driver "command" is yours to start: use DirectorSetup`,
      );
    }
    const { path, status } = verification;
    const takesOver = driver === "nginx";
    // What the proxy's own configuration is made of; a release changes none of it.
    const configuration = [endpoints, path, status, verification.host, props.spec.preview];
    const bundle = onServerProgram("director.js");
    const ownFolder = new TerraformData(this, "folder", {
      triggersReplace: folder,
      input: { folder },
      provisioners: [stopProgram(this)],
    });
    const director = new TerraformData(this, "director", {
      dependsOn: [ownFolder],
      triggersReplace: createHash("sha256").update(readFileSync(bundle)).digest("hex"),
      provisioners: [
        program(this, "install-director.sh", {
          SERVER_FOLDER: folder,
          DIRECTOR_BUNDLE: shippedFile(this, bundle),
        }),
      ],
    });
    const running = new TerraformData(this, "Resource", {
      triggersReplace: JSON.stringify([folder, driver, host, port, ...(takesOver ? [] : configuration)]),
      input: { folder },
      dependsOn: [director],
      provisioners: [
        program(this, "start-proxy.sh", {
          SERVER_FOLDER: folder,
          DIRECTOR_SPEC: encodeSpec(props.spec),
          PROXY_DRIVER: driver,
          PROXY_ADDRESS: `${host}:${port}`,
          PROXY_BUNDLE: shippedFile(this, onServerProgram("embedded-proxy.js")),
        }),
        stopProgram(this, { KEEP_FOLDER: "yes" }),
      ],
    });
    if (!takesOver) return;
    new TerraformData(this, "configuration", {
      triggersReplace: JSON.stringify(configuration),
      dependsOn: [running],
      provisioners: [
        program(this, "configure-proxy.sh", { SERVER_FOLDER: folder, DIRECTOR_SPEC: encodeSpec(props.spec) }),
      ],
    });
  }
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

/** A destroy-time provisioner may refer to the resource only, so the folder is in its state. */
function stopProgram(scope: Construct, more: Record<string, string> = {}): LocalExecProvisioner {
  const file = shippedFile(scope, onServerProgram("local/stop-server.sh"));
  const own = { SERVER_FOLDER: "${self.input.folder}", PROJECT_FOLDER: projectFromStack(scope) };
  const environment = { ...own, ...more };
  return { type: "local-exec", when: "destroy", interpreter: ["bash"], command: file, environment };
}
