/**
 * A column with a default can't be dropped before its default constraint, which has a generated name if the script gave it
 * none. The most common contract script fails because of that.
 */
import { STRING } from "../lexer";
import type { TokenTable } from "../lexer";
import type { ObjectName } from "./object-name";
import { nameInString } from "./object-name";
import type { KnownColumn } from "./schema";

/** The longest table name with schema and database, in characters. */
const LONGEST_NAME = 600;

export class DefaultConstraints {
  private readonly dropped = new Set<string>();
  private dropsAny = false;
  /** The columns of the script's default constraints, by table and constraint name. */
  private readonly columns = new Map<string, string>();

  /** A default gets a name. */
  add(table: ObjectName, name: string, column: string): void {
    this.columns.set(`${table.key}.${name}`, column);
  }

  /** The column of a default constraint that the script created. */
  columnOf(table: ObjectName, name: string): string | null {
    return this.columns.get(`${table.key}.${name}`) ?? null;
  }

  /** A constraint of the table is dropped. */
  drop(table: ObjectName): void {
    this.dropped.add(table.key);
  }

  /** Finds dynamic SQL that drops constraints: `N'ALTER TABLE [Goals] DROP CONSTRAINT ' + @name`. */
  look(tokens: TokenTable, from: number, to: number): void {
    for (let index = from; index < to; index += 1) {
      if (tokens.kind(index) !== STRING) continue;
      const text = tokens.text(index);
      const found = /\bDROP\s+CONSTRAINT\b/i.exec(text);
      if (found === null) continue;
      const before = text.slice(Math.max(0, found.index - LONGEST_NAME), found.index);
      const [, table] = /\bALTER\s+TABLE\s+((?:\[(?:[^\]]|\]\])*\]|[\w.@#$])+)/i.exec(before) ?? [];
      if (table === undefined) this.dropsAny = true;
      else this.dropped.add(nameInString(`'${table}'`).key);
    }
  }

  /** How to drop the column; null if the script drops the constraint first, or the column has none. */
  advice(table: ObjectName, column: string, known: KnownColumn | null): string | null {
    if (this.dropsAny || this.dropped.has(table.key)) return null;
    if (known !== null && known.defaultName === undefined) return null;
    const has =
      known === null
        ? "if it has a DEFAULT, SQL Server drops it"
        : "it has a DEFAULT, so SQL Server drops it";
    const how =
      typeof known?.defaultName === "string"
        ? `DROP CONSTRAINT ${known.defaultName}, COLUMN ${column}`
        : "SQL Server generated its name, docs/migrations.md shows how to find it";
    return `${has} only after its default constraint: ${how}`;
  }
}
