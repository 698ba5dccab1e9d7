/**
 * Generates numbered scripts from the migrations of an EF Core project. Existing scripts stay, and new migrations get the
 * next numbers. A migration that already has a script must not change, move or be removed, because databases have it.
 */
import { InvalidInput } from "../../failure";
import { inOneLine } from "../../text";
import type { Script } from "../scripts";
import { tokens } from "../sql-text";
import type { Dialect, Token } from "../sql-text";
import { efHeader } from "../ef-history";
import type { EfMigration } from "../ef-history";

export interface EfProjectMigration extends EfMigration {
  /** EF's SQL for it without transactions, ready to run batch by batch. */
  readonly sql: string;
  readonly transaction: boolean;
}

interface NewScript {
  readonly id: string;
  readonly name: string;
  readonly content: string;
}

export interface Numbered {
  readonly added: readonly NewScript[];
  /** Differences between existing scripts and what EF would write today. */
  readonly differing: readonly string[];
}

/** `dotnet ef migrations add Contract_DropAuthor`: it waits until no release needs the old schema. */
const CONTRACT = /^contract_/i;
const LONGEST_NAME = 80;

/**
 * @param migrations of the project, in EF's order. @param written all scripts in the folder.
 * @param keepWritten whether to keep scripts that EF would write differently today.
 * @throws InvalidInput if a migration with a script was changed, removed or moved. Names the file and the fix.
 */
export function numberedScripts(
  migrations: readonly EfProjectMigration[],
  written: readonly Script[],
  { dialect, keepWritten }: { readonly dialect: Dialect; readonly keepWritten: boolean },
): Numbered {
  const fromEf = written.filter(({ efMigration }) => efMigration !== null);
  refuseOtherOrder(migrations, fromEf);
  const differing = fromEf.flatMap((script, index) => {
    const difference = differenceOf(script, migrations[index]!, dialect);
    return difference === null ? [] : [difference];
  });
  if (differing[0] !== undefined && !keepWritten) {
    throw new InvalidInput(
      `${differing[0]}: restore the migration and make the change in a new one; if no database has it, remove the file; if only EF Core was upgraded, use --keep-written`,
    );
  }
  const first = (written.at(-1)?.number ?? 0) + 1;
  const added = migrations
    .slice(fromEf.length)
    .map((migration, index) => newScript(migration, first + index));
  return { added, differing };
}

function refuseOtherOrder(migrations: readonly EfProjectMigration[], fromEf: readonly Script[]): void {
  for (const [index, { name, efMigration }] of fromEf.entries()) {
    const { id, baseline } = efMigration!;
    const here = migrations[index];
    if (here?.id === id) {
      if (!here.baseline || baseline) continue;
      throw new InvalidInput(
        `${name} was written without -- ef-baseline: add that line, or remove the file if no release has it`,
      );
    }
    if (!migrations.some((migration) => migration.id === id)) {
      throw new InvalidInput(
        `${name} was generated from ${id}, which is not in the project: restore the migration; if no database has it, remove the file`,
      );
    }
    throw new InvalidInput(
      `${here!.id} comes before ${id} in the project, but ${id} already is ${name}: make ${here!.id} the last one (dotnet ef migrations remove, and add it again); if no database has ${name}, remove the file`,
    );
  }
}

/** Comments do not count: a person reviews a statement in one. */
function differenceOf(script: Script, migration: EfProjectMigration, dialect: Dialect): string | null {
  const code = (sql: string): Token[] => {
    const all = [...tokens(sql, dialect)].filter(({ kind }) => kind !== "comment");
    // The EF Core version in the migration's row, which changes with updates of EF.
    const version = all.findLastIndex(({ kind }) => kind === "string");
    return all.filter((_, index) => index !== version);
  };
  const there = code(script.sql);
  const today = code(migration.sql);
  const at = there.findIndex((token, index) => spelled(token, dialect) !== spelled(today[index], dialect));
  if (at === -1 && there.length === today.length) return null;
  const index = at === -1 ? there.length : at;
  const line = there[index]?.line ?? there.at(-1)?.line ?? 1;
  return `${script.name}, line ${line}: it has ${shown(there[index])}, but EF now writes ${shown(today[index])} for ${migration.id}`;
}

/** EF numbers variables across the whole history (`@var2`), so the number is ignored. */
function spelled(token: Token | undefined, dialect: Dialect): string | null {
  if (token === undefined) return null;
  const isVariable = dialect === "mssql" && token.kind === "word" && token.text.startsWith("@");
  return isVariable ? token.text.replace(/\d+$/, "") : token.text;
}

function shown(token: Token | undefined): string {
  if (token === undefined) return "its end";
  const text = inOneLine(token.text);
  return text.length > 40 ? `${text.slice(0, 40)} ...` : text;
}

function newScript(migration: EfProjectMigration, number: number): NewScript {
  const { id, sql, transaction, baseline } = migration;
  const given = id.replace(/^\d{14}_/, "");
  // A baseline is no contract script: no release needs what it removed long ago.
  const isContract = CONTRACT.test(given) && !baseline;
  const text = (isContract ? given.replace(CONTRACT, "") : given)
    .replace(/[^0-9A-Za-z_]+/g, "-")
    .replace(/^[-_]+|[-_]+$/g, "")
    .slice(0, LONGEST_NAME);
  // In lower case, these words in a script's name are its phase. AddContract is about a contract, but not a contract script.
  const name = text.replace(/contract|expand/g, (word) => word[0]!.toUpperCase() + word.slice(1));
  const header = [
    efHeader(migration),
    ...(isContract ? ["-- phase: contract"] : []),
    ...(transaction ? [] : ["-- no-transaction"]),
  ];
  return {
    id,
    name: `${String(number).padStart(4, "0")}-${isContract ? "contract-" : ""}${name || "Migration"}.sql`,
    content: `${header.join("\n")}\n\n${sql}`,
  };
}
