/** The journal of an environment's database, as far as it is known from here. */
import { EXIT } from "../../release/exit-code";
import type { ScriptStatus } from "../../release/migrations/migrator-words";
import { databaseDialect, isLocal, requireAzure } from "../../release/platform";
import type { ReleaseRecord } from "../../release/record";
import { OperatorError } from "../operator-error";
import type { Project } from "../project/project";
import type { TerraformBinary } from "../terraform/binary";
import { journalOfLastStep } from "./azure-journal";
import { journalOfDatabase } from "./local-journal";

/** A script; only what is known of it. On Azure a step names scripts without their times. */
export type KnownScript = Pick<ScriptStatus, "name" | "status"> & {
  [Field in "phase" | "release" | "started" | "finished"]: string | null;
};

/** The migrate step that ran last. */
interface MigrateStep {
  readonly name: string;
  readonly sequence: number | null;
  readonly exitCode: number | null;
  readonly outcome: string;
  readonly reason: string | null;
}

export interface KnownJournal {
  /** `database`: it was asked just now. `lastStep`: nobody reaches it from here, so this is what its last step said. */
  readonly source: "database" | "lastStep";
  /** null where the database was asked, or no step ran yet. */
  readonly step: MigrateStep | null;
  readonly scripts: readonly KnownScript[];
  /** Scripts beyond the last bundle: a later release brought them. */
  readonly ahead: readonly string[];
}

/** @throws OperatorError where the environment has no database, or it can't be asked. */
export async function knownJournal(
  project: Project,
  record: ReleaseRecord,
  terraform: () => Promise<TerraformBinary>,
): Promise<KnownJournal> {
  requireDatabase(project);
  const { folder, environment } = project;
  return isLocal(environment)
    ? journalOfDatabase(folder, environment)
    : journalOfLastStep(project, requireAzure(environment), record, terraform);
}

/** @throws OperatorError exit code 2. */
export function requireDatabase({ environment }: Project): void {
  if (databaseDialect(environment) !== null) return;
  throw new OperatorError(
    `${environment.name} has no database (platform.database), so there are no migrations`,
    EXIT.badInput,
  );
}
