/**
 * Applies a bundle to a database: compares bundle and journal, refuses if they contradict each other, and applies the
 * pending scripts in order, each with its journal row. Only the journal proves that a script is applied.
 */
import { InvalidInput } from "../../release/failure";
import { setTimeout as sleep } from "node:timers/promises";
import { isAppliedByEf } from "../../release/migrations/ef-history";
import { refuseUnreadable } from "../../release/migrations/readable";
import type { Script } from "../../release/migrations/scripts";
import type { Dialect } from "../../release/migrations/sql-text";
import { refuseTransactionControl } from "../../release/migrations/transaction-control";
import { ScriptFailed, SessionLost } from "./databases/database";
import type { Database, JournalRow } from "./databases/database";
import { MigrationRefused } from "./refusals";

/** Attempts of a script that waits for a lock too long; its transaction is rolled back. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;

export interface Wanted {
  readonly scripts: readonly Script[];
  /** The contract scripts that may run; the others wait. */
  readonly contracted: readonly string[];
  readonly releaseId: string;
  /** The command that resolves a script that is left `running`. */
  readonly resolveCommand: (script: string) => string;
}

export interface Plan {
  readonly pending: readonly Script[];
  /** Contract scripts that would still remove what a release needs. */
  readonly waiting: readonly string[];
  /** Scripts in the journal after the bundle's last one: a later release brought them. */
  readonly ahead: readonly string[];
  /** An interrupted script that is not needed here. */
  readonly running: string | null;
}

/** @throws MigrationRefused if bundle and journal contradict each other. */
export function planMigration(
  { scripts, contracted, resolveCommand }: Wanted,
  journal: readonly JournalRow[],
): Plan {
  const newest = scripts.at(-1)?.number ?? 0;
  for (const row of journal.filter(({ number, status }) => number <= newest && status === "applied")) {
    const script = scripts.find(({ number }) => number === row.number);
    if (script === undefined || script.name !== row.name) {
      throw new MigrationRefused(
        `${row.name} was applied with ${row.release}, and this bundle ${script === undefined ? "does not have it" : `has ${script.name} in its place`}: release from a checkout that has both`,
      );
    }
    if (script.sha256 !== row.sha256) {
      throw new MigrationRefused(
        `${row.name} was changed after it was applied with ${row.release}: restore it, and write the change as the next script`,
      );
    }
  }
  const applied = new Set(journal.map(({ number }) => number));
  const left = journal.find(({ status }) => status === "running");
  const missing = scripts.filter(({ number }) => !applied.has(number));
  const pending = missing.filter(({ phase, name }) => phase === "expand" || contracted.includes(name));
  // An interrupted script of a later release does not stop a rollback to one that does not need it.
  const isNeeded = scripts.some(
    ({ name, phase }) => name === left?.name && (phase === "expand" || contracted.includes(name)),
  );
  if (left !== undefined && (isNeeded || pending.length > 0)) {
    throw new ScriptRunning(
      left.name,
      `${left.name} began at ${left.started} with ${left.release} and was interrupted: check how far it got, then ${resolveCommand(left.name)}`,
    );
  }
  for (const script of pending) {
    const later = journal.find((row) => row.phase === script.phase && row.number > script.number);
    if (later === undefined) continue;
    throw new MigrationRefused(
      `${script.name} is out of order: ${later.name} was applied with ${later.release} before it; give it the next number`,
    );
  }
  return {
    pending,
    waiting: missing.filter((script) => !pending.includes(script)).map(({ name }) => name),
    ahead: journal
      .filter(({ number, status }) => number > newest && status === "applied")
      .map(({ name }) => name),
    running: left?.name ?? null,
  };
}

/** A script is `running` in the journal: it was interrupted, or another migrator runs it now. */
export class ScriptRunning extends MigrationRefused {
  constructor(
    readonly running: string,
    message: string,
  ) {
    super(message);
  }
}

export interface Migrated {
  readonly applied: readonly Applied[];
  /** Scripts that Entity Framework Core had applied before. */
  readonly adopted: readonly string[];
  readonly waiting: readonly string[];
  readonly ahead: readonly string[];
  /** An interrupted script of a later release. */
  readonly running: string | null;
}

/** How long to wait for another migration of this database, and the log for it. */
export interface Waiting {
  readonly waitSeconds: number;
  readonly say: (line: string) => void;
}

/**
 * Applies the pending scripts. If there are none, it takes no lock, so it never waits for another migration. Afterwards it
 * reads the journal again: each required script must be `applied` there.
 * @param begun what earlier attempts began before their connection was lost; this one adds to it.
 * @throws MigrationRefused, ScriptFailed (the database is as before that script; with `-- no-transaction`: not known),
 * SessionLost.
 */
export async function migrate(
  database: Database,
  wanted: Wanted,
  waiting: Waiting,
  begun: Begun,
): Promise<Migrated> {
  const { say } = waiting;
  const found = await database.journal();
  if (isDone(wanted, found)) return conclude(wanted, found, begun);
  begun.hasWork = true;
  await lock(database, waiting);
  await database.prepareJournal();
  const { pending } = planMigration(wanted, await database.journal());
  const takenOver = await takenOverFromEf(database, pending);
  for (const [index, script] of pending.entries()) {
    if (takenOver.has(script)) {
      say(`${index + 1} of ${pending.length}: ${script.name}: Entity Framework Core applied it before`);
      await database.recordApplied(script, wanted.releaseId);
      begun.adopted.push(script.name);
      continue;
    }
    const startedAt = Date.now();
    begun.scripts.set(script.name, null);
    say(`${index + 1} of ${pending.length}: ${script.name}`);
    await applyPatiently(database, script, wanted.releaseId, say).catch(async (error: unknown) => {
      if (error instanceof SessionLost) throw lostWith(script, error, begun);
      throw error instanceof ScriptFailed ? await withAdvice(error, database, wanted) : error;
    });
    begun.scripts.set(script.name, (Date.now() - startedAt) / 1000);
  }
  return conclude(wanted, await database.journal(), begun);
}

/** Before anything runs: refuses a database whose EF migrations contradict the scripts. */
async function takenOverFromEf(database: Database, pending: readonly Script[]): Promise<ReadonlySet<Script>> {
  const tables = new Map<string, ReadonlySet<string>>();
  const takenOver = new Set<Script>();
  for (const script of pending) {
    if (script.efMigration === null) continue;
    const { history } = script.efMigration;
    const key = JSON.stringify(history);
    const ids = tables.get(key) ?? (await database.migratedByEf(history));
    tables.set(key, ids);
    if (isAppliedByEf(script, ids)) takenOver.add(script);
  }
  return takenOver;
}

/** @throws MigrationRefused if another migration has the lock for too long. */
export async function lock(database: Database, { waitSeconds, say }: Waiting): Promise<void> {
  const onWait = (): void => say("another migration of this database is running: waiting for it");
  if (await database.lock(waitSeconds, onWait)) return;
  throw new MigrationRefused(
    `another migration is still running after ${waitSeconds} s: try again when it ends`,
  );
}

function isDone(wanted: Wanted, journal: readonly JournalRow[]): boolean {
  try {
    return planMigration(wanted, journal).pending.length === 0;
  } catch (error) {
    // It may be running now: only once its lock is free is it known to be interrupted.
    if (error instanceof ScriptRunning) return false;
    throw error;
  }
}

function conclude(wanted: Wanted, journal: readonly JournalRow[], begun: Begun): Migrated {
  const { pending, waiting, ahead, running } = planMigration(wanted, journal);
  if (pending.length > 0) {
    throw new Error(
      `the journal does not show that ${pending.map(({ name }) => name).join(", ")} was applied`,
    );
  }
  const applied = [...begun.scripts].map(([script, seconds]) => ({ script, seconds }));
  return { applied, adopted: begun.adopted, waiting, ahead, running };
}

interface Applied {
  readonly script: string;
  /** null if its connection was lost before its answer. */
  readonly seconds: number | null;
}

/** What this process began, over all its connections. */
export interface Begun {
  readonly scripts: Map<string, number | null>;
  readonly adopted: string[];
  /** Scripts that ran when a connection was lost. */
  readonly lost: Set<string>;
  /** The journal was read, and scripts are missing in it. */
  hasWork: boolean;
}

export function nothingBegun(): Begun {
  return { scripts: new Map(), adopted: [], lost: new Set(), hasWork: false };
}

/** A script that loses its session twice probably crashes the server: it fails and is not run again. */
function lostWith(script: Script, error: SessionLost, begun: Begun): Error {
  if (begun.lost.has(script.name)) {
    return new ScriptFailed(script.name, null, `${error.message}, as in the attempt before`);
  }
  begun.lost.add(script.name);
  return new SessionLost(`${script.name}: ${error.message}`);
}

/** Adds the command that resolves the script, if the journal has it as `running`. */
async function withAdvice(
  failed: ScriptFailed,
  database: Database,
  { resolveCommand }: Wanted,
): Promise<Error> {
  const left = (await database.journal()).some(
    ({ name, status }) => name === failed.script && status === "running",
  );
  if (!left) return failed;
  return failed.leftRunning(
    `; a part of it may be committed: check how far it got, then ${resolveCommand(failed.script)}`,
  );
}

async function applyPatiently(
  database: Database,
  script: Script,
  releaseId: string,
  say: (line: string) => void,
): Promise<void> {
  for (let attempt = 1, pause = FIRST_PAUSE_MS; ; attempt += 1, pause *= 2) {
    try {
      return await (script.transaction
        ? database.applyInTransaction(script, releaseId)
        : database.applyWithoutTransaction(script, releaseId));
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof ScriptFailed && error.isPassing)) throw error;
      say(`${error.message}; retrying in ${pause / 1000} s`);
      await sleep(pause);
    }
  }
}

/** Before anything runs. @throws InvalidInput if the bundle differs from the record, or a script can't be run. */
export function checkBundle(
  scripts: readonly Script[],
  { newest, contracts }: { readonly newest: string; readonly contracts: readonly string[] },
  dialect: Dialect,
): void {
  const last = scripts.at(-1)?.name;
  if (last !== newest) {
    throw new InvalidInput(`the bundle's last script is ${last ?? "none"}, the record says ${newest}`);
  }
  const inBundle = scripts.filter(({ phase }) => phase === "contract").map(({ name }) => name);
  const differing = [
    ...inBundle.filter((name) => !contracts.includes(name)),
    ...contracts.filter((name) => !inBundle.includes(name)),
  ];
  if (differing[0] !== undefined) {
    throw new InvalidInput(
      `bundle and record disagree on whether ${differing[0]} is a contract script: a release lists its bundle's contract scripts in "contracts"`,
    );
  }
  for (const script of scripts) {
    refuseUnreadable(script, dialect);
    refuseTransactionControl(script, dialect);
  }
}
