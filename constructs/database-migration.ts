/** Only the migrations: brings a database to what a record's release asks for, whoever deploys the release. */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { ReleaseRecord } from "../release/record";
import type { Migrator } from "./migrator";
import { migrateStep } from "./steps/migrate-step";

/** What {@link DatabaseMigration} applies, and where it runs. */
export interface DatabaseMigrationProps {
  /**
   * The record whose active slot has the release with its `migrations`: the step runs once for each sequence. A release
   * without, or sequence 0: there is no step.
   */
  readonly record: ReleaseRecord;
  /** Where it runs, and on what. */
  readonly migrator: Migrator;
  /** @default - nothing */
  readonly dependsOn?: ITerraformDependable[];
}

/**
 * The migrator's step alone. Scripts that only add (expand) run at once; those that take something away (contract) only
 * where the record's `contracted` says that no release needs it any more. A script that fails is taken back, and the
 * apply fails.
 */
export class DatabaseMigration extends Construct {
  /** What needs the new schema depends on these. */
  readonly steps: ITerraformDependable[];

  constructor(scope: Construct, id: string, { record, migrator, dependsOn = [] }: DatabaseMigrationProps) {
    super(scope, id);
    this.steps = record.sequence === 0 ? [] : [migrateStep(this, record, migrator, dependsOn)];
  }
}
