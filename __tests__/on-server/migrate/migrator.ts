/** A real PostgreSQL, and the built migrator as a process on it. */
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import type { QueryResultRow } from "pg";
import { Operations, PROGRAMS } from "./operations";
import { freePort } from "../../../development/testbed/ports";

/** One server for a test file, one database for a test. */
export class DatabaseServer {
  private readonly folder = mkdtempSync(join(tmpdir(), "bluegreen-database-"));

  /** @param port loopback. */
  private constructor(private readonly port: number) {}

  static async start(): Promise<DatabaseServer> {
    const server = new DatabaseServer(await freePort());
    const said = await server.startAgain();
    if (said !== "") throw new Error(said);
    return server;
  }

  /** @returns what it complained of. */
  startAgain(): Promise<string> {
    const args = [join(PROGRAMS, "local-database.js"), "start"];
    const child = spawn(process.execPath, args, { env: this.settings() });
    let said = "";
    child.stderr.on("data", (data) => (said += data));
    return new Promise((done) => child.on("close", () => done(said)));
  }

  /** Where root keeps it; nobody else does. */
  get lentFolder(): string {
    const place = join(this.folder, "database.place");
    return existsSync(place) ? readFileSync(place, "utf8") : this.formerFolder;
  }

  /** The name that root's folder had in version 0.1, which everybody could compute. */
  get formerFolder(): string {
    const key = createHash("sha256").update(this.folder).digest("hex").slice(0, 16);
    return `/var/tmp/bluegreen-database-${key}`;
  }

  /** Makes the next start begin with a folder of this name. */
  forget(file: "database.place" | "database.url"): void {
    rmSync(join(this.folder, file));
  }

  async newDatabase(): Promise<TestDatabase> {
    const url = new URL(readFileSync(join(this.folder, "database.url"), "utf8").trim());
    const admin = new Client({ connectionString: url.href });
    await admin.connect();
    const name = `t_${randomBytes(6).toString("hex")}`;
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.end();
    url.pathname = `/${name}`;
    const client = new Client({ connectionString: url.href });
    client.on("error", () => undefined);
    await client.connect();
    return new TestDatabase(url.href, client);
  }

  stop(): void {
    const args = [join(PROGRAMS, "local-database.js"), "stop"];
    const { status, stderr } = spawnSync(process.execPath, args, { env: this.settings() });
    if (status !== 0) throw new Error(String(stderr));
    if (process.getuid?.() === 0) rmSync(this.lentFolder, { recursive: true, force: true });
    rmSync(this.folder, { recursive: true });
  }

  private settings(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      ...{ PG_URL: "", PROJECT_FOLDER: "/", DATA_FOLDER: this.folder },
      ...{ DATABASE_NAME: "first", DATABASE_PORT: String(this.port) },
    };
  }
}

/** Over a session that is made for it. */
export async function rowsOf<Row extends QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

export class TestDatabase extends Operations {
  constructor(
    readonly url: string,
    private readonly client: Client,
  ) {
    super(url);
  }

  async rows<Row extends QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.client.query<Row>(sql, values)).rows;
  }

  get name(): string {
    return new URL(this.url).pathname.slice(1);
  }

  /** Over a session of its own, where `rows` has a transaction open. */
  otherRows<Row extends QueryResultRow>(sql: string): Promise<Row[]> {
    return rowsOf(this.url, sql);
  }

  async count(table: string): Promise<number> {
    return Number((await this.rows<{ count: string }>(`SELECT count(*) FROM ${table}`))[0]!.count);
  }

  /** Name and status of each script that the journal knows. */
  async journal(): Promise<string[]> {
    const rows = await this.rows<{ name: string; status: string }>(
      "SELECT name, status FROM bluegreen_migrations ORDER BY number",
    );
    return rows.map(({ name, status }) => `${name} ${status}`);
  }

  async close(): Promise<void> {
    this.end();
    await this.client.end();
  }
}
