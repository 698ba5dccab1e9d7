/**
 * The migrations that a release carries: numbered plain SQL files. An `expand` script adds what the new release needs
 * and takes nothing from the running one; a `contract` script takes away what no release needs any more.
 */
import { createHash } from "node:crypto";
import { InvalidInput } from "../failure";
import { ScriptName } from "../release";
import { quote } from "../text";
import { efMigrationOf } from "./ef-history";
import type { EfMigration } from "./ef-history";

type Phase = "expand" | "contract";

export interface Script {
  /** The file's name, as in `0002-goal-owner.sql`. */
  readonly name: string;
  readonly number: number;
  readonly phase: Phase;
  /** What says so: the header's `-- phase:`, else the name, else neither. */
  readonly phaseFrom: "header" | "name" | "default";
  /** Whether script and journal row are one transaction; `-- no-transaction` in the header says no. */
  readonly transaction: boolean;
  /** The EF Core migration that it was made from; null if it was written by hand. */
  readonly efMigration: EfMigration | null;
  /** Without byte order mark, lines end with `\n`. */
  readonly sql: string;
  /** Of `sql`, so that a checkout with other line ends is the same script. */
  readonly sha256: string;
}

const FOLDER = "migrations/";
const HEADER_LINE = /^[ \t]*(?:--|$)/;
/** `ScriptName` has it, too. */
const MAX_DIGITS = 6;
/** `0004-contract-goal-author.sql`, `0004-goal-author.contract.sql`: elsewhere in a name the word is one of its subject. */
const PHASE_IN_NAME = /^\d+[._-](expand|contract)[._-]|\.(expand|contract)\.sql$/;
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * @param files of a folder or a zip by their paths; scripts lie at the top or in `migrations/`, other files are none.
 * @returns the scripts in the order of their numbers.
 * @throws InvalidInput if a name, a number, the phase or the text is not as it must be.
 */
export function readScripts(files: ReadonlyMap<string, Uint8Array>): Script[] {
  const paths = [...files.keys()].filter((path) => /\.sql$/i.test(path));
  const folder = paths.some((path) => path.startsWith(FOLDER)) ? FOLDER : "";
  const scripts = paths
    .filter((path) => path.startsWith(folder))
    .map((path) => readScript(path.slice(folder.length), files.get(path)!))
    .sort((one, other) => one.number - other.number);
  for (const [index, { name, number }] of scripts.slice(1).entries()) {
    const before = scripts[index]!;
    if (number === before.number)
      throw new InvalidInput(`${before.name} and ${name} have one number: a number is one script`);
    if (number > before.number + 1) {
      throw new InvalidInput(
        `between ${before.name} and ${name} there is a gap: a script is missing, or ${name} has the wrong number`,
      );
    }
  }
  return scripts;
}

/** How many bytes of a bundle are looked at; more is no migration, but a mistake or an attack. */
export function refuseHugeFile(path: string, bytes: number): void {
  if (bytes > MAX_BYTES)
    throw new InvalidInput(`${quote(path)} has ${bytes} bytes: a script has at most ${MAX_BYTES}`);
}

/** @param name a checked script's name. */
export function numberOf(name: string): number {
  return Number(/^\d+/.exec(name)![0]);
}

function readScript(name: string, content: Uint8Array): Script {
  const digits = /^\d*/.exec(name)![0].length;
  if (digits > MAX_DIGITS && /\.sql$/i.test(name)) {
    throw new InvalidInput(
      `${quote(name)} has a number of ${digits} digits, as EF Core's migrations have: a script's has up to ${MAX_DIGITS}; \`bluegreen migrations from-ef\` makes numbered scripts of EF Core's migrations`,
    );
  }
  if (!ScriptName.safeParse(name).success) {
    throw new InvalidInput(
      `${quote(name)} is no script's name: a number of up to ${MAX_DIGITS} digits, then letters, digits, "-", "_" and ".", as in 0002-goal-owner.sql`,
    );
  }
  const sql = normalized(name, content);
  const header = headerOf(sql);
  return {
    name,
    number: numberOf(name),
    ...phaseOf(name, header),
    transaction: !/^[ \t]*--[ \t]*no-transaction[ \t]*$/m.test(header),
    efMigration: efMigrationOf(name, header),
    sql,
    sha256: createHash("sha256").update(sql).digest("hex"),
  };
}

/** The lines before the first statement: comments, and empty ones. A loop, as there may be millions. */
function headerOf(sql: string): string {
  let end = 0;
  while (end < sql.length) {
    const newLine = sql.indexOf("\n", end);
    const next = newLine === -1 ? sql.length : newLine + 1;
    if (!HEADER_LINE.test(sql.slice(end, newLine === -1 ? next : newLine))) break;
    end = next;
  }
  return sql.slice(0, end);
}

/** The header's word counts more than the name: a script on contracts may be called `0012-contract-table.sql`. */
function phaseOf(name: string, header: string): Pick<Script, "phase" | "phaseFrom"> {
  const [, said] = /^[ \t]*--[ \t]*phase:[ \t]*(\S+)[ \t]*$/m.exec(header) ?? [];
  if (said !== undefined && said !== "expand" && said !== "contract") {
    throw new InvalidInput(`${name}: phase ${quote(said)} is not known: expand or contract`);
  }
  if (said !== undefined) return { phase: said, phaseFrom: "header" };
  const inName = PHASE_IN_NAME.exec(name);
  if (inName === null) return { phase: "expand", phaseFrom: "default" };
  return { phase: (inName[1] ?? inName[2]) as Phase, phaseFrom: "name" };
}

/** SQL Server's tools save UTF-16, Windows ends lines with CRLF: neither makes another script. */
function normalized(name: string, content: Uint8Array): string {
  const mark = content.length < 2 ? 0 : content[0]! * 256 + content[1]!;
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(content);
  } catch {
    throw new InvalidInput(`${name} is not UTF-8: save it as that`);
  }
  if (text.includes("\0")) throw new InvalidInput(`${name} has NUL characters: it is no text`);
  return text.replace(/\r\n?/g, "\n");
}
