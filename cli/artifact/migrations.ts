/** A release's migrations: from its artifact, or from a separate folder or zip. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { zipSync } from "fflate";
import type { Zippable } from "fflate";
import { migrationsUrl } from "../../configuration/azure/azure-names";
import { isAmbiguous, lintAll } from "../../release/migrations/lint";
import type { Finding } from "../../release/migrations/lint";
import { numberOf, readScripts, refuseHugeFile } from "../../release/migrations/scripts";
import type { Script } from "../../release/migrations/scripts";
import type { Dialect } from "../../release/migrations/sql-text";
import { refuseTransactionControl } from "../../release/migrations/transaction-control";
import { databaseDialect, isLocal, requireAzure } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import { target } from "../../release/record";
import type { Candidate } from "../../release/release";
import { Failure, InvalidInput } from "../../release/failure";
import { writeAtomically } from "../../system/atomic-file";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { shellWord } from "../terminal/shell-word";
import { keptMigrations } from "./kept-files";
import { readEntries } from "../zip";

export interface PackedMigrations {
  /** The record's fields for them; empty if there are none. */
  readonly fields: Pick<Candidate, "migrations" | "contracts">;
  /** The packed scripts on this machine. */
  readonly bundle: string | null;
  /** Whether it was packed for the first time. */
  readonly isNew: boolean;
}

const NONE: PackedMigrations = { fields: {}, bundle: null, isNew: false };

/** The zip epoch: the same scripts give the same bytes, whenever they were checked out. */
const PACKED_AT = new Date(1980, 0, 1);

/**
 * @param given a folder or zip of SQL scripts. @param artifact a zip on this machine, which may contain `migrations/`.
 * @param warn gets the lines for people.
 * @throws Failure if an expand script would break the running release.
 */
export function migrationsFrom(
  project: Project,
  { given, artifact }: { given: string | undefined; artifact: string | null },
  warn: (line: string) => void,
): PackedMigrations {
  const source = given ?? artifact;
  if (source === null || source === undefined) return NONE;
  const note = (line: string): void => warn(`migrations: ${line}`);
  const files = given === undefined ? scriptsInArtifact(source) : scriptsIn(source);
  if (files === null) {
    if (databaseDialect(project.environment) !== null)
      note("the artifact is not a zip and is not searched for scripts: give them with --migrations");
    return NONE;
  }
  const scripts = readScripts(files);
  const newest = scripts.at(-1);
  if (newest === undefined) {
    if (given === undefined) return NONE;
    throw new InvalidInput(`${given} has no .sql files`);
  }
  const dialect = databaseDialect(project.environment);
  if (dialect === null) {
    const reason = `${project.environment.name} has no database (platform.database)`;
    if (given !== undefined) throw new InvalidInput(`--migrations ${given}: ${reason}`);
    note(`${reason}: the artifact's scripts are ignored`);
    return NONE;
  }
  for (const script of scripts) refuseTransactionControl(script, dialect);
  const contracts = scripts.filter(({ phase }) => phase === "contract").map(({ name }) => name);
  judge(scripts, dialect, { record: readRecord(project), note });
  const { bundle, isNew, url, sha256 } = keep(project, pack(scripts));
  const migrations = { url, sha256, newest: newest.name };
  return { fields: { migrations, ...(contracts.length === 0 ? {} : { contracts }) }, bundle, isNew };
}

/** What is left to do for migrations that this command does not publish; null if servers can already fetch them. */
export function publishNote(
  project: Project,
  version: string,
  { fields, bundle }: PackedMigrations,
): string | null {
  if (bundle === null || isLocal(project.environment)) return null;
  return `migrations: publish them at ${fields.migrations!.url} first: bluegreen publish ${version} --migrations ${shellWord(bundle)}`;
}

/** The plan's line about the database; null if the release has no migrations. */
export function migrationNote(record: ReleaseRecord): string | null {
  const candidate = target(record);
  if (candidate?.migrations === undefined) return null;
  const { contracts = [] } = candidate;
  const waiting = contracts.filter((script) => record.contracted?.includes(script) !== true);
  const waits =
    waiting.length === 0
      ? ""
      : `; ${waiting.join(", ")} waits until no release that gets or can get traffic needs the old schema`;
  if (record.migrate !== true) return `the database is checked; nothing new to migrate${waits}`;
  return `the database is migrated before anything is installed${waits}`;
}

/** Findings in scripts that ran change nothing. */
function judge(
  scripts: readonly Script[],
  dialect: Dialect,
  { record, note }: { readonly record: ReleaseRecord; readonly note: (line: string) => void },
): void {
  const findings = lintAll(scripts, dialect, (script) => hasRun(script, record));
  refuse(findings);
  const { slots, previous } = record;
  const known = new Set([slots.blue, slots.green, previous].flatMap((release) => release?.contracts ?? []));
  const contracts = scripts.filter(
    (script) => script.phase === "contract" && !hasRun(script, record) && !known.has(script.name),
  );
  for (const script of contracts) {
    if (isAmbiguous(script, dialect)) {
      throw new InvalidInput(
        `${script.name} is a contract script by its name, but removes nothing that the lint knows: declare its phase in its first line, -- phase: expand or -- phase: contract`,
      );
    }
  }
  if (contracts.length > 0) {
    const names = contracts.map(({ name }) => name).join(", ");
    note(`contract scripts, which wait until no release needs what they remove: ${names}`);
  }
  for (const finding of findings.filter(({ level }) => level === "unknown" || level === "advice"))
    note(at(finding));
}

/** Whether it came with a release that was stable, is a contract script that ran, or was applied by EF before. */
function hasRun(
  { name, number, phase, efMigration }: Script,
  { previous, contracted = [] }: ReleaseRecord,
): boolean {
  if (efMigration?.baseline === true) return true;
  if (phase === "contract") return contracted.includes(name);
  return previous?.migrations !== undefined && number <= numberOf(previous.migrations.newest);
}

function at({ script, line, message }: Finding): string {
  return `${script}:${line}: ${message}`;
}

/** @throws Failure naming the first script that breaks the running release or that the server would refuse. */
function refuse(findings: readonly Finding[]): void {
  const [first, ...others] = findings.filter(({ level }) => level === "breaks" || level === "fails");
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  const remedy =
    first.level === "fails"
      ? ""
      : `; move it into a contract script (-- phase: contract), or write why it is safe in a comment before it: -- reviewed: ...`;
  throw new InvalidInput(`${at(first)}${more}${remedy}`);
}

function pack(scripts: readonly Script[]): Uint8Array {
  const files: Zippable = {};
  for (const { name, sql } of scripts) files[name] = [Buffer.from(sql), { mtime: PACKED_AT }];
  return zipSync(files);
}

function keep(
  project: Project,
  zip: Uint8Array,
): { bundle: string; isNew: boolean; url: string; sha256: string } {
  const sha256 = createHash("sha256").update(zip).digest("hex");
  const bundle = keptMigrations(project, sha256);
  mkdirSync(dirname(bundle), { recursive: true });
  const isNew = !existsSync(bundle);
  writeAtomically(bundle, zip); // written again to restart the days that `publish --prune` counts
  const url = isLocal(project.environment)
    ? pathToFileURL(bundle).href
    : migrationsUrl(requireAzure(project.environment), sha256);
  return { bundle, isNew, url, sha256 };
}

/** The scripts below `migrations/` in an artifact. Installers check the rest of it. */
function scriptsInArtifact(artifact: string): Map<string, Uint8Array> | null {
  try {
    return unzip(artifact, (name) => /^migrations\/.*\.sql$/i.test(name));
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

function scriptsIn(source: string): Map<string, Uint8Array> {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found === undefined) throw new InvalidInput(`there is no ${source}`);
  if (!found.isDirectory()) return unzip(source, (name) => /\.sql$/i.test(name));
  const names = readdirSync(source).filter((name) => /\.sql$/i.test(name));
  return new Map(names.map((name) => [name, readFileSync(join(source, name))]));
}

function unzip(file: string, isWanted: (name: string) => boolean): Map<string, Uint8Array> {
  try {
    return readEntries(file, (name, bytes) => {
      if (!isWanted(name)) return false;
      refuseHugeFile(name, bytes);
      return true;
    });
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput(`${file} can't be read as a zip: ${(error as Error).message}`);
  }
}
