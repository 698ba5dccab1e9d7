/**
 * What a script has made so far, and so what no running release uses. What it makes under a condition is another
 * matter: the condition may have been false, and the thing as old as the database.
 */

/** What names a thing: its key tells it from others of its kind, the object is its name without a schema. */
export interface Named {
  readonly key: string;
  readonly object: string;
}

/** `sure`: made by this script. `asked`: under a condition that asks whether it is there. */
type Level = "sure" | "asked" | "unsure";

interface Entry {
  level: Level;
  /** Whether a condition around it asks for it. */
  readonly isAsked: boolean;
  facts: Facts;
}

/** Of a column. */
export interface Facts {
  /** Whether the database has a value where the running release names none. */
  readonly filled: boolean;
  /** Whether each row gets a value of its own. */
  readonly distinct: boolean;
  readonly notNull: boolean;
}

interface Branch {
  /** How much had been made when it began. */
  readonly mark: number;
  /** The words of the strings in its condition. */
  readonly asks: ReadonlySet<string>;
}

/** Of the conditions around a place: more are no migration. */
const LOOKED_AT = 16;

const NO_FACTS: Facts = { filled: false, distinct: false, notNull: false };

export class Made {
  private readonly entries = new Map<string, Entry>();
  private readonly log: Entry[] = [];
  private readonly branches: Branch[] = [];
  /** From when on nothing is sure any more: a RETURN under a condition, SET NOEXEC. */
  private doubted: "no" | "batch" | "script" = "no";

  get isConditional(): boolean {
    return this.branches.length > 0 || this.doubted !== "no";
  }

  /** How many conditions are around this place. */
  get depth(): number {
    return this.branches.length;
  }

  /** @param asks the words of the strings in the branch's condition, in lower case. */
  enter(asks: ReadonlySet<string>): void {
    this.branches.push({ mark: this.log.length, asks });
  }

  leave(): void {
    const { mark } = this.branches.pop()!;
    for (const entry of this.log.splice(mark))
      if (entry.level === "sure") entry.level = entry.isAsked ? "asked" : "unsure";
  }

  /** From here on a statement may not be reached: until the batch or the script ends. */
  doubt(until: "batch" | "script"): void {
    if (this.doubted !== "script") this.doubted = until;
  }

  endBatch(): void {
    if (this.doubted === "batch") this.doubted = "no";
  }

  /** Whether a condition around this place asks for a thing of this name. */
  isAskedFor(name: string): boolean {
    return this.branches.slice(-LOOKED_AT).some(({ asks }) => asks.has(name));
  }

  add(kind: string, { key, object }: Named): void {
    this.note(`${kind} ${key}`, object, NO_FACTS);
  }

  addColumn(table: Named, column: string, facts: Facts): void {
    this.note(`column ${table.key}.${column}`, column, facts);
  }

  remove(kind: string, { key }: Named): void {
    this.entries.delete(`${kind} ${key}`);
  }

  /** Whether this script made it, whatever was there before. */
  has(kind: string, { key }: Pick<Named, "key">): boolean {
    return this.entries.get(`${kind} ${key}`)?.level === "sure";
  }

  /** Also under a condition that asks for it. */
  hasOrAsked(kind: string, { key }: Pick<Named, "key">): boolean {
    return isForRules(this.entries.get(`${kind} ${key}`));
  }

  /** Whether no row was there before this script: a rule on it refuses nothing that the running release writes. */
  hasForRules(table: Named): boolean {
    return this.hasOrAsked("table", table);
  }

  hasColumn(table: Named, column: string): boolean {
    return this.entries.get(`column ${table.key}.${column}`)?.level === "sure";
  }

  /** What is known of a column that the running release never writes; null of one that it may write. */
  column(table: Named, column: string): Facts | null {
    const entry = this.entries.get(`column ${table.key}.${column}`);
    return isForRules(entry) ? entry!.facts : null;
  }

  setFacts(table: Named, column: string, facts: Facts): void {
    const entry = this.entries.get(`column ${table.key}.${column}`);
    if (entry !== undefined) entry.facts = facts;
  }

  private note(key: string, name: string, facts: Facts): void {
    const isAsked = this.isAskedFor(name);
    const entry: Entry = { level: this.doubted !== "no" ? "unsure" : "sure", isAsked, facts };
    this.entries.set(key, entry);
    this.log.push(entry);
  }
}

function isForRules(entry: Entry | undefined): boolean {
  return entry !== undefined && entry.level !== "unsure";
}
