/** The server that runs migrations, and the database. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Construct } from "constructs";
import type { DatabaseAccess } from "../release/migrate-spec";
import { shippedFromProject } from "./project-path";
import { onServerProgram, shippedFile } from "./on-server-program";
import type { Server } from "./server";

/** The server that runs a release's migrations, the database, and the program's address. */
export interface Migrator {
  /** One server that reaches the database. It needs Node 18 or newer. */
  readonly server: Server;
  /** How to reach the database, and where the credentials are: never a password. */
  readonly database: DatabaseAccess;
  /**
   * The host from which migrations are fetched with the identity, as in "shop.blob.core.windows.net". Others get no token.
   * @default - none
   */
  readonly artifactHost?: string;
  /**
   * The migrator's program: `MIGRATOR_URL` (an https address, or a path on the server), its digest `MIGRATOR_SHA256`,
   * and for an https address `IDENTITY`, the identity that may read it. No secrets.
   */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The migrator: one file for Node. It is too large for a step, so publish it where the server can fetch it. */
export interface MigratorProgram {
  /** Its path in this package. */
  readonly path: string;
  /** The server checks it before it runs the program. */
  readonly sha256: string;
}

/** @throws Error if the package is not built. */
export function migratorProgram(): MigratorProgram {
  const path = onServerProgram("migrate.js");
  return { path, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

/** The server on which {@link localMigrator} runs, and the database. */
export interface LocalMigratorProps {
  readonly server: Server;
  readonly database: DatabaseAccess;
}

/** A migrator on this machine. Its program is in the synthesized stack. */
export function localMigrator(scope: Construct, { server, database }: LocalMigratorProps): Migrator {
  const { path, sha256 } = migratorProgram();
  return {
    server,
    database,
    parameters: {
      MIGRATOR_URL: shippedFromProject(scope, shippedFile(scope, path)),
      MIGRATOR_SHA256: sha256,
    },
  };
}
