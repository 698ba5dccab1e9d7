/** The journal of a database on the local platform, read by the migrator in the operations server's folder. */
import { Failure } from "../../release/failure";
import { join } from "node:path";
import execa from "execa";
import type { LocalEnvironment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import { MigratorResult, MigratorStatus } from "../../release/migrations/migrator-words";
import { OPERATIONS_SERVER, serverFolder } from "../../configuration/naming";
import { readResultLine } from "../../release/result-line";
import type { KnownJournal } from "./journal";
import { exists } from "../project/files";

const LONGEST_MS = 120_000;

/** @throws Failure with the migrator's message and exit code if the database can't be read. */
export async function journalOfDatabase(
  projectFolder: string,
  environment: LocalEnvironment,
): Promise<KnownJournal> {
  const folder = join(projectFolder, serverFolder(environment, OPERATIONS_SERVER));
  const migrator = join(folder, "migrate.js");
  // The first migrate step installs it.
  if (!exists(migrator)) return { source: "database", step: null, scripts: [], ahead: [] };
  const { stdout, stderr, exitCode } = await execa(
    process.execPath,
    [migrator, "status", "--folder", folder],
    // Paths in the step's spec are relative to the project.
    { cwd: projectFolder, reject: false, stdin: "ignore", timeout: LONGEST_MS },
  );
  const status = readResultLine(MigratorStatus, stdout);
  if (exitCode === 0 && status !== null) {
    const beyond = status.ahead.filter((each) => typeof each !== "string");
    return {
      source: "database",
      step: null,
      scripts: [...status.scripts, ...beyond],
      ahead: status.ahead.map((each) => (typeof each === "string" ? each : each.name)),
    };
  }
  throw refused(
    readResultLine(MigratorResult, stdout)?.reason ?? stderr.trim().split("\n").at(-1)!,
    exitCode,
  );
}

function refused(reason: string, exitCode: number): Failure {
  // An older migrator does not know the command.
  const older = /^(migrate: )?run, plan or resolve is wanted/.test(reason);
  const message = older
    ? "the installed migrator is from an older version of this package: the next release, or `bluegreen retry`, updates it"
    : reason || `the migrator ended with exit code ${exitCode}`;
  return new Failure(
    `the database can't be read: ${message}`,
    exitCode === EXIT.badInput || exitCode === EXIT.refused ? exitCode : EXIT.unexpected,
  );
}
