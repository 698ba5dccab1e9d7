/** The project's PostgreSQL: stopped, frozen now and then, or with a lock that another session holds. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { REPOSITORY } from "../testbed/world";
import type { World } from "../testbed/world";

const MIGRATION_SECONDS = 5;

export class Database {
  constructor(private readonly world: World) {}

  async connect(): Promise<Client> {
    const connectionString = this.world.text(".bluegreen/local/data/database.url").trim();
    const client = new Client({ connectionString, connectionTimeoutMillis: 5_000 });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  /** Migrations that take their time just now. */
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

  /** The sample's scripts and, for each sequence so far, one more that takes its time and changes the table. */
  slowMigrations(sequence: number): string {
    const folder = this.world.path("scripts");
    mkdirSync(folder, { recursive: true });
    for (const [version, names] of Object.entries(SCRIPTS)) {
      for (const name of names) {
        const file = join(REPOSITORY, "examples/socialgoal/releases", version, "migrations", name);
        writeFileSync(join(folder, name), readFileSync(file));
      }
    }
    const number = String(readdirSync(folder).length + 1).padStart(4, "0");
    writeFileSync(
      join(folder, `${number}-slow.sql`),
      `SELECT pg_sleep(${MIGRATION_SECONDS});\nALTER TABLE goals ADD COLUMN note_${sequence} text;\n`,
    );
    return folder;
  }

  /** At once: whoever is connected is cut off. */
  stop(): void {
    this.control("stop");
  }

  start(): void {
    this.control("start");
  }

  private control(command: "start" | "stop"): void {
    const environment = this.world.read<{ application: string; name: string }>("environments/local.json");
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

  /** The server's own processes. */
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
