/** Names of a database's objects, so that `[dbo].[N]`, `DBO.n` and `n` are one. */
import type { Cursor } from "./cursor";
import { literal, unquoted } from "./cursor";

export interface ObjectName {
  /** In lower case, with its schema: `dbo.n`. A temporary table is `#t`, a table variable `@t`. */
  readonly key: string;
  /** In lower case, without its schema. */
  readonly object: string;
  /** As it is written. */
  readonly shown: string;
}

/** Of a name in a string, in characters: SQL Server takes 128 for each of up to four parts. */
const LONGEST = 1_200;
const DEFAULT_SCHEMA = "dbo";

/** A name of one to four parts, `master..t` included. @returns null, without moving, where no name comes next. */
export function readName(cursor: Cursor): ObjectName | null {
  if (!cursor.isNamePart()) return null;
  const parts = [cursor.text()];
  cursor.next();
  while (cursor.is(".")) {
    cursor.next();
    if (cursor.is(".")) parts.push("");
    else if (cursor.isNamePart()) {
      parts.push(cursor.text());
      cursor.next();
    } else break;
  }
  return named(parts);
}

/** The name in a string, as in `sp_rename N'[dbo].[Goals]'`. */
export function nameInString(text: string): ObjectName {
  return named(
    literal(text.length > LONGEST ? `${text.slice(0, LONGEST)}'` : text).match(
      /\[(?:[^\]]|\]\])*\]|"[^"]*"|[^.]+/g,
    ) ?? [""],
  );
}

/** What lives as long as a session does, and is nobody else's. */
export function isTemporary({ object }: ObjectName): boolean {
  return /^[#@]/.test(object);
}

function named(written: readonly string[]): ObjectName {
  const parts = written.map((part) => unquoted(part).toLowerCase());
  const object = parts.at(-1)!;
  const shown = written.join(".");
  if (/^[#@]/.test(object)) return { key: object, object, shown };
  const schema = parts.at(-2) || DEFAULT_SCHEMA;
  const database = parts.at(-3) || "";
  return { key: `${database === "" ? "" : `${database}.`}${schema}.${object}`, object, shown };
}
