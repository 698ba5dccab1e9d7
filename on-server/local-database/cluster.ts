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
import { writeAtomically } from "../../system/atomic-file";

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
/** In the data folder: the folder of root's cluster. Its name is random: all users may write in `ROOT_FOLDER`. */
const PLACE = "database.place";

export function clusterFor(dataFolder: string): Cluster {
  if (process.getuid?.() !== 0) return { folder: join(dataFolder, "database"), owner: null };
  // The other user has no access to root's folders.
  const owner = serviceUser();
  const known = [placeOf(dataFolder), earlierFolder(dataFolder)].find(
    (folder) => folder !== null && isOwn(folder, owner),
  );
  const name = `${FOLDER_PREFIX}${randomBytes(16).toString("hex")}`;
  return { folder: known ?? join(ROOT_FOLDER, name), owner };
}

/** The application's account may write in the data folder, so only a folder with such a name counts. */
function placeOf(dataFolder: string): string | null {
  const file = join(dataFolder, PLACE);
  const folder = existsSync(file) ? readFileSync(file, "utf8") : "";
  return new RegExp(`^${ROOT_FOLDER}/${FOLDER_PREFIX}[0-9a-f]{32}$`).test(folder) ? folder : null;
}

/** Of a database that version 0.1 created: another user could choose the content of a folder with this name. */
function earlierFolder(dataFolder: string): string {
  const key = createHash("sha256").update(dataFolder).digest("hex").slice(0, 16);
  return join(ROOT_FOLDER, `${FOLDER_PREFIX}${key}`);
}

/** Whether it is a folder that only its owner can enter, and none that another user put there. */
function isOwn(folder: string, owner: Owner): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return found !== undefined && found.isDirectory() && found.uid === owner.uid && (found.mode & 0o077) === 0;
}

/**
 * Removes root's clusters whose data folder no longer exists.
 * @param renewed a data folder that was removed, and exists again.
 */
export async function removeOrphans(
  { owner }: Cluster,
  programs: string,
  renewed: string | null,
): Promise<void> {
  if (owner === null) return;
  for (const name of readdirSync(ROOT_FOLDER).filter((each) => each.startsWith(FOLDER_PREFIX))) {
    const folder = join(ROOT_FOLDER, name);
    if (isOrphan(folder, owner, renewed)) await removeCluster({ folder, owner }, programs);
  }
}

function isOrphan(folder: string, owner: Owner, renewed: string | null): boolean {
  try {
    // Other users' folders are not touched.
    if (!isOwn(folder, owner)) return false;
    const dataFolder = readFileSync(join(folder, BELONGS_TO), "utf8");
    return dataFolder === renewed || !existsSync(dataFolder);
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
  if (cluster.owner !== null) writeAtomically(join(dataFolder, PLACE), cluster.folder);
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
