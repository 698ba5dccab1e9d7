/**
 * The migrate step. It runs before installs and traffic, so that a release never runs on a database without its schema,
 * and in every sequence whose target has migrations: only the database's journal shows what is applied.
 */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { encodeSpec } from "../../configuration/director-spec";
import { migrateSpec } from "../../release/migrate-spec";
import { stepId, stepName } from "../../release/steps";
import { target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Migrator } from "../migrator";
import { onServerProgram } from "../on-server-program";

/** Time for large tables, and for waiting until another migration ends. */
const MIGRATE_SECONDS = 3_600;

export function migrateStep(
  scope: Construct,
  record: ReleaseRecord,
  { server, database, artifactHost, parameters }: Migrator,
  dependsOn: ITerraformDependable[],
): ITerraformDependable {
  const release = target(record);
  const { migrations } = release ?? {};
  const spec =
    release === null || migrations === undefined
      ? {}
      : { MIGRATE_SPEC: encodeSpec(migrateSpec(record, { ...release, migrations }, database, artifactHost)) };
  return server.run(scope, stepId.migrate(server.name), {
    name: stepName.migrate(record),
    script: onServerProgram("migrate/run-migrate.sh"),
    parameters: { ...spec, ...parameters },
    timeoutSeconds: MIGRATE_SECONDS,
    dependsOn,
    needed: migrations !== undefined,
  });
}
