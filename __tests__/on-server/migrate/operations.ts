/** The built migrator as a process, as a Terraform step starts it: the same for each database. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { zipSync } from "fflate";
import type { DatabaseAccess } from "../../../release/migrate-spec";
import type { Resolution } from "../../../release/resolution";
import { follow } from "../../../development/testbed/processes";

export const PROGRAMS = resolve("lib/on-server");

/** The same scripts are the same bundle. */
const PACKED_AT = new Date(1980, 0, 1);

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
  readonly resolve?: readonly Resolution[];
  readonly command?: "run" | "plan" | "status";
  /** @default the file that `reach` writes */
  readonly database?: DatabaseAccess;
  /** Added to this process's own. */
  readonly env?: NodeJS.ProcessEnv;
}

export type Scripts = Readonly<Record<string, string>>;
/** As files hold them, in whichever encoding. */
type ScriptFiles = Readonly<Record<string, string | Buffer>>;

/** The operations server of one database: a folder. */
export class Operations {
  readonly folder = mkdtempSync(join(tmpdir(), "bluegreen-migrate-"));
  private readonly children: ChildProcess[] = [];

  constructor(url: string) {
    this.reach(url);
  }

  /** From now on the database is reached there. */
  reach(url: string): void {
    writeFileSync(join(this.folder, "database.url"), url);
  }

  start(scripts: ScriptFiles, options: MigrateOptions = {}) {
    const bundle = zipSync(
      Object.fromEntries(
        Object.entries(scripts).map(([name, sql]) => [
          name,
          [Buffer.from(sql), { mtime: PACKED_AT }] as const,
        ]),
      ),
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
      database: options.database ?? { kind: "file", file: join(this.folder, "database.url") },
      waitSeconds: options.waitSeconds ?? 30,
      ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
    };
    return this.spawn(
      [options.command ?? "run", "--spec", Buffer.from(JSON.stringify(spec)).toString("base64")],
      options.env,
    );
  }

  run(scripts: ScriptFiles, options?: MigrateOptions): Promise<Ended> {
    return this.start(scripts, options).ended;
  }

  spawn(args: string[], env: NodeJS.ProcessEnv = {}) {
    const child = spawn(process.execPath, [join(PROGRAMS, "migrate.js"), ...args, "--folder", this.folder], {
      env: { ...process.env, ...env },
    });
    this.children.push(child);
    const { ended, stderr } = follow(child);
    return {
      child,
      ended: ended.then(({ exitCode, stdout, stderr }): Ended => {
        return { exitCode, result: JSON.parse(stdout || "{}") as Ended["result"], stderr };
      }),
      said: stderr,
    };
  }

  end(): void {
    for (const child of this.children) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
