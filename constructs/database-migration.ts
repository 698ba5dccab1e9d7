/** Only the migrations that a record's release needs, independent of how the release is deployed. */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { ReleaseRecord } from "../release/record";
import type { Migrator } from "./migrator";
import { migrateStep } from "./steps/migrate-step";

/** What {@link DatabaseMigration} applies, and where it runs. */
export interface DatabaseMigrationProps {
  /**
   * The record whose active slot has the release with its `migrations`. The step runs once for each sequence. Without
   * migrations, or with sequence 0, there is no step.
   */
  readonly record: ReleaseRecord;
  /** The server that runs it, and the database. */
  readonly migrator: Migrator;
  /** @default - nothing */
  readonly dependsOn?: ITerraformDependable[];
}

/**
 * The migrate step alone. Expand scripts, which only add, run at once. Contract scripts, which remove something, run
 * only if the record's `contracted` shows that no release needs it any more. A script that fails is rolled back, and
 * the apply fails.
 */
export class DatabaseMigration extends Construct {
  /** Resources that need the new schema depend on these. */
  readonly steps: ITerraformDependable[];

  constructor(scope: Construct, id: string, { record, migrator, dependsOn = [] }: DatabaseMigrationProps) {
    super(scope, id);
    this.steps = record.sequence === 0 ? [] : [migrateStep(this, record, migrator, dependsOn)];
  }
}
