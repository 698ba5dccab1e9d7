/**
 * One session of the scripted SQL Server: transactions with XACT_ABORT, implicit ones, impersonation, temporary tables,
 * application locks, and the migrator's statements on its journal. Of these it refuses what a real server refuses, with the
 * same number.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../tds-server/answers";
import type { TdsSession } from "../tds-server/connection";
import type { TdsRequest } from "../tds-server/requests";
import type { SqlError } from "../tds-server/tokens";
import type { Change, Data, JournalEntry } from "./data";
import { statementsOf } from "./statements";
import type { Statement } from "./statements";

/** The state that all sessions of a server share. */
export interface World {
  data: Data;
  /** The databases that were created here. A login may name others, too. */
  readonly databases: Set<string>;
  /** The application locks, each with its session. */
  readonly locks: Map<string, ScriptedSession>;
  /** A fault to inject instead of the statement; null: run it. */
  readonly script: (statement: string, session: ScriptedSession) => Promise<Happening | null>;
  readonly transactionId: () => number;
}

/** Errors come before one DONE. */
export type Happening = { readonly errors: readonly SqlError[] } | { readonly disconnect: "fin" | "rst" };

class Failed extends Error {
  constructor(readonly errors: readonly SqlError[]) {
    super(errors[0]!.message);
  }
}

export class ScriptedSession implements TdsSession {
  private depth = 0;
  private id = 0;
  private changes: Change[] = [];
  private isImplicit = false;
  private impersonated: string[] = [];
  private database: string;
  private readonly temporary = new Set<string>();

  constructor(
    private readonly world: World,
    private readonly loginDatabase: string,
  ) {
    this.database = loginDatabase;
  }

  async request({ sql, parameters }: TdsRequest, cancelled: AbortSignal): Promise<readonly Answer[]> {
    const answer = this.answerToMigrator(sql, parameters as Record<string, string | number | null>);
    if (answer !== null) return answer;
    const answers: Answer[] = [];
    for (const statement of statementsOf(sql)) {
      try {
        const happening = await this.world.script(statement.text, this);
        if (happening !== null && "disconnect" in happening) return [...answers, happening];
        if (happening !== null) throw new Failed(happening.errors);
        answers.push(...(await this.perform(statement, cancelled)));
        if (cancelled.aborted) return answers;
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        // XACT_ABORT ON: the error rolls back the transaction and ends the batch.
        const ended = this.depth > 0 ? [{ envChange: "rollback" as const }] : [];
        this.rollBack();
        const errors = error.errors.map((each) => ({ line: statement.line, ...each }));
        return [...answers, { error: errors }, ...ended];
      }
    }
    return answers.length === 0 ? [{ done: true }] : answers;
  }

  closed(): void {
    this.rollBack();
    for (const [resource, holder] of this.world.locks) if (holder === this) this.world.locks.delete(resource);
  }

  /** What this session sees: its changes and all committed data. */
  private get seen(): Data {
    return this.world.data.with(this.changes);
  }

  private change(change: Change): void {
    if (this.depth === 0 && this.isImplicit) this.begin();
    if (this.depth === 0) change(this.world.data);
    else this.changes.push(change);
  }

  private begin(): Answer[] {
    this.depth += 1;
    if (this.depth > 1) return [{ done: true }];
    this.id = this.world.transactionId();
    return [{ envChange: "beginTransaction" }];
  }

  private commit(line: number): Answer[] {
    if (this.depth === 0)
      throw failed(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.", line);
    this.depth -= 1;
    if (this.depth > 0) return [{ done: true }];
    for (const change of this.changes) change(this.world.data);
    this.changes = [];
    return [{ envChange: "commit" }];
  }

  private rollBack(): void {
    this.depth = 0;
    this.changes = [];
  }

  /** The migrator's statements, which have parameters or return rows. */
  private answerToMigrator(sql: string, values: Record<string, string | number | null>): Answer[] | null {
    if (/^set ansi_nulls on/.test(sql)) return [{ done: true }];
    if (/^IF DB_NAME\(\) <>/.test(sql)) {
      const moved = this.database !== this.loginDatabase;
      this.database = this.loginDatabase;
      this.isImplicit = false;
      return moved ? [{ database: this.loginDatabase }] : [{ done: true }];
    }
    const lock = /sp_(get|release)applock @Resource = N'([^']*)'/.exec(sql);
    if (lock !== null) return this.lock(lock[1] === "get", lock[2]!);
    if (/@@TRANCOUNT AS depth/.test(sql)) {
      const state = this.depth > 0 ? 1 : 0;
      return row({
        depth: this.depth,
        state,
        id: String(this.depth > 0 ? this.id : this.world.transactionId()),
      });
    }
    const database = this.onDatabases(sql, values);
    if (database !== null) return database;
    const object = /^SELECT OBJECT_ID\(N'([^']*)'/.exec(sql);
    if (object !== null) return row({ [/AS (\w+)$/.exec(sql)![1]!]: this.has(object[1]!) ? 1 : null });
    if (/FROM \S*__EFMigrationsHistory/.test(sql)) {
      return [
        rows(
          ["id"],
          (this.world.data.efHistory ?? []).map((id) => ({ id })),
        ),
      ];
    }
    return /dbo\.bluegreen_migrations/.test(sql) ? this.onJournal(sql, values) : null;
  }

  /** Base creates a database. Databases are only names here: all have the same data. */
  private onDatabases(sql: string, values: Record<string, string | number | null>): Answer[] | null {
    const { databases } = this.world;
    if (sql.startsWith("SELECT DB_ID(@name)"))
      return row({ id: databases.has(String(values["name"])) ? 5 : null });
    const [, verb, name] = /\b(CREATE|ALTER|DROP) DATABASE \[([^\]]+)\]/.exec(sql) ?? [];
    if (verb === undefined) return null;
    if (verb === "CREATE") databases.add(name!);
    if (verb === "DROP") databases.delete(name!);
    return [{ done: true }];
  }

  private lock(get: boolean, resource: string): Answer[] {
    const { locks } = this.world;
    if (!get) {
      if (locks.get(resource) === this) locks.delete(resource);
      return [{ done: true }];
    }
    const holder = locks.get(resource);
    if (holder === undefined) locks.set(resource, this);
    return row({ result: holder === undefined || holder === this ? 0 : -1 });
  }

  private has(name: string): boolean {
    if (/__EFMigrationsHistory/.test(name)) return this.seen.efHistory !== null;
    return this.database === this.loginDatabase && this.seen.hasJournal;
  }

  private onJournal(sql: string, values: Record<string, string | number | null>): Answer[] {
    if (this.impersonated.length > 0) {
      return [
        {
          error: {
            number: 229,
            message: `The permission was denied on the object 'bluegreen_migrations' to ${this.impersonated.at(-1)}.`,
          },
        },
      ];
    }
    if (/CREATE TABLE/.test(sql)) {
      this.change((data) => (data.hasJournal = true));
      return [{ done: true }];
    }
    if (!this.has("dbo.bluegreen_migrations")) {
      return [{ error: { number: 208, message: "Invalid object name 'dbo.bluegreen_migrations'." } }];
    }
    if (/^SELECT/.test(sql)) {
      const all = [...this.seen.journal.values()].sort((one, other) => one.number - other.number);
      return [rows(Object.keys(all[0] ?? { number: 0 }), all)];
    }
    const now = new Date().toISOString();
    const name = String(values["name"]);
    if (/^INSERT/.test(sql)) {
      if (this.seen.journal.has(name)) {
        return [
          { error: { number: 2627, message: `Violation of PRIMARY KEY constraint: ${name} is there.` } },
        ];
      }
      const entry = { ...values, started: now, finished: null, status: "running" } as unknown as JournalEntry;
      this.change((data) => data.journal.set(name, entry));
      return [{ rowCount: 1 }];
    }
    const found = this.seen.journal.get(name);
    const isMeant =
      found !== undefined &&
      (!/status = 'running'$|status = 'running';/.test(sql) || found.status === "running");
    if (isMeant && /^DELETE/.test(sql)) this.change((data) => data.journal.delete(name));
    else if (isMeant)
      this.change((data) => data.journal.set(name, { ...found, status: "applied", finished: now }));
    return [{ rowCount: isMeant ? 1 : 0 }, ...row({ changed: isMeant ? 1 : 0 })];
  }

  private async perform({ words, text, line }: Statement, cancelled: AbortSignal): Promise<Answer[]> {
    const [first, second, third] = words;
    const start = `${first} ${second ?? ""}`.trim();
    if (first === "BEGIN" && /^TRAN/.test(second ?? "")) return this.begin();
    if (first === "COMMIT") return this.commit(line);
    if (first === "ROLLBACK") {
      if (this.depth === 0)
        throw failed(3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.", line);
      this.rollBack();
      return [{ envChange: "rollback" }];
    }
    if (start === "SET IMPLICIT_TRANSACTIONS") {
      this.isImplicit = third === "ON";
      return [{ done: true }];
    }
    if (/^EXEC(UTE)? AS$/.test(start)) {
      this.impersonated.push(words.at(-1)!);
      return [{ done: true }];
    }
    if (first === "REVERT") {
      this.impersonated.pop();
      return [{ done: true }];
    }
    if (first === "USE") {
      this.database = text.split(/\s+/)[1]!.replace(/^\[(.*)\]$/, "$1");
      return [{ database: this.database }];
    }
    if (first === "WAITFOR") {
      const [, hours, minutes, seconds] = /(\d\d):(\d\d):([\d.]+)/.exec(text)!;
      const milliseconds = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
      await sleep(milliseconds, undefined, { signal: cancelled }).catch(() => undefined);
      return [{ done: true }];
    }
    return this.onTables({ words, text, line });
  }

  private onTables({ words, text, line }: Statement): Answer[] {
    const [first, second] = words;
    const target =
      first === "CREATE" && second === "TABLE" ? 2 : first === "INSERT" ? (second === "INTO" ? 2 : 1) : null;
    const from = words.indexOf("FROM");
    const table = tableAt(words, target ?? (first === "SELECT" && from > 0 ? from + 1 : words.length));
    const exists = table !== null && (this.temporary.has(table) || this.seen.rows.has(table));
    if (first === "CREATE" && table !== null) {
      if (exists) throw failed(2714, `There is already an object named '${table}' in the database.`, line);
      if (table.startsWith("#")) this.temporary.add(table);
      else this.effect(text, (data) => data.rows.set(table, 0));
      return [{ done: true }];
    }
    if (table !== null && !exists) throw failed(208, `Invalid object name '${table}'.`, line);
    if (first === "INSERT" && table !== null && !table.startsWith("#")) {
      this.effect(text, (data) => data.rows.set(table, data.rows.get(table)! + 1));
      return [{ rowCount: 1 }];
    }
    if (first !== "SELECT" && first !== "SET" && first !== "DECLARE") this.effect(text, () => undefined);
    return [{ done: true }];
  }

  private effect(text: string, change: Change): void {
    this.change((data) => {
      change(data);
      data.committed.push(text);
    });
  }
}

function failed(number: number, message: string, line: number): Failed {
  return new Failed([{ number, message, line }]);
}

function tableAt(words: readonly string[], index: number): string | null {
  if (words[index] === undefined) return null;
  const schema = words[index + 1] === "." ? index + 2 : index;
  return words[schema]!.replace(/^\[(.*)\]$/, "$1").toLowerCase();
}

function row(values: Record<string, string | number | null>): Answer[] {
  return [rows(Object.keys(values), [values])];
}

function rows(names: readonly string[], all: readonly object[]): Answer {
  const columns = names.map((name) => {
    const sample = all.map((each) => (each as Record<string, unknown>)[name]).find((value) => value !== null);
    return { name, type: typeof sample === "number" ? ("int" as const) : ("nvarchar" as const) };
  });
  const values = all.map((each) =>
    names.map((name) => (each as Record<string, string | number | null>)[name] ?? null),
  );
  return { rows: { columns, values } };
}
