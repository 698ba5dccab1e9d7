/** The local platform's database on a SQL Server that MSSQL_URL names: what base starts, against a server that speaks TDS. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { Answer } from "../../../development/testbed/tds-server/answers";
import type { TdsLogin } from "../../../development/testbed/tds-server/login7";
import type { TdsRequest } from "../../../development/testbed/tds-server/requests";
import { TdsServer } from "../../../development/testbed/tds-server/server";

const PROGRAM = resolve("lib/on-server/local-database.js");
const MIGRATOR = resolve("lib/on-server/migrate.js");
const NAME = "socialgoal_local";

interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-sql-server-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const urlFile = (): string => join(folder, "data/database.url");

async function start(url: string, changes: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = spawn(process.execPath, [PROGRAM, "start"], {
    env: {
      ...process.env,
      ...{ PROJECT_FOLDER: folder, DATA_FOLDER: "data", DATABASE_NAME: NAME, DATABASE_PORT: "1" },
      ...{ DATABASE_DIALECT: "mssql", MIGRATOR, MSSQL_URL: url, PG_URL: "", ...changes },
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((done) => child.once("exit", done)),
  ]);
  return { exitCode, stdout, stderr };
}

describe("on a server", () => {
  let server: TdsServer;
  let logins: TdsLogin[];
  let asked: string[];
  let databases: Set<string>;
  /** Whether a CREATE DATABASE does what it says. */
  let creates: boolean;

  const bracketed = (sql: string): string => /\[([^\]]+)\]/.exec(sql)![1]!;

  function answer({ sql, parameters }: TdsRequest): Answer {
    if (/DB_ID/.test(sql)) {
      const id = databases.has(String(parameters["name"])) ? 5 : null;
      return { rows: { columns: [{ name: "id", type: "int" }], values: [[id]] } };
    }
    if (/^(CREATE|DROP|ALTER) DATABASE|^IF CAST/.test(sql))
      asked.push(sql.replace(/^IF CAST.*? (?=ALTER)/, "IF ... "));
    if (sql.startsWith("CREATE") && creates) databases.add(bracketed(sql));
    if (sql.startsWith("DROP")) databases.delete(bracketed(sql));
    return { done: true };
  }

  beforeEach(async () => {
    [logins, asked, databases, creates] = [[], [], new Set(["master"]), true];
    server = await TdsServer.start({
      login: ({ password }) =>
        password === "s3cr#t"
          ? null
          : [{ number: 18456, severity: 14, message: "Login failed for user 'sa'." }],
      session: (login) => {
        logins.push(login);
        return { request: (request) => Promise.resolve([answer(request)]), closed: () => undefined };
      },
    });
  });
  afterEach(async () => {
    await server.close();
    expect(server.faults).toEqual([]);
  });

  const address = (password = "s3cr%23t"): string =>
    `mssql://sa:${password}@127.0.0.1:${server.port}?trustServerCertificate=true`;

  it("it is made from master, and its address written for application and migrator, for no other user to read", async () => {
    expect(await start(address())).toMatchObject({ exitCode: 0 });
    expect(logins.map(({ database }) => database)).toEqual(["master"]);
    expect(asked).toEqual([
      `CREATE DATABASE [${NAME}]`,
      `ALTER DATABASE [${NAME}] SET READ_COMMITTED_SNAPSHOT ON`,
    ]);
    expect(readFileSync(urlFile(), "utf8")).toBe(
      `mssql://sa:s3cr%23t@127.0.0.1:${server.port}/${NAME}?trustServerCertificate=true\n`,
    );
    expect(statSync(urlFile()).mode & 0o077).toBe(0);
  });

  it("a second start leaves it as it is", async () => {
    await start(address());
    asked = [];
    expect(await start(address())).toMatchObject({ exitCode: 0 });
    expect(asked).toEqual([]);
  });

  it("one of a data folder that is gone makes room for a new one", async () => {
    databases.add(NAME);
    expect(await start(address())).toMatchObject({ exitCode: 0 });
    expect(asked.slice(0, 3)).toEqual([
      `IF ... ALTER DATABASE [${NAME}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE`,
      `DROP DATABASE [${NAME}]`,
      `CREATE DATABASE [${NAME}]`,
    ]);
  });

  it("a server that says nothing against it, and does not have it, is a failure", async () => {
    creates = false;
    const ran = await start(address());
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toMatch(/local database: the server did not create socialgoal_local/);
    expect(existsSync(urlFile())).toBe(false);
  });

  it("a login that is refused is said in the server's words, without the password", async () => {
    const ran = await start(address("wr0ng"));
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toMatch(/Login failed for user 'sa'/);
    expect(ran.stderr).not.toMatch(/wr0ng/);
    expect(existsSync(urlFile())).toBe(false);
  });
});

it.each([
  ["no address", "", /MSSQL_URL is not set: set it to an address as in mssql:\/\/user:password@host:port/],
  ["another dialect's", "postgres://a:s3cret@127.0.0.1/x", /MSSQL_URL must be an address as in mssql:/],
  ["one whose password has a %", "mssql://sa:s3cret%@127.0.0.1", /MSSQL_URL has a "%" .* write %25/],
  ["a port out of range", "mssql://sa:s3cret@127.0.0.1:70000", /a port is a number from 1 to 65535/],
  [
    "trust in a server elsewhere",
    "mssql://sa:s3cret@db.example.org?trustServerCertificate=true",
    /its host is not this machine/,
  ],
])("%s is refused before anything is made: one line, exit code 2", async (_, url, message) => {
  const ran = await start(url);
  expect(ran).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(message) });
  expect(ran.stderr.trim()).not.toContain("\n");
  expect(ran.stderr).not.toContain("s3cret");
  expect(existsSync(join(folder, "data"))).toBe(false);
});

it("a migrator that ends well and says nothing has not made it", async () => {
  const silent = join(folder, "silent.js");
  writeFileSync(silent, "");
  const ran = await start("mssql://sa:x@127.0.0.1", { MIGRATOR: silent });
  expect(ran).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/did not report that socialgoal_local exists/),
  });
  expect(existsSync(urlFile())).toBe(false);
});

it("PostgreSQL's address is read in the same way", async () => {
  const ran = await start("", { DATABASE_DIALECT: "postgres", PG_URL: "postgres://a:s3cret%@127.0.0.1/" });
  expect(ran).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/PG_URL has a "%"/) });
  expect(existsSync(join(folder, "data"))).toBe(false);
});
