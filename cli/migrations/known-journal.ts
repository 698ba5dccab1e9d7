/** The journal of an environment's database, as far as it is known from here. */
import { InvalidInput } from "../../release/failure";
import { databaseDialect, isLocal, requireAzure } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import type { Project } from "../project/project";
import type { TerraformBinary } from "../terraform/binary";
import { journalOfLastStep } from "./azure-journal";
import type { KnownJournal } from "./journal";
import { journalOfDatabase } from "./local-journal";

/** @throws Failure if the environment has no database, or it can't be read. */
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

/** @throws Failure exit code 2. */
export function requireDatabase({ environment }: Project): void {
  if (databaseDialect(environment) !== null) return;
  throw new InvalidInput(
    `${environment.name} has no database (platform.database), so there are no migrations`,
  );
}
