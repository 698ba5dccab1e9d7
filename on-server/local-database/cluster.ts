/** A separate PostgreSQL server: a folder with its data, and a process on a loopback port. */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Cluster {
  readonly folder: string;
  /** The user to run as if this process is root, as which PostgreSQL refuses to run; otherwise null. */
  readonly owner: Owner | null;
}

const ROOT_FOLDER = "/var/tmp";
const FOLDER_PREFIX = "bluegreen-database-";
/** The file with the data folder that root's cluster belongs to. */
const BELONGS_TO = "belongs-to";

export function clusterFor(dataFolder: string): Cluster {
  if (process.getuid?.() !== 0) return { folder: join(dataFolder, "database"), owner: null };
  // The other user has no access to root's folders.
  const key = createHash("sha256").update(dataFolder).digest("hex").slice(0, 16);
  return { folder: join(ROOT_FOLDER, `${FOLDER_PREFIX}${key}`), owner: serviceUser() };
}

/** Removes root's clusters whose data folder no longer exists. */
export async function removeOrphans({ owner }: Cluster, programs: string): Promise<void> {
  if (owner === null) return;
  for (const name of readdirSync(ROOT_FOLDER).filter((each) => each.startsWith(FOLDER_PREFIX))) {
    const folder = join(ROOT_FOLDER, name);
    if (isOrphan(folder, owner)) await removeCluster({ folder, owner }, programs);
  }
}

function isOrphan(folder: string, owner: Owner): boolean {
  try {
    // All users may write there; other users' folders are not touched.
    if (lstatSync(folder).uid !== owner.uid) return false;
    return !existsSync(readFileSync(join(folder, BELONGS_TO), "utf8"));
  } catch (error) {
    // Another start is removing or creating it right now.
    if (isGone(error)) return false;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** @returns the password of the role `bluegreen`. */
export async function createCluster(cluster: Cluster, programs: string, dataFolder: string): Promise<string> {
  const password = randomBytes(24).toString("hex");
  mkdirSync(cluster.folder, { mode: 0o700 });
  const passwordFile = join(cluster.folder, "password");
  const data = dataOf(cluster);
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
    writeFileSync(join(cluster.folder, BELONGS_TO), dataFolder);
    if (cluster.owner !== null) {
      for (const path of [cluster.folder, passwordFile])
        chownSync(path, cluster.owner.uid, cluster.owner.gid);
    }
    await execute(cluster, join(programs, "initdb"), [
      ...["--pgdata", data, "--username", "bluegreen", "--pwfile", passwordFile, "--auth", "scram-sha-256"],
      ...["--encoding", "UTF8", "--locale", "C", "--no-sync"],
    ]);
  } catch (error) {
    rmSync(cluster.folder, { recursive: true, force: true });
    throw error;
  }
  rmSync(passwordFile);
  return password;
}

export async function startCluster(cluster: Cluster, programs: string, port: number): Promise<void> {
  await stopCluster(cluster, programs);
  const settings = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
  ];
  const log = join(cluster.folder, "log");
  try {
    await execute(cluster, join(programs, "pg_ctl"), [
      ...["start", "--wait", "--timeout", "60", "--pgdata", dataOf(cluster), "--log", log],
      ...["--options", settings.map((setting) => `-c ${setting}`).join(" ")],
    ]);
  } catch (error) {
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-2).join(" ") : "";
    throw new Error(`PostgreSQL did not start: ${lines === "" ? (error as Error).message : lines}`);
  }
}

export async function stopCluster(cluster: Cluster, programs: string): Promise<void> {
  if (!existsSync(join(dataOf(cluster), "postmaster.pid"))) return;
  const control = ["stop", "--wait", "--mode", "fast", "--timeout", "60", "--pgdata", dataOf(cluster)];
  // After a power failure the file exists, but no server runs.
  await execute(cluster, join(programs, "pg_ctl"), control).catch(() => undefined);
}

export async function removeCluster(cluster: Cluster, programs: string): Promise<void> {
  if (!existsSync(cluster.folder)) return;
  await stopCluster(cluster, programs);
  while (existsSync(cluster.folder)) {
    try {
      rmSync(cluster.folder, { recursive: true, force: true, maxRetries: 5 });
    } catch (error) {
      // Two starts may remove the same orphan at once.
      if (!isGone(error)) throw error;
    }
  }
}

function dataOf({ folder }: Cluster): string {
  return join(folder, "data");
}

async function execute({ folder, owner }: Cluster, program: string, args: string[]): Promise<void> {
  try {
    await run(program, args, {
      cwd: folder,
      timeout: 120_000,
      env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" },
      ...owner,
    });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    const why =
      code === "EACCES"
        ? "root starts PostgreSQL as another user, which may not read its programs: set PG_URL, or run as a user other than root"
        : (stderr ?? "").trim().split("\n").at(-1) || (error as Error).message;
    throw new Error(`${program}: ${why}`);
  }
}

/** Debian's `postgres` if PostgreSQL is installed, otherwise `nobody`. */
function serviceUser(): Owner {
  const lines = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const wanted of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("PostgreSQL does not run as root, and there is no user postgres or nobody");
}
