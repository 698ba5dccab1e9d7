/**
 * The migrations of a release: numbered plain SQL files. An `expand` script adds what the new release needs and takes
 * nothing from the running one; a `contract` script removes what no release needs any more.
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
  /** The source of the phase: the header's `-- phase:`, the name, or neither. */
  readonly phaseFrom: "header" | "name" | "default";
  /** Whether script and journal row are one transaction; not with `-- no-transaction` in the header. */
  readonly transaction: boolean;
  /** The EF Core migration that it was generated from; null if it was written by hand. */
  readonly efMigration: EfMigration | null;
  /** Without byte order mark; lines end with `\n`. */
  readonly sql: string;
  /** Of `sql`, so that a checkout with different line ends is the same script. */
  readonly sha256: string;
}

const FOLDER = "migrations/";
const HEADER_LINE = /^[ \t]*(?:--|$)/;
/** Also in `ScriptName`. */
const MAX_DIGITS = 6;
/** `0004-contract-goal-author.sql`, `0004-goal-author.contract.sql`: elsewhere in a name the word has no meaning. */
const PHASE_IN_NAME = /^\d+[._-](expand|contract)[._-]|\.(expand|contract)\.sql$/;
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * @param files of a folder or a zip by path. Scripts are at the top or in `migrations/`; other files are ignored.
 * @returns the scripts in the order of their numbers.
 * @throws InvalidInput if a name, a number, the phase or the text is invalid.
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
      throw new InvalidInput(
        `${before.name} and ${name} have the same number: each script needs its own number`,
      );
    if (number > before.number + 1) {
      throw new InvalidInput(
        `between ${before.name} and ${name} there is a gap: a script is missing, or ${name} has the wrong number`,
      );
    }
  }
  return scripts;
}

/** Refuses a file that is too big for a migration: a mistake or an attack. */
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
      `${quote(name)} has a number of ${digits} digits, like EF Core's migrations, but a script has up to ${MAX_DIGITS}; \`bluegreen migrations from-ef\` generates numbered scripts from EF Core's migrations`,
    );
  }
  if (!ScriptName.safeParse(name).success) {
    throw new InvalidInput(
      `${quote(name)} is not a valid script name: a number of up to ${MAX_DIGITS} digits, then letters, digits, "-", "_" and ".", as in 0002-goal-owner.sql`,
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

/** The comments and empty lines before the first statement. A loop, because there may be millions. */
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

/** The header takes precedence over the name: a script about contracts may be called `0012-contract-table.sql`. */
function phaseOf(name: string, header: string): Pick<Script, "phase" | "phaseFrom"> {
  const [, phase] = /^[ \t]*--[ \t]*phase:[ \t]*(\S+)[ \t]*$/m.exec(header) ?? [];
  if (phase !== undefined && phase !== "expand" && phase !== "contract") {
    throw new InvalidInput(`${name}: phase ${quote(phase)} is unknown: use expand or contract`);
  }
  if (phase !== undefined) return { phase: phase, phaseFrom: "header" };
  const inName = PHASE_IN_NAME.exec(name);
  if (inName === null) return { phase: "expand", phaseFrom: "default" };
  return { phase: (inName[1] ?? inName[2]) as Phase, phaseFrom: "name" };
}

/** Normalizes UTF-16 (SQL Server's tools) and CRLF (Windows), so that they are the same script. */
function normalized(name: string, content: Uint8Array): string {
  const mark = content.length < 2 ? 0 : content[0]! * 256 + content[1]!;
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(content);
  } catch {
    throw new InvalidInput(`${name} is not UTF-8: save it as UTF-8`);
  }
  if (text.includes("\0")) throw new InvalidInput(`${name} has NUL characters, so it is not text`);
  return text.replace(/\r\n?/g, "\n");
}
