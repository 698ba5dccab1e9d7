/**
 * Walks over a T-SQL script, statement by statement, and says what the running release loses by it. Blocks and conditions
 * are a stack, not a recursion: a script may nest them as deep as it likes.
 */
import type { Finding, Kind, Level } from "../finding";
import { inOneLine } from "../../text";
import type { Script } from "../scripts";
import { InvalidInput } from "../../failure";
import { STRING, WORD } from "../lexer";
import type { Code } from "./cursor";
import { Cursor, literal, readCode } from "./cursor";
import { deleteRows, merge, select, truncate, update } from "./data";
import { DefaultConstraints } from "./default-constraints";
import { execute, hasOpenVariable } from "./execute";
import { Made } from "../made";
import { alter, create, drop } from "./objects";
import { permission } from "./permissions";
import { Replacements } from "./replacements";
import type { Schema } from "./schema";
import { beginsBlock, beginsStatement, walk } from "./statement-end";
import type { Subject } from "./subject";
import { UNKNOWN } from "./subject";
import { switchTriggers } from "./triggers";
import { Transactions } from "./transactions";

/** A statement, and where a person may have said that they looked at it. */
interface Place {
  readonly code: Code;
  readonly token: number;
  /** Behind the batch's last token. */
  readonly end: number;
  /** Added to a line of its text. */
  readonly offset: number;
  /** The statement that runs this text. */
  readonly within: Place | null;
}

interface Note {
  readonly place: Place;
  readonly level: Level;
  readonly kind: Kind;
  readonly message: string;
}

type Frame = "block" | "branch" | "plain block";

/** Nested texts, `EXEC('EXEC(''...'')')`: each level doubles the quotes. */
const DEEPEST = 8;
/** Statements that are not known: of more than this, no person reads the notes. */
const MOST_UNKNOWN = 200;

/** They begin a statement, but as other words they are names. */
const OTHERS: ReadonlySet<string> = new Set(["ADD", "WITH", "THROW"]);
/** What they do is not looked at. */
const UNKNOWN_VERBS: ReadonlySet<string> = new Set(
  "ADD BACKUP BULK DBCC RECONFIGURE RESTORE UPDATETEXT USE WRITETEXT".split(" "),
);

/** @param schema what earlier scripts of the bundle made; it learns what this one makes. */
export function lintTsql(script: Script, schema: Schema): Finding[] {
  return new ScriptReader(script, schema).read();
}

class ScriptReader implements Subject {
  readonly made = new Made();
  readonly replacements: Replacements;
  readonly defaults = new DefaultConstraints();
  readonly isContract: boolean;
  isFirst = false;
  private readonly notes: Note[] = [];
  private readonly transactions: Transactions;
  private unknown = 0;
  private place!: Place;

  constructor(
    private readonly script: Script,
    readonly schema: Schema,
  ) {
    this.isContract = script.phase === "contract";
    this.replacements = new Replacements(this.made, script.transaction);
    this.transactions = new Transactions(script.transaction);
  }

  read(): Finding[] {
    this.readCode(readCode(this.script.sql), 0, null);
    this.replacements.finish();
    // Where a module swallows the rest of its batch, what ends a transaction may be in it.
    if (!this.notes.some(({ level }) => level === "fails")) this.transactions.finish();
    const seen = new Set<string>();
    return this.notes
      .filter(({ level }) => !this.isContract || level === "fails" || level === "advice")
      .filter((note) => note.level === "fails" || !isReviewed(note.place))
      .map((note) => ({ note, line: lineOf(note.place) }))
      .sort((one, other) => one.line - other.line)
      .filter(({ note: { place, level }, line }) =>
        isFirstOf(seen, `${line} ${outermost(place).token} ${level}`),
      )
      .map(({ note: { place, level, kind, message }, line }) => ({
        script: this.script.name,
        line,
        level,
        kind,
        message: `${beginning(place)}: ${message}`,
      }));
  }

  report(level: Level, message: string, { kind, token }: { kind?: Kind; token?: number } = {}): void {
    this.note(token === undefined ? this.place : { ...this.place, token }, level, message, kind);
  }

  here(): (level: Level, message: string, kind?: Kind) => void {
    const { place } = this;
    return (level, message, kind) => this.note(place, level, message, kind);
  }

  look(text: string, line: number): void {
    const { place, isFirst } = this;
    const depth = depthOf(place);
    if (depth >= DEEPEST) return this.report("unknown", "runs a text in a text in a text: look what it does");
    let code: Code;
    try {
      code = readCode(text);
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      return this.report("unknown", "runs a text that can't be read as it stands here: look what it does");
    }
    const before = this.notes.length;
    this.readCode(code, place.offset + line - 1, place);
    this.place = place;
    this.isFirst = isFirst;
    let isKnown = false;
    for (let index = before; index < this.notes.length; index += 1)
      isKnown ||= this.notes[index]!.level === "breaks";
    if (!isKnown && hasOpenVariable(code.table))
      this.report("unknown", "runs a text with variables in it: look what it does");
  }

  private note(place: Place, level: Level, message: string, kind: Kind = "other"): void {
    if (level === "unknown" && (this.unknown += 1) > MOST_UNKNOWN) return;
    this.notes.push({ place, level, kind, message });
  }

  private readCode(code: Code, offset: number, within: Place | null): void {
    for (const [from, to] of code.batches) {
      if (this.isContract) this.defaults.look(code.table, from, to);
      const batch = new BatchReader(
        new Cursor(code.table, from, to),
        this,
        this.transactions,
        (token, isFirst) => {
          this.place = { code, token, end: to, offset, within };
          this.isFirst = isFirst;
          code.reviews.begins(token);
        },
      );
      batch.read();
      if (within === null) this.made.endBatch();
    }
  }
}

class BatchReader {
  private readonly frames: Frame[] = [];
  /** What the last condition asks for: its ELSE is about the same. */
  private asks: ReadonlySet<string> = new Set();

  /** @param begins hears of each statement's first token. */
  constructor(
    private readonly cursor: Cursor,
    private readonly subject: Subject,
    private readonly transactions: Transactions,
    private readonly begins: (token: number, isFirst: boolean) => void,
  ) {}

  read(): void {
    const { cursor } = this;
    for (let isFirst = true; !cursor.done;) {
      if (cursor.take(";")) continue;
      const start = cursor.position;
      this.begins(start, isFirst);
      isFirst = false;
      if (this.structure()) continue;
      this.statement();
      if (cursor.position === start) cursor.next();
      walk(cursor);
      this.endStatement();
    }
    while (this.frames.length > 0) this.pop();
  }

  /** Whether there is a condition, a block's begin or end, or a label here: then it is read. */
  private structure(): boolean {
    const { cursor } = this;
    switch (cursor.word()) {
      case "IF":
      case "WHILE":
        cursor.next();
        this.asks = this.condition();
        this.push("branch");
        return true;
      case "ELSE":
        cursor.next();
        this.push("branch");
        return true;
      case "BEGIN":
        if (!beginsBlock(cursor)) return false;
        cursor.next();
        if (cursor.is("TRY") || cursor.is("CATCH")) {
          cursor.next();
          this.push("block");
        } else this.frames.push("plain block");
        return true;
      case "END":
        cursor.next();
        if (cursor.is("TRY") || cursor.is("CATCH")) cursor.next();
        else if (cursor.is("CONVERSATION")) return true;
        while (this.frames.at(-1) === "branch") this.pop();
        if (this.frames.length > 0) this.pop();
        this.endStatement();
        return true;
      default:
        if (!cursor.isNamePart() || cursor.word(1) !== ":" || cursor.word(2) === ":") return false;
        cursor.next();
        cursor.next();
        return true;
    }
  }

  /** @returns the words in its strings. */
  private condition(): Set<string> {
    const { cursor } = this;
    const { table } = cursor;
    const start = cursor.position;
    walk(cursor, (word) => word === "WITH");
    const asks = new Set<string>();
    for (let index = start; index < cursor.position; index += 1) {
      if (table.kind(index) !== STRING) continue;
      for (const word of literal(table.text(index)).split(/[^\p{L}\p{N}_@#$]+/u))
        asks.add(word.toLowerCase());
    }
    return asks;
  }

  private push(frame: "block" | "branch"): void {
    this.frames.push(frame);
    this.subject.made.enter(this.asks);
  }

  private pop(): void {
    if (this.frames.pop() !== "plain block") this.subject.made.leave();
  }

  /** A condition holds for one statement, or for one block. */
  private endStatement(): void {
    while (this.frames.at(-1) === "branch") this.pop();
  }

  private statement(): void {
    const { cursor, subject } = this;
    const word = cursor.word();
    const { made } = subject;
    if (!cursor.isNamePart()) return subject.report("unknown", UNKNOWN);
    if (cursor.kind() !== WORD || !(beginsStatement(cursor) || OTHERS.has(word))) {
      // The first statement of a batch may be a procedure's name alone.
      return subject.isFirst && !OTHERS.has(word)
        ? execute(cursor, subject)
        : subject.report("unknown", UNKNOWN);
    }
    cursor.next();
    switch (word) {
      case "WITH":
        walk(cursor);
        if (beginsStatement(cursor)) this.statement();
        return;
      case "CREATE":
        return create(cursor, subject);
      case "ALTER":
        return alter(cursor, subject);
      case "DROP":
        return drop(cursor, subject);
      case "DELETE":
        return deleteRows(cursor, subject);
      case "TRUNCATE":
        return truncate(cursor, subject);
      case "MERGE":
        return merge(cursor, subject);
      case "UPDATE":
        return update(cursor);
      case "SELECT":
        return select(cursor, subject);
      case "EXEC":
      case "EXECUTE":
        return execute(cursor, subject);
      case "GRANT":
      case "DENY":
      case "REVOKE":
        return permission(cursor, subject, word);
      case "DISABLE":
      case "ENABLE":
        return switchTriggers(cursor, subject, { on: word === "ENABLE" });
      case "KILL":
      case "SHUTDOWN":
        return subject.report("breaks", "ends sessions of the running release");
      case "BEGIN":
      case "COMMIT":
      case "ROLLBACK":
        if (word === "BEGIN" && /^(?:DIALOG|CONVERSATION)$/.test(cursor.word())) return;
        return this.transactions.hear(
          word,
          (
            (say) => (message: string) =>
              say("unknown", message)
          )(subject.here()),
        );
      case "RETURN":
      case "GOTO":
        return made.doubt("batch");
      case "SET":
        if (/^(?:NOEXEC|PARSEONLY)$/.test(cursor.word()) && cursor.word(1) === "ON") made.doubt("script");
        return;
      default:
        if (UNKNOWN_VERBS.has(word)) subject.report("unknown", UNKNOWN);
    }
  }
}

function isReviewed({ code, token, within }: Place): boolean {
  return code.reviews.has(token) || (within !== null && isReviewed(within));
}

function outermost(place: Place): Place {
  return place.within === null ? place : outermost(place.within);
}

function depthOf({ within }: Place): number {
  return within === null ? 0 : depthOf(within) + 1;
}

function lineOf({ code, token, offset }: Place): number {
  return code.table.line(token) + offset;
}

function isFirstOf(seen: Set<string>, key: string): boolean {
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

/** Of a statement: enough to find it in its line. */
const SHOWN_TOKENS = 6;
const LONGEST_START = 200;

function beginning({ code: { table }, token, end }: Place): string {
  let text = "";
  let index = token;
  for (; index < end && index < token + SHOWN_TOKENS && table.text(index) !== ";"; index += 1) {
    if (index > token && table.end(index - 1) < table.start(index)) text += " ";
    text += table.sql.slice(
      table.start(index),
      Math.min(table.end(index), table.start(index) + LONGEST_START),
    );
  }
  const isWhole = index >= end || table.text(index) === ";";
  const line = inOneLine(text);
  return isWhole && line.length <= LONGEST_START ? line : `${line.slice(0, LONGEST_START)} ...`;
}
