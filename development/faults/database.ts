/** The project's PostgreSQL: stopped, frozen at intervals, cut off, or with a lock of another session. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { DEFAULT_ENVIRONMENT_FILE } from "../../configuration/environment-file";
import { REPOSITORY } from "../testbed/world";
import type { World } from "../testbed/world";
import { SeveredLink } from "./severed-link";

const MIGRATION_SECONDS = 5;
const URL_FILE = ".bluegreen/local/data/database.url";

export class Database {
  private link: SeveredLink | undefined;

  constructor(private readonly world: World) {}

  /** Connects directly, never through a link that may be cut. */
  async connect(): Promise<Client> {
    const connectionString = this.link?.direct ?? this.world.text(URL_FILE).trim();
    const client = new Client({ connectionString, connectionTimeoutMillis: 5_000 });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  /** How many slow migrations run now. */
  async sleepingMigrations(): Promise<number> {
    const client = await this.connect();
    try {
      const { rows } = await client.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' AND query LIKE '%pg_sleep%'",
      );
      return rows[0]!.count;
    } finally {
      await client.end();
    }
  }

  /** The sample's scripts and, for each sequence so far, one slow script that changes the table. */
  slowMigrations(sequence: number): string {
    const folder = this.sampleScripts();
    this.script(
      "slow",
      `SELECT pg_sleep(${MIGRATION_SECONDS});\nALTER TABLE goals ADD COLUMN note_${sequence} text;\n`,
    );
    return folder;
  }

  private sampleScripts(): string {
    const folder = this.world.path("scripts");
    mkdirSync(folder, { recursive: true });
    for (const [version, names] of Object.entries(SCRIPTS)) {
      for (const name of names) {
        const file = join(REPOSITORY, "examples/socialgoal/releases", version, "migrations", name);
        writeFileSync(join(folder, name), readFileSync(file));
      }
    }
    return folder;
  }

  /** New connections go through a link that can be cut, until {@link unlink}. */
  async linked(): Promise<SeveredLink> {
    this.link = await SeveredLink.open(this.world.path(URL_FILE));
    return this.link;
  }

  unlink(): void {
    this.link?.mend();
    this.link = undefined;
  }

  cutLink(): void {
    this.link!.cut();
  }

  /** Adds a fast script. */
  quickMigration(sequence: number): void {
    this.sampleScripts();
    this.script("quick", `CREATE TABLE quick_${sequence} (id int);\n`);
  }

  /** Resolves when the newest script but one is applied, before the migrator gets the database's answer. */
  async betweenScripts(): Promise<void> {
    await this.link!.holdAfterCommit(async () => {
      const applied = await this.applied();
      return applied.some((name) => name === this.scripts().at(-2));
    });
  }

  /** @returns the scripts that are in the release's bundle but not in the journal. */
  async missing(newest: string): Promise<string[]> {
    const applied = await this.applied();
    return this.scripts().filter((name) => name <= newest && !applied.includes(name));
  }

  private async applied(): Promise<string[]> {
    const client = await this.connect();
    try {
      const { rows } = await client.query<{ name: string }>(
        "SELECT name FROM bluegreen_migrations WHERE status = 'applied'",
      );
      return rows.map(({ name }) => name);
    } finally {
      await client.end();
    }
  }

  private scripts(): string[] {
    const folder = this.world.path("scripts");
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  private script(what: string, sql: string): void {
    const number = String(this.scripts().length + 1).padStart(4, "0");
    writeFileSync(join(this.world.path("scripts"), `${number}-${what}.sql`), sql);
  }

  /** Stops it at once and closes all connections. */
  stop(): void {
    this.control("stop");
  }

  start(): void {
    this.control("start");
  }

  private control(command: "start" | "stop"): void {
    const environment = this.world.read<{ application: string; name: string }>(DEFAULT_ENVIRONMENT_FILE);
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(REPOSITORY, "lib/on-server/local-database.js"), command],
      {
        encoding: "utf8",
        env: {
          ...process.env,
          PROJECT_FOLDER: this.world.folder,
          DATA_FOLDER: ".bluegreen/local/data",
          DATABASE_NAME: `${environment.application}_${environment.name}`.replaceAll("-", "_"),
          DATABASE_PORT: String(this.world.portBase + 90),
        },
      },
    );
    if (status !== 0) throw new Error(stderr);
  }

  /** The server's processes. */
  pids(): number[] {
    const port = this.world.portBase + 90;
    const { stdout } = spawnSync("pgrep", ["--full", `port=${port}`], { encoding: "utf8" });
    const postmaster = Number(stdout.trim().split("\n")[0]);
    const { stdout: children } = spawnSync("pgrep", ["--parent", String(postmaster)], { encoding: "utf8" });
    return [postmaster, ...children.trim().split("\n").map(Number)].filter((pid) => pid > 1);
  }
}

const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  "1.0.0": ["0001-goals-and-updates.sql"],
  "1.1.0": ["0002-goal-owner.sql", "0003-goal-owner-of-old-rows.sql"],
};
