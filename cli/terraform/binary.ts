/**
 * Finds the Terraform (or OpenTofu) that the command runs: from TERRAFORM_BINARY_NAME, otherwise from PATH, otherwise a
 * pinned Terraform that it downloads once from the vendor into a cache folder.
 */
import { InvalidInput } from "../../release/failure";
import { createHash, randomUUID } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { access, chmod, mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import execa from "execa";
import * as z from "zod/mini";
import { download, printable } from "./download";
import { PINNED_DIGESTS, PINNED_VERSION } from "./pinned-release";
import { jsonOf } from "./json-output";
import { readEntry } from "../zip";

/** For both: OpenTofu begins with 1.6.0, and older versions are not tested. */
const OLDEST_VERSION = "1.6.0";
const VENDOR = "https://releases.hashicorp.com";
const CONNECT_SECONDS = 10;
const IDLE_SECONDS = 30;
const VERSION_SECONDS = 30;
const MAX_ZIP_BYTES = 256 * 1024 * 1024;
const FIX =
  "install terraform or tofu, or set TERRAFORM_BINARY_NAME to one, or BLUEGREEN_TERRAFORM_MIRROR to a mirror of " +
  VENDOR;

export interface TerraformBinary {
  /** Absolute. */
  readonly path: string;
  readonly name: "terraform" | "tofu";
  /** From the binary, such as "1.11.4". */
  readonly version: string;
  /** Whether this call downloaded it; false if it was on PATH or in the cache. */
  readonly fetched: boolean;
}

export interface FindTerraformOptions {
  /** Gets one line for the operator at a time. Only a download prints lines. */
  readonly log: (line: string) => void;
  /**
   * Reads PATH, TERRAFORM_BINARY_NAME, BLUEGREEN_TERRAFORM_MIRROR, XDG_CACHE_HOME, HOME and the proxy variables.
   * `terraform version` gets the whole environment.
   * @default process.env
   */
  readonly env?: NodeJS.ProcessEnv;
  /**
   * Where `terraform/<version>/terraform_<version>_<os>_<arch>.zip` is: https, or http on this machine; may contain
   * credentials.
   * @default - BLUEGREEN_TERRAFORM_MIRROR, otherwise https://releases.hashicorp.com
   */
  readonly mirror?: string;
  /** The SHA-256 of the archives, by platform. @default - those of the vendor's release */
  readonly digests?: typeof PINNED_DIGESTS;
  /** @default - 10 s for a connection, 30 s without data in a download, 30 s for `version` of a binary */
  readonly limits?: Partial<Limits>;
}

interface Limits {
  readonly connectSeconds: number;
  readonly idleSeconds: number;
  readonly versionSeconds: number;
}

interface Search {
  readonly log: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly mirror: string;
  readonly digests: typeof PINNED_DIGESTS;
  readonly limits: Limits;
}

/**
 * Finds a binary that runs and is new enough.
 *
 * Verifies a download against the digest in this package, whatever server it comes from. Verifies a cached copy against the
 * checksum noted at the download, and downloads it again if they differ.
 *
 * @throws InvalidInput (exit code 2) with what failed and the fix.
 */
export async function findTerraform(options: FindTerraformOptions): Promise<TerraformBinary> {
  const env = options.env ?? process.env;
  const search: Search = {
    log: options.log,
    env,
    mirror: options.mirror ?? (env["BLUEGREEN_TERRAFORM_MIRROR"] || VENDOR),
    digests: options.digests ?? PINNED_DIGESTS,
    limits: {
      connectSeconds: CONNECT_SECONDS,
      idleSeconds: IDLE_SECONDS,
      versionSeconds: VERSION_SECONDS,
      ...options.limits,
    },
  };
  const installed = await findInstalled(env);
  const { path, fetched } =
    installed === undefined ? await cachedOrFetched(search) : { path: installed, fetched: false };
  const name = await productOf(path);
  const version = await readVersion(path, name, search);
  if (isOlder(version, OLDEST_VERSION)) {
    throw new InvalidInput(
      `${name} ${version} at ${path} is too old: ${OLDEST_VERSION} or newer is needed ` +
        `(upgrade it, or set TERRAFORM_BINARY_NAME to a newer one)`,
    );
  }
  return { path, name, version, fetched };
}

// --- Installed binaries -------------------------------------------------------------------------------------------

async function findInstalled(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const wanted = env["TERRAFORM_BINARY_NAME"];
  if (!wanted) return (await findOnPath("terraform", env)) ?? (await findOnPath("tofu", env));
  const isPath = /[/\\]/.test(wanted);
  const found = isPath ? await firstExecutable([resolve(wanted)]) : await findOnPath(wanted, env);
  if (found !== undefined) return found;
  const problem = isPath ? `${resolve(wanted)} is not an executable file` : `there is no "${wanted}" on PATH`;
  throw new InvalidInput(
    `TERRAFORM_BINARY_NAME is "${wanted}", but ${problem}: correct it, or unset it to use terraform or tofu from PATH`,
  );
}

function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  // Ignores relative folders on PATH: they mean a different binary in each working directory.
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  return firstExecutable(folders.map((folder) => join(folder, name)));
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await isExecutable(path)) return path;
    if (process.platform === "win32" && (await isExecutable(`${path}.exe`))) return `${path}.exe`;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** By the name of the file or of its link target: both products print the same JSON. */
async function productOf(path: string): Promise<"terraform" | "tofu"> {
  const names = [basename(path), basename(await realpath(path))];
  return names.some((name) => name.includes("tofu")) ? "tofu" : "terraform";
}

// --- Download ---------------------------------------------------------------------------------------------

interface Build {
  /** The vendor's name, such as "linux_amd64". */
  readonly platform: string;
  /** In the archive and in the cache. */
  readonly fileName: string;
  readonly folder: string;
}

/** One folder per platform: different machines may share a home folder. */
function buildForThisMachine(env: NodeJS.ProcessEnv): Build {
  const systems: Partial<Record<string, string>> = { win32: "windows", sunos: "solaris" };
  const architectures: Partial<Record<string, string>> = { x64: "amd64", ia32: "386" };
  const platform = [
    systems[process.platform] ?? process.platform,
    architectures[process.arch] ?? process.arch,
  ].join("_");
  // The XDG base directory specification ignores relative paths.
  const configured = env["XDG_CACHE_HOME"] ?? "";
  const cache = isAbsolute(configured) ? configured : join(env["HOME"] || homedir(), ".cache");
  return {
    platform,
    fileName: process.platform === "win32" ? "terraform.exe" : "terraform",
    folder: join(cache, "bluegreen", "terraform", PINNED_VERSION, platform),
  };
}

async function cachedOrFetched(search: Search): Promise<{ path: string; fetched: boolean }> {
  const build = buildForThisMachine(search.env);
  const path = join(build.folder, build.fileName);
  const state = await cacheState(path);
  if (state === "whole") return { path, fetched: false };
  const reason =
    state === "damaged" ? `The copy at ${path} is damaged` : "Neither terraform nor tofu is on PATH";
  try {
    const binary = await fetchRelease(build, reason, search);
    await keep(path, binary);
  } catch (error) {
    const hint =
      (error as NodeJS.ErrnoException).syscall === undefined
        ? ""
        : " (to use another folder, set XDG_CACHE_HOME)";
    throw new InvalidInput(
      `${reason}, and Terraform ${PINNED_VERSION} could not be downloaded: ${(error as Error).message}${hint}\n` +
        `Fix: ${FIX}`,
    );
  }
  search.log(`Terraform ${PINNED_VERSION} is in ${build.folder} (its archive has the expected sha256)`);
  return { path, fetched: true };
}

async function fetchRelease({ platform, fileName }: Build, reason: string, search: Search): Promise<Buffer> {
  const { log, env, limits } = search;
  const expected = search.digests[platform];
  if (expected === undefined) throw new Error(`its digest for ${platform} is not known`);
  const archive = `terraform_${PINNED_VERSION}_${platform}.zip`;
  const from = URL.canParse(search.mirror) ? printable(new URL(search.mirror)) : search.mirror;
  log(`${reason}: downloading Terraform ${PINNED_VERSION} for ${platform} from ${from}`);
  const zip = await download(`${search.mirror.replace(/\/+$/, "")}/terraform/${PINNED_VERSION}/${archive}`, {
    env,
    ...limits,
    maxBytes: MAX_ZIP_BYTES,
    onProgress: logQuarters(log),
  });
  const actual = createHash("sha256").update(zip).digest("hex");
  if (actual !== expected) {
    throw new Error(`the sha256 of ${archive} from ${from} is ${actual}, but the vendor's is ${expected}`);
  }
  return readEntry(zip, fileName);
}

/** Prints the size, then each quarter. */
function logQuarters(log: (line: string) => void): (received: number, total: number | undefined) => void {
  let last = -1;
  return (received, total) => {
    if (total === undefined || total === 0) return;
    const quarter = Math.floor((received / total) * 4);
    if (quarter === last) return;
    last = quarter;
    const size = `${(total / 1_000_000).toFixed(1)} MB`;
    log(
      quarter === 0 ? `Terraform ${PINNED_VERSION}: ${size} to download` : `  ${quarter * 25} % of ${size}`,
    );
  };
}

// --- Cache: the binary, and beside it `<binary>.sha256` in the format of sha256sum --------------------------------

async function cacheState(path: string): Promise<"whole" | "damaged" | "absent"> {
  if (!(await exists(path))) return "absent";
  if (!(await isExecutable(path))) return "damaged";
  try {
    const noted = await readFile(`${path}.sha256`, "utf8");
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    return noted === sumLine(hash.digest("hex"), path) ? "whole" : "damaged";
  } catch {
    return "damaged";
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Writes the checksum first: a binary without a matching checksum counts as damaged. */
async function keep(path: string, binary: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const sum = createHash("sha256").update(binary).digest("hex");
  await replaceFile(`${path}.sha256`, sumLine(sum, path), 0o644);
  await replaceFile(path, binary, 0o755);
}

function sumLine(sum: string, path: string): string {
  return `${sum}  ${basename(path)}\n`;
}

/** Atomic: another process that reads or runs `path` meanwhile gets the whole old file or the whole new one. */
async function replaceFile(path: string, content: string | Buffer, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.part`;
  try {
    await writeFile(temporary, content, { flag: "wx" });
    await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

// --- Version --------------------------------------------------------------------------------------

const VersionAnswer = z.object({ terraform_version: z.string().check(z.regex(/^\d+\.\d+\.\d+/)) });

async function readVersion(path: string, name: string, { env, limits }: Search): Promise<string> {
  const answer = await askVersion(path, env, limits.versionSeconds);
  const which = `${name} at ${path}`;
  const fix = "set TERRAFORM_BINARY_NAME to one that works";
  if ("failure" in answer) throw new InvalidInput(`${which} ${answer.failure}: ${fix}`);
  const parsed = z.safeParse(VersionAnswer, parseJson(jsonOf(answer.stdout)));
  if (parsed.success) return parsed.data.terraform_version;
  const printed = firstLine(answer.stdout);
  throw new InvalidInput(`${which} does not print its version as JSON, but ${printed}: ${fix}`);
}

async function askVersion(
  path: string,
  env: NodeJS.ProcessEnv,
  seconds: number,
): Promise<{ readonly stdout: string } | { readonly failure: string }> {
  // TF_CLI_ARGS may have options that `version` does not know; checkpoint would send the vendor a request.
  const { TF_CLI_ARGS: _all, TF_CLI_ARGS_version: _version, ...rest } = env;
  const child = execa(path, ["version", "-json"], {
    env: { ...rest, CHECKPOINT_DISABLE: "1" },
    extendEnv: false,
    stdin: "ignore",
    maxBuffer: 1024 * 1024,
    cleanup: true,
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
    // A wrapper's child may survive and hold the pipes open: do not wait for it.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, seconds * 1000);
  try {
    return { stdout: (await child).stdout };
  } catch (error) {
    if (late) return { failure: `did not print its version within ${seconds} s` };
    return { failure: describeExit(error as execa.ExecaError & { readonly code?: string }) };
  } finally {
    clearTimeout(timer);
  }
}

function describeExit(error: execa.ExecaError & { readonly code?: string }): string {
  if (error.exitCode !== undefined) {
    return `fails with exit code ${error.exitCode} for "version -json", and prints ${firstLine(error.stderr)}`;
  }
  if (error.signal !== undefined) return `was ended by ${error.signal} during "version -json"`;
  return `cannot be run (${error.originalMessage ?? error.shortMessage})`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The first line, quoted and shortened. */
function firstLine(text: string): string {
  const line = text.split("\n").find((candidate) => candidate.trim() !== "");
  return line === undefined ? "nothing" : JSON.stringify(line.trim().slice(0, 120));
}

/** A pre-release (`1.6.0-rc1`) is older than its release. */
export function isOlder(version: string, limit: string): boolean {
  const [core = "", preRelease] = version.split(/-(.*)/s);
  const actual = core.split(".").map(Number);
  const needed = limit.split(".").map(Number);
  const differing = needed.findIndex((part, index) => part !== actual[index]);
  if (differing === -1) return preRelease !== undefined;
  return (actual[differing] ?? 0) < (needed[differing] ?? 0);
}
