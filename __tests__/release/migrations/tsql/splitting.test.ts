/** Our batches compared with those of Management Studio's parser, for the scripts in `data/scripts.json`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidInput } from "../../../../release/failure";
import { readScripts } from "../../../../release/migrations/scripts";
import { batches } from "../../../../release/migrations/sql-text";

interface Case {
  readonly sql?: string;
  readonly base64?: string;
  readonly batches?: readonly (readonly [string, number])[];
  readonly error?: true;
}

const { splitting } = JSON.parse(readFileSync(join(__dirname, "data/scripts.json"), "utf8")) as {
  readonly splitting: Readonly<Record<string, Case>>;
};

/** What we refuse and Management Studio does not: it sends a misspelt GO as a name. */
const STRICTER: Readonly<Record<string, RegExp>> = {
  semi: /line 2: GO;/,
  semiProc: /line 2: GO;/,
  ff: /line 2: GO/,
  ffAfter: /line 2: GO/,
  nbspBefore: /line 2: GO/,
  nbspAfter: /line 2: GO/,
  // Read as Windows-1252, each é would reach the database as another character.
  cp1252: /is not UTF-8/,
};

function split(sql: Uint8Array): [string, number][] {
  const [script] = readScripts(new Map([["1-a.sql", sql]]));
  return batches(script!.sql).map(({ text, repeat }) => [text, repeat]);
}

/** Line ends and blanks at a batch's ends are ignored; an empty batch is not sent. */
function essential(found: readonly (readonly [string, number])[]): [string, number][] {
  return found
    .map(([text, repeat]): [string, number] => [text.replace(/\r\n?/g, "\n").trim(), repeat])
    .filter(([text]) => /[^\s;]/.test(text.replace(/--[^\n]*/g, "")));
}

test.each(Object.entries(splitting))("%s", (name, { sql, base64, batches: expected, error }) => {
  const bytes = sql === undefined ? Buffer.from(base64!, "base64") : Buffer.from(sql);
  const stricter = STRICTER[name];
  if (error === true || stricter !== undefined) {
    expect(() => split(bytes)).toThrow(InvalidInput);
    expect(() => split(bytes)).toThrow(stricter ?? /line \d+: /);
  } else {
    expect(split(bytes)).toEqual(essential(expected!));
  }
});
