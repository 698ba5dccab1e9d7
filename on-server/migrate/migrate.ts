/**
 * Brings a database to what a bundle asks for: compares bundle and journal, refuses where they contradict each other,
 * and applies what is pending, in order, each script with its journal row.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Script } from "../../release/migrations/scripts";
import { statements } from "../../release/migrations/sql-text";
import type { Dialect } from "../../release/migrations/sql-text";
import type { Database, JournalRow } from "./databases/database";
import { MigrationRefused, ScriptRefused } from "./exit-code";

/** A script that met a lock is tried again: its transaction left nothing. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;

export interface Wanted {
  readonly scripts: readonly Script[];
  /** The contract scripts that may run; the others wait. */
  readonly contracted: readonly string[];
  readonly releaseId: string;
  /** What a person runs to say what became of a script that is `running`. */
  readonly resolveCommand: (script: string) => string;
}

export interface Plan {
  readonly pending: readonly Script[];
  /** Contract scripts that still take away what somebody needs. */
  readonly waiting: readonly string[];
  /** Scripts that only the journal knows, beyond the bundle's last: a later release brought them. */
  readonly ahead: readonly string[];
}

/** @throws MigrationRefused where bundle and journal contradict each other. */
export function planMigration(
  { scripts, contracted, resolveCommand }: Wanted,
  journal: readonly JournalRow[],
): Plan {
  const left = journal.find(({ status }) => status === "running");
  if (left !== undefined) {
    throw new MigrationRefused(
      `${left.name} began at ${left.started} with ${left.release} and did not come to its end: look how far it got, then ${resolveCommand(left.name)}`,
    );
  }
  const newest = scripts.at(-1)?.number ?? 0;
  for (const row of journal.filter(({ number }) => number <= newest)) {
    const script = scripts.find(({ number }) => number === row.number);
    if (script === undefined || script.name !== row.name) {
      throw new MigrationRefused(
        `${row.name} was applied with ${row.release}, and this bundle ${script === undefined ? "does not have it" : `has ${script.name} in its place`}: release from a checkout that has both`,
      );
    }
    if (script.sha256 !== row.sha256) {
      throw new MigrationRefused(
        `${row.name} was changed after it was applied with ${row.release}: put it back, and write the change as the next script`,
      );
    }
  }
  const applied = new Set(journal.map(({ number }) => number));
  const missing = scripts.filter(({ number }) => !applied.has(number));
  const pending = missing.filter(({ phase, name }) => phase === "expand" || contracted.includes(name));
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
    ahead: journal.filter(({ number }) => number > newest).map(({ name }) => name),
  };
}

export interface Applied {
  readonly script: string;
  readonly seconds: number;
}

/** @throws ScriptFailed, after which the database is as before that script (with `-- no-transaction`: not known). */
export async function applyAll(
  database: Database,
  pending: readonly Script[],
  releaseId: string,
  say: (line: string) => void,
): Promise<Applied[]> {
  const applied: Applied[] = [];
  for (const [index, script] of pending.entries()) {
    const startedAt = Date.now();
    say(`${index + 1} of ${pending.length}: ${script.name}`);
    if (script.transaction) await applyPatiently(database, script, releaseId, say);
    else await database.applyWithoutTransaction(script, releaseId);
    applied.push({ script: script.name, seconds: (Date.now() - startedAt) / 1000 });
  }
  return applied;
}

async function applyPatiently(
  database: Database,
  script: Script,
  releaseId: string,
  say: (line: string) => void,
): Promise<void> {
  for (let attempt = 1, pause = FIRST_PAUSE_MS; ; attempt += 1, pause *= 2) {
    try {
      return await database.applyInTransaction(script, releaseId);
    } catch (error) {
      if (attempt === ATTEMPTS || !database.isPassing(error)) throw error;
      say(`${(error as Error).message}; again in ${pause / 1000} s`);
      await sleep(pause);
    }
  }
}

/** Before anything runs. @throws ScriptRefused where the bundle is not what the record says, or a script can't be run. */
export function checkBundle(
  scripts: readonly Script[],
  { newest, contracts }: { readonly newest: string; readonly contracts: readonly string[] },
  dialect: Dialect,
): void {
  const last = scripts.at(-1)?.name;
  if (last !== newest) {
    throw new ScriptRefused(`the bundle's last script is ${last ?? "none"}, the record says ${newest}`);
  }
  const inBundle = scripts.filter(({ phase }) => phase === "contract").map(({ name }) => name);
  const differing = [
    ...inBundle.filter((name) => !contracts.includes(name)),
    ...contracts.filter((name) => !inBundle.includes(name)),
  ];
  if (differing[0] !== undefined) {
    throw new ScriptRefused(
      `bundle and record disagree whether ${differing[0]} is a contract script: a release lists those of its bundle in "contracts"`,
    );
  }
  if (dialect === "postgres") for (const script of scripts) refuseTransactionControl(script);
}

/** Its own COMMIT would part a script from its journal row. */
function refuseTransactionControl({ name, sql, transaction }: Script): void {
  if (!transaction) return;
  const control = statements(sql).find(({ text }) =>
    /^(BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK|END|ABORT)\b(?!\s+TO\b)/i.test(withoutComments(text)),
  );
  if (control !== undefined) {
    throw new ScriptRefused(
      `${name}, line ${control.line}: a script runs in one transaction with its journal row; leave out ${withoutComments(control.text).split(/\s/, 1)[0]}, or say -- no-transaction in its first lines`,
    );
  }
}

function withoutComments(text: string): string {
  return text.replace(/^(?:\s+|--[^\n]*\n|\/\*[^]*?\*\/)+/, "");
}
