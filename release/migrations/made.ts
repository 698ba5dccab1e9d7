/**
 * What a script has created so far, and so no running release uses. Objects created under a condition are less certain: the
 * condition may have been false, and the object may be as old as the database.
 */

/** The name of an object: the key is unique among its kind, `object` is the name without a schema. */
export interface Named {
  readonly key: string;
  readonly object: string;
}

/** `sure`: created by this script. `asked`: created under a condition that checks whether it exists. */
type Level = "sure" | "asked" | "unsure";

interface Entry {
  level: Level;
  /** Whether a condition around it checks for it. */
  readonly isAsked: boolean;
  facts: Facts;
}

/** Facts about a column. */
export interface Facts {
  /** Whether the database fills in a value if the running release gives none. */
  readonly filled: boolean;
  /** Whether each row gets a unique value. */
  readonly distinct: boolean;
  readonly notNull: boolean;
}

interface Branch {
  /** The length of the log when it began. */
  readonly mark: number;
  /** The words of the strings in its condition. */
  readonly asks: ReadonlySet<string>;
}

/** The innermost conditions that are checked; no real migration nests deeper. */
const CHECKED_BRANCHES = 16;

const NO_FACTS: Facts = { filled: false, distinct: false, notNull: false };

export class Made {
  private readonly entries = new Map<string, Entry>();
  private readonly log: Entry[] = [];
  private readonly branches: Branch[] = [];
  /** Set once later statements may not run: after a RETURN under a condition, or SET NOEXEC. */
  private doubted: "no" | "batch" | "script" = "no";

  get isConditional(): boolean {
    return this.branches.length > 0 || this.doubted !== "no";
  }

  /** The number of conditions around this place. */
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

  /** From here on, statements may not be reached, until the batch or the script ends. */
  doubt(until: "batch" | "script"): void {
    if (this.doubted !== "script") this.doubted = until;
  }

  endBatch(): void {
    if (this.doubted === "batch") this.doubted = "no";
  }

  /** Whether a condition around this place checks for an object of this name. */
  isAskedFor(name: string): boolean {
    return this.branches.slice(-CHECKED_BRANCHES).some(({ asks }) => asks.has(name));
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

  /** Whether this script created it. */
  has(kind: string, { key }: Pick<Named, "key">): boolean {
    return this.entries.get(`${kind} ${key}`)?.level === "sure";
  }

  /** Also if it was created under a condition that checks for it. */
  hasOrAsked(kind: string, { key }: Pick<Named, "key">): boolean {
    return isForRules(this.entries.get(`${kind} ${key}`));
  }

  /** Whether the table had no rows before this script: constraints on it refuse nothing that the running release writes. */
  hasForRules(table: Named): boolean {
    return this.hasOrAsked("table", table);
  }

  hasColumn(table: Named, column: string): boolean {
    return this.entries.get(`column ${table.key}.${column}`)?.level === "sure";
  }

  /** The facts about a column that the running release never writes; null if it may write it. */
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
