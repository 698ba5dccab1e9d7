/**
 * The example application on SQL Server: packed for it, as a real process with its own driver, against a server that speaks TDS and
 * keeps the two tables in memory. What SQL Server itself makes of the statements is not tested here: there is none.
 */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { packRelease } from "../../examples/socialgoal/pack";
import { lintAll } from "../../release/migrations/lint";
import { readScripts } from "../../release/migrations/scripts";
import { until } from "../../development/testbed/processes";
import type { Answer } from "../../development/testbed/tds-server/answers";
import type { ParameterValue } from "../../development/testbed/tds-server/parameters";
import type { TdsRequest } from "../../development/testbed/tds-server/requests";
import { TdsServer } from "../../development/testbed/tds-server/server";

const run = promisify(execFile);
const PASSWORD = "s3cr#t";

type Row = Readonly<Record<string, ParameterValue>>;
type Columns = Readonly<Record<string, "nvarchar" | "int">>;

/** The statements of the application's store, on two arrays. */
class Tables {
  readonly goals: Row[] = [];
  readonly updates: Row[] = [];

  answer({ sql, parameters }: TdsRequest): Answer {
    const given = parameters as Row;
    if (sql.startsWith("INSERT dbo.goals")) return this.add(this.goals, given);
    if (sql.startsWith("INSERT dbo.updates")) return this.add(this.updates, given);
    if (sql.startsWith("SELECT TOP (0)")) return rowsOf(GOAL, []);
    if (sql.startsWith("SELECT TOP (@count)")) {
      const after = given["after"];
      const older = this.goals.filter(({ id }) => after === null || String(id) < String(after));
      return rowsOf(GOAL, older.sort(newestFirst).slice(0, Number(given["count"])));
    }
    if (/FROM dbo\.goals WHERE id = @id$/.test(sql)) {
      return rowsOf(
        GOAL,
        this.goals.filter(({ id }) => id === given["id"]),
      );
    }
    if (/WHERE goal_id = @goalId ORDER BY id$/.test(sql)) {
      const found = this.updates.filter(({ goalId }) => goalId === given["goalId"]);
      return rowsOf(UPDATE, found.sort(newestFirst).reverse());
    }
    if (sql.includes("ROW_NUMBER()")) {
      const goals = Object.values(given);
      const latest = goals.flatMap((goal) =>
        this.updates
          .filter(({ goalId }) => goalId === goal)
          .sort(newestFirst)
          .slice(0, 1),
      );
      return rowsOf({ goalId: "nvarchar", progress: "int" }, latest);
    }
    return { done: true };
  }

  private add(table: Row[], row: Row): Answer {
    table.push(row);
    return { rowCount: 1 };
  }
}

const GOAL: Columns = {
  ...{ id: "nvarchar", title: "nvarchar", description: "nvarchar" },
  ...{ author: "nvarchar", createdAt: "nvarchar" },
};
const UPDATE: Columns = {
  ...{ id: "nvarchar", goalId: "nvarchar", text: "nvarchar" },
  ...{ progress: "int", author: "nvarchar", createdAt: "nvarchar" },
};

const newestFirst = (one: Row, other: Row): number => (String(one["id"]) < String(other["id"]) ? 1 : -1);

function rowsOf(columns: Columns, rows: readonly Row[]): Answer {
  return {
    rows: {
      columns: Object.entries(columns).map(([name, type]) => ({ name, type })),
      values: rows.map((row) => Object.keys(columns).map((name) => row[name] ?? null)),
    },
  };
}

let folder: string;
let server: TdsServer;
let tables: Tables;
let held: Promise<void>;
let atWork: number;
let mostAtWork: number;
let disconnects: Set<() => void>;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "socialgoal-sql-server-"));
  for (const version of ["1.0.0", "1.1.0", "1.4.0"]) {
    const { file } = await packRelease({ version, to: folder, database: "mssql" });
    await run("unzip", ["-q", file, "-d", join(folder, version)]);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  [tables, held, atWork, mostAtWork, disconnects] = [new Tables(), Promise.resolve(), 0, 0, new Set()];
  server = await TdsServer.start({
    login: ({ password }) =>
      password === PASSWORD
        ? null
        : [{ number: 18456, severity: 14, message: "Login failed for user 'app'." }],
    session: (_, connection) => {
      const end = () => connection.disconnect("rst");
      disconnects.add(end);
      return {
        request: async (request) => {
          atWork += 1;
          mostAtWork = Math.max(mostAtWork, atWork);
          if (request.parameters["id"] !== undefined) await held;
          atWork -= 1;
          return [tables.answer(request)];
        },
        closed: () => void disconnects.delete(end),
      };
    },
  });
});

afterEach(async () => {
  const ended = [...running].map((process) => once(process, "exit"));
  for (const process of running) process.kill("SIGKILL");
  await Promise.all(ended);
  await server.close();
  expect(server.faults).toEqual([]);
});

/** @returns where it answers; rejects with what it said where it ended instead. */
async function start(version: string, password = PASSWORD): Promise<string> {
  const data = join(folder, "data");
  mkdirSync(data, { recursive: true });
  const query = "trustServerCertificate=true";
  const address = `mssql://app:${encodeURIComponent(password)}@127.0.0.1:${server.port}/socialgoal_local?${query}`;
  writeFileSync(join(data, "database.url"), `${address}\n`);
  const child = spawn(process.execPath, ["server.js"], {
    cwd: join(folder, version),
    env: { PATH: process.env["PATH"], PORT: "0", DATA_FOLDER: data, BLUEGREEN_RELEASE_ID: `${version}-1` },
  });
  running.add(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  let hasEnded = false;
  child.once("exit", () => {
    hasEnded = true;
    running.delete(child);
  });
  const port = (): string | undefined => /port (\d+)/.exec(said)?.[1];
  const isReady = async (): Promise<boolean> =>
    port() !== undefined && (await fetch(`http://127.0.0.1:${port()}/health`)).status === 200;
  await until(async () => hasEnded || (await isReady().catch(() => false)), "it is ready, or has ended");
  if (hasEnded) throw new Error(said);
  return `http://127.0.0.1:${port()}`;
}

const post = (url: string, body: object): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

interface Goal {
  readonly id: string;
  readonly title: string;
  readonly createdAt: string;
  readonly progress?: number;
  readonly updates?: readonly { readonly text: string; readonly progress: number }[];
}

test("goals and updates are kept, listed page by page, and shown with their progress", async () => {
  const origin = await start("1.1.0");
  const goals: Goal[] = [];
  for (const title of ["Ä ✓ first", "second", "third"]) {
    const answer = await post(`${origin}/api/goals`, { title, description: "why" });
    expect(answer.status).toBe(201);
    goals.push((await answer.json()) as Goal);
  }
  expect(tables.goals.map(({ title, createdAt }) => [title, createdAt])).toEqual(
    goals.map(({ title, createdAt }) => [title, createdAt]),
  );
  for (const progress of [10, 60]) {
    const update = { text: `at ${progress}`, progress };
    expect((await post(`${origin}/api/goals/${goals[0]!.id}/updates`, update)).status).toBe(201);
  }
  const one = (await (await fetch(`${origin}/api/goals/${goals[0]!.id}`)).json()) as Goal;
  expect(one).toMatchObject({ title: "Ä ✓ first", createdAt: goals[0]!.createdAt, progress: 60 });
  expect(one.updates!.map(({ text }) => text)).toEqual(["at 10", "at 60"]);
  const page = async (query: string) =>
    (await (await fetch(`${origin}/api/goals?${query}`)).json()) as { goals: Goal[]; next: string | null };
  const first = await page("limit=2");
  expect(first.goals.map(({ title }) => title)).toEqual(["third", "second"]);
  expect((await page(`limit=2&after=${first.next}`)).goals.map(({ title }) => title)).toEqual(["Ä ✓ first"]);
  expect(await (await fetch(`${origin}/`)).text()).toContain("60");
});

test("at most eight requests are at the database at once; the others wait their turn", async () => {
  const origin = await start("1.0.0");
  const { id } = (await (await post(`${origin}/api/goals`, { title: "x" })).json()) as Goal;
  let letGo = (): void => undefined;
  held = new Promise((done) => (letGo = done));
  const asked = Array.from({ length: 20 }, () => fetch(`${origin}/api/goals/${id}`));
  await until(() => atWork === 8, "eight at work");
  letGo();
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(20).fill(200));
  expect(mostAtWork).toBe(8);
});

test("connections that broke are replaced with the next request", async () => {
  const origin = await start("1.0.0");
  expect((await post(`${origin}/api/goals`, { title: "before" })).status).toBe(201);
  for (const disconnect of disconnects) disconnect();
  await until(() => disconnects.size === 0, "no connection is left");
  await until(async () => (await fetch(`${origin}/api/goals`)).status === 200, "it answers again");
  expect((await post(`${origin}/api/goals`, { title: "after" })).status).toBe(201);
  expect(tables.goals.map(({ title }) => title)).toEqual(["before", "after"]);
});

test("a login that is refused ends the start with the server's words", async () => {
  await expect(start("1.0.0", "wr0ng")).rejects.toThrow(/Login failed for user 'app'/);
});

test("each release writes the column that it knows: the author, from 1.1 on the owner", () => {
  const columnOf = (version: string): string =>
    /goalOwner: "(\w+)"/.exec(readFileSync(join(folder, version, "schema.js"), "utf8"))![1]!;
  expect(["1.0.0", "1.1.0", "1.4.0"].map(columnOf)).toEqual(["author", "owner", "owner"]);
});

test("an artifact brings one database's driver and migrations, and those are of the same names", async () => {
  const { file } = await packRelease({ version: "1.4.0", to: join(folder, "postgres") });
  await run("unzip", ["-q", file, "-d", join(folder, "for-postgres")]);
  const content = (at: string) =>
    ["vendor", "migrations"].map((name) => readdirSync(join(folder, at, name)).sort());
  const migrations = [
    ...["0001-goals-and-updates.sql", "0002-goal-owner.sql", "0003-goal-owner-of-old-rows.sql"],
    "0004-contract-goal-author.sql",
  ];
  expect(content("1.4.0")).toEqual([["tedious.js"], migrations]);
  expect(content("for-postgres")).toEqual([["pg.js"], migrations]);
});

test("its migrations break no running release, as far as the linter sees", () => {
  const at = join(folder, "1.4.0/migrations");
  const files = new Map(readdirSync(at).map((name) => [name, readFileSync(join(at, name))]));
  const scripts = readScripts(files);
  expect(scripts.map(({ phase }) => phase)).toEqual(["expand", "expand", "expand", "contract"]);
  expect(lintAll(scripts, "mssql")).toEqual([]);
});

test("the store asks for no OUTPUT: the trigger that keeps two releases' columns the same forbids it", () => {
  const store = readFileSync(resolve("examples/socialgoal/app/sql-server-store.js"), "utf8");
  const statements = [...store.matchAll(/`([^`]*)`/g)].map(([, text]) => text).join("\n");
  expect(statements).toMatch(/INSERT/);
  expect(statements).not.toMatch(/\bOUTPUT\b/i);
});
