/** Where migrations run, and on what. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Construct } from "constructs";
import type { DatabaseAccess } from "../release/migrate-spec";
import { shippedFromProject } from "./project-path";
import { onServerProgram, shippedFile } from "./on-server-program";
import type { Server } from "./server";

/** The server that runs a release's migrations, the database, and where the program is fetched. */
export interface Migrator {
  /** One server that reaches the database. It needs Node 18 or newer. */
  readonly server: Server;
  /** Where the database is, and where what opens it is found: never a password. */
  readonly database: DatabaseAccess;
  /**
   * Where the migrator's program is fetched: `MIGRATOR_URL` (an https address, or a path on the server), its digest
   * `MIGRATOR_SHA256`, and for an https address `IDENTITY`, the identity that may read it there. No secrets.
   */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The migrator: one file for Node. It is too large for a step, so it goes to where the server fetches it. */
export interface MigratorProgram {
  /** Where this package has it. */
  readonly path: string;
  /** Checked on the server before it is run. */
  readonly sha256: string;
}

/** @throws Error where the package was not built. */
export function migratorProgram(): MigratorProgram {
  const path = onServerProgram("migrate.js");
  return { path, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

/** The server on which {@link localMigrator} runs, and the database. */
export interface LocalMigratorProps {
  readonly server: Server;
  readonly database: DatabaseAccess;
}

/** A migrator on this machine: its program is read where the stack was synthesized. */
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
