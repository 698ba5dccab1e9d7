/** A real PostgreSQL, and the built migrator as a process on it. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { zipSync } from "fflate";
import { Client } from "pg";
import type { QueryResultRow } from "pg";

const PROGRAMS = resolve("lib/on-server");

export interface Ended {
  readonly exitCode: number | null;
  readonly result: Record<string, unknown>;
  readonly stderr: string;
}

export interface MigrateOptions {
  readonly release?: string;
  readonly contracts?: readonly string[];
  readonly contracted?: readonly string[];
  readonly newest?: string;
  readonly sha256?: string;
  readonly waitSeconds?: number;
  readonly command?: "run" | "plan";
}

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
    const key = createHash("sha256").update(this.folder).digest("hex").slice(0, 16);
    return `/var/tmp/bluegreen-database-${key}`;
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
    rmSync(this.lentFolder, { recursive: true, force: true });
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

export class TestDatabase {
  readonly folder = mkdtempSync(join(tmpdir(), "bluegreen-migrate-"));
  private readonly children: ChildProcess[] = [];

  constructor(
    readonly url: string,
    private readonly client: Client,
  ) {
    writeFileSync(join(this.folder, "database.url"), url);
  }

  async rows<Row extends QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.client.query<Row>(sql, values)).rows;
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

  start(scripts: Readonly<Record<string, string>>, options: MigrateOptions = {}) {
    const bundle = zipSync(
      Object.fromEntries(Object.entries(scripts).map(([name, sql]) => [name, Buffer.from(sql)])),
    );
    const file = join(this.folder, `${randomBytes(4).toString("hex")}.zip`);
    writeFileSync(file, bundle);
    const names = Object.keys(scripts).sort((one, other) => parseInt(one, 10) - parseInt(other, 10));
    const spec = {
      formatVersion: 1,
      application: "shop",
      sequence: 1,
      recordDigest: "0".repeat(64),
      releaseId: options.release ?? "1.0.0-1",
      bundle: {
        url: pathToFileURL(file).href,
        sha256: options.sha256 ?? createHash("sha256").update(bundle).digest("hex"),
        newest: options.newest ?? names.at(-1),
      },
      contracts: options.contracts ?? names.filter((name) => name.includes("-contract-")),
      contracted: options.contracted ?? [],
      database: { kind: "file", file: join(this.folder, "database.url") },
      waitSeconds: options.waitSeconds ?? 30,
    };
    return this.spawn([
      options.command ?? "run",
      "--spec",
      Buffer.from(JSON.stringify(spec)).toString("base64"),
    ]);
  }

  run(scripts: Readonly<Record<string, string>>, options?: MigrateOptions): Promise<Ended> {
    return this.start(scripts, options).ended;
  }

  spawn(args: string[]) {
    const child = spawn(process.execPath, [join(PROGRAMS, "migrate.js"), ...args, "--folder", this.folder]);
    this.children.push(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    const ended = new Promise<Ended>((done) => {
      child.on("close", (exitCode) => {
        done({ exitCode, result: JSON.parse(stdout || "{}") as Ended["result"], stderr });
      });
    });
    return { child, ended, said: () => stderr };
  }

  async close(): Promise<void> {
    for (const child of this.children) child.kill("SIGKILL");
    await this.client.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}
