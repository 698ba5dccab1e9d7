/** The installed NGINX: its version, and the user of its workers. The configuration depends on both. */
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { LIVE } from "./traffic-folder";

export interface NginxProgram {
  /** As "1.22.1". */
  readonly version: string;
  /** The user that root's NGINX changes to; null: the user who starts it. */
  readonly user: string | null;
}

/** The oldest version that we support. */
export const OLDEST: NginxProgram = { version: "1.18.0", user: null };

/** Debian's and nginx.org's packages create these users. */
const USERS = ["www-data", "nginx"];

/** Debian installs NGINX in /usr/sbin, which is not on every user's PATH. */
export function nginxEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` };
}

/** @throws Error if NGINX is not installed. */
export function installedNginx(): NginxProgram {
  const { stderr, error } = spawnSync("nginx", ["-v"], { encoding: "utf8", env: nginxEnvironment() });
  const version = /nginx\/(\d+\.\d+\.\d+)/.exec(stderr ?? "")?.[1];
  if (version === undefined)
    throw new Error(`\`nginx -v\` prints no version: ${error?.message ?? stderr.trim()}; install nginx`);
  return { version, user: process.getuid?.() === 0 ? workerUser() : null };
}

export function isAtLeast({ version }: NginxProgram, wanted: string): boolean {
  const [numbers, others] = [version, wanted].map((each) => each.split(".").map(Number));
  const different = numbers!.findIndex((number, index) => number !== others![index]);
  return different === -1 || numbers![different]! > others![different]!;
}

/**
 * A user without rights, if it can reach the traffic's files, which workers look for: that of the folder's group, or of a
 * package. Else root: a folder that only root may enter was meant for root.
 */
function workerUser(): string {
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const group = String(statSync(".").gid);
  const ofGroup = accounts.filter(([, , , gid]) => gid === group && gid !== "0");
  const packaged = USERS.flatMap((user) => accounts.filter(([name]) => name === user));
  for (const [name, , uid, gid] of [...ofGroup, ...packaged]) {
    const { status } = spawnSync("/bin/ls", ["-d", `${process.cwd()}/${LIVE}/.`], {
      uid: Number(uid),
      gid: Number(gid),
      cwd: "/",
      stdio: "ignore",
    });
    if (status === 0) return name!;
  }
  return "root";
}
