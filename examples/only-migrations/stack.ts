/** Only the migrations of a release; another system deploys the release itself. */
import { LocalBackend, TerraformStack } from "cdktf";
import {
  DatabaseMigration,
  LocalDatabase,
  localMigrator,
  LocalServer,
  LocalWebServer,
} from "cdktf-bluegreen";
import type { ReleaseRecord } from "cdktf-bluegreen";
import type { Construct } from "constructs";

const OPERATIONS = { name: "operations", folder: ".machines/operations" };

/** The machine that runs the migrations: here a folder. */
export class OperationsStack extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: "../../../operations.tfstate" });
    new LocalWebServer(this, "operations", { ...OPERATIONS, dataFolder: ".machines/data" });
  }
}

export interface MigrationStackProps {
  readonly record: ReleaseRecord;
  /** A file with the database's address, relative to the project. */
  readonly urlFile: string;
}

export class MigrationStack extends TerraformStack {
  constructor(scope: Construct, id: string, { record, urlFile }: MigrationStackProps) {
    super(scope, id);
    new LocalBackend(this, { path: "../../../migration.tfstate" });
    const database = LocalDatabase.fromDatabaseAttributes(this, "database", { urlFile });
    new DatabaseMigration(this, "schema", {
      record,
      migrator: localMigrator(this, {
        server: LocalServer.fromServerAttributes(this, "operations", OPERATIONS),
        database: database.access,
      }),
    });
  }
}
