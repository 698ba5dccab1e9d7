/**
 * Which Terraform (or OpenTofu) the operator's command runs: the one that TERRAFORM_BINARY_NAME names, else the one on
 * PATH, else a pinned Terraform that is fetched from its vendor once and kept in a cache folder.
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
import { readEntry } from "../zip";

/** What is fetched where there is none: the release that everything here is tested with. */
export const PINNED_VERSION = "1.11.4";
/** OpenTofu begins with 1.6.0, so one number holds for both; and nothing older is tested. */
const OLDEST_VERSION = "1.6.0";
const VENDOR = "https://releases.hashicorp.com";
const CONNECT_SECONDS = 10;
const IDLE_SECONDS = 30;
const VERSION_SECONDS = 30;
const MAX_SUMS_BYTES = 1024 * 1024;
const MAX_ZIP_BYTES = 256 * 1024 * 1024;
const WAY_OUT =
  "install terraform or tofu, or set TERRAFORM_BINARY_NAME to one, or BLUEGREEN_TERRAFORM_MIRROR to a mirror of " +
  VENDOR;

export interface TerraformBinary {
  /** Absolute. */
  readonly path: string;
  readonly name: "terraform" | "tofu";
  /** As the binary says, such as "1.11.4". */
  readonly version: string;
  /** Whether this call fetched it; false if it was there, in the cache folder too. */
  readonly fetched: boolean;
}

export interface FindTerraformOptions {
  /** Takes one line for the operator. Only a fetch has anything to say. */
  readonly say: (line: string) => void;
  /**
   * PATH, TERRAFORM_BINARY_NAME, BLUEGREEN_TERRAFORM_MIRROR, XDG_CACHE_HOME, HOME and the proxy variables are read;
   * the binary gets all of it when it is asked for its version.
   * @default process.env
   */
  readonly env?: NodeJS.ProcessEnv;
  /**
   * Where `terraform/<version>/terraform_<version>_<os>_<arch>.zip` and its SHA256SUMS are: https, or http on this
   * machine; may carry credentials.
   * @default - BLUEGREEN_TERRAFORM_MIRROR, else https://releases.hashicorp.com
   */
  readonly mirror?: string;
  /** @default - 10 s for a connection, 30 s of silence in a download, 30 s for a binary to tell its version */
  readonly limits?: Partial<Limits>;
}

interface Limits {
  readonly connectSeconds: number;
  readonly idleSeconds: number;
  readonly versionSeconds: number;
}

interface Search {
  readonly say: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly mirror: string;
  readonly limits: Limits;
}

/**
 * Finds a binary that runs and is new enough.
 *
 * What is fetched is checked against the vendor's SHA256SUMS from the same place (its signature is not checked), so it
 * is as trustworthy as that place and its https certificate. A copy in the cache is checked against the sum noted when
 * it was unpacked, and fetched anew if it differs.
 *
 * @throws Failure (exit code 2) with what was looked for or tried, and the way out.
 */
export async function findTerraform(options: FindTerraformOptions): Promise<TerraformBinary> {
  const env = options.env ?? process.env;
  const search: Search = {
    say: options.say,
    env,
    mirror: options.mirror ?? (env["BLUEGREEN_TERRAFORM_MIRROR"] || VENDOR),
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

// --- What is installed -------------------------------------------------------------------------------------------

async function findInstalled(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const wanted = env["TERRAFORM_BINARY_NAME"];
  if (!wanted) return (await findOnPath("terraform", env)) ?? (await findOnPath("tofu", env));
  const isPath = /[/\\]/.test(wanted);
  const found = isPath ? await firstExecutable([resolve(wanted)]) : await findOnPath(wanted, env);
  if (found !== undefined) return found;
  const lookedFor = isPath
    ? `${resolve(wanted)} is no file that can be run`
    : `there is no "${wanted}" on PATH`;
  throw new InvalidInput(
    `TERRAFORM_BINARY_NAME is "${wanted}", but ${lookedFor}: correct it, or unset it to use terraform or tofu from PATH`,
  );
}

function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  // A relative folder on PATH means another binary in each working directory: not for what changes a production.
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

/** By the file's name, or that of the file it links to: both print the same JSON. */
async function productOf(path: string): Promise<"terraform" | "tofu"> {
  const names = [basename(path), basename(await realpath(path))];
  return names.some((name) => name.includes("tofu")) ? "tofu" : "terraform";
}

// --- What is fetched ---------------------------------------------------------------------------------------------

interface Build {
  /** As the vendor names it, such as "linux_amd64". */
  readonly platform: string;
  /** Of the entry in the archive, and of the file in the cache. */
  readonly fileName: string;
  readonly folder: string;
}

/** One folder a platform: a home folder may be shared by machines that differ. */
function buildForThisMachine(env: NodeJS.ProcessEnv): Build {
  const systems: Partial<Record<string, string>> = { win32: "windows", sunos: "solaris" };
  const architectures: Partial<Record<string, string>> = { x64: "amd64", ia32: "386" };
  const platform = [
    systems[process.platform] ?? process.platform,
    architectures[process.arch] ?? process.arch,
  ].join("_");
  // The XDG base directory specification: a relative path is to be ignored.
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
      (error as NodeJS.ErrnoException).syscall === undefined ? "" : " (XDG_CACHE_HOME names another folder)";
    throw new InvalidInput(
      `${reason}, and Terraform ${PINNED_VERSION} could not be fetched: ${(error as Error).message}${hint}\n` +
        `What helps: ${WAY_OUT}`,
    );
  }
  search.say(
    `Terraform ${PINNED_VERSION} is kept in ${build.folder} (its archive has the sha256 that SHA256SUMS lists)`,
  );
  return { path, fetched: true };
}

async function fetchRelease({ platform, fileName }: Build, reason: string, search: Search): Promise<Buffer> {
  const { say, env, limits } = search;
  const base = `${search.mirror.replace(/\/+$/, "")}/terraform/${PINNED_VERSION}/terraform_${PINNED_VERSION}`;
  const archive = `terraform_${PINNED_VERSION}_${platform}.zip`;
  const from = URL.canParse(search.mirror) ? printable(new URL(search.mirror)) : search.mirror;
  say(`${reason}: fetching Terraform ${PINNED_VERSION} for ${platform} from ${from}`);
  const sums = await download(`${base}_SHA256SUMS`, { env, ...limits, maxBytes: MAX_SUMS_BYTES });
  const expected = listedSum(sums.toString("utf8"), archive);
  if (expected === undefined) throw new Error(`the SHA256SUMS of ${from} do not list ${archive}`);
  const zip = await download(`${base}_${platform}.zip`, {
    env,
    ...limits,
    maxBytes: MAX_ZIP_BYTES,
    onProgress: sayQuarters(say),
  });
  const actual = createHash("sha256").update(zip).digest("hex");
  if (actual !== expected) {
    throw new Error(`the sha256 of ${archive} from ${from} is ${actual}, but its SHA256SUMS say ${expected}`);
  }
  return readEntry(zip, fileName);
}

function listedSum(sums: string, archive: string): string | undefined {
  const line = sums.split(/\r?\n/).find((candidate) => candidate.endsWith(` ${archive}`));
  return line?.match(/^([0-9a-f]{64}) /)?.[1];
}

/** The size when it is known, then each quarter. */
function sayQuarters(say: (line: string) => void): (received: number, total: number | undefined) => void {
  let said = -1;
  return (received, total) => {
    if (total === undefined || total === 0) return;
    const quarter = Math.floor((received / total) * 4);
    if (quarter === said) return;
    said = quarter;
    const size = `${(total / 1_000_000).toFixed(1)} MB`;
    say(quarter === 0 ? `Terraform ${PINNED_VERSION}: ${size} to fetch` : `  ${quarter * 25} % of ${size}`);
  };
}

// --- The cache: the binary, and beside it `<binary>.sha256` as sha256sum writes it --------------------------------

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

/** The sum first: a binary without its sum, or with another's, counts as damaged, never as whole. */
async function keep(path: string, binary: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const sum = createHash("sha256").update(binary).digest("hex");
  await replaceFile(`${path}.sha256`, sumLine(sum, path), 0o644);
  await replaceFile(path, binary, 0o755);
}

function sumLine(sum: string, path: string): string {
  return `${sum}  ${basename(path)}\n`;
}

/** Whoever reads or runs `path` meanwhile has the old file or the new one, whole. */
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

// --- What it says of itself --------------------------------------------------------------------------------------

const VersionAnswer = z.object({ terraform_version: z.string().check(z.regex(/^\d+\.\d+\.\d+/)) });

async function readVersion(path: string, name: string, { env, limits }: Search): Promise<string> {
  const answer = await askVersion(path, env, limits.versionSeconds);
  const which = `${name} at ${path}`;
  const wayOut = "set TERRAFORM_BINARY_NAME to one that works";
  if ("failure" in answer) throw new InvalidInput(`${which} ${answer.failure}: ${wayOut}`);
  const parsed = z.safeParse(VersionAnswer, parseJson(answer.stdout));
  if (parsed.success) return parsed.data.terraform_version;
  const said = firstLine(answer.stdout);
  throw new InvalidInput(`${which} does not tell its version as JSON but says ${said}: ${wayOut}`);
}

async function askVersion(
  path: string,
  env: NodeJS.ProcessEnv,
  seconds: number,
): Promise<{ readonly stdout: string } | { readonly failure: string }> {
  // TF_CLI_ARGS may hold what `version` does not know; checkpoint would ask the vendor for news.
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
    // A wrapper's own child may live on and hold the pipes open: nobody waits for it.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, seconds * 1000);
  try {
    return { stdout: (await child).stdout };
  } catch (error) {
    if (late) return { failure: `did not tell its version within ${seconds} s` };
    return { failure: describeExit(error as execa.ExecaError & { readonly code?: string }) };
  } finally {
    clearTimeout(timer);
  }
}

function describeExit(error: execa.ExecaError & { readonly code?: string }): string {
  if (error.exitCode !== undefined) {
    return `fails with exit code ${error.exitCode} when asked for its version, and says ${firstLine(error.stderr)}`;
  }
  if (error.signal !== undefined) return `was ended by ${error.signal} when asked for its version`;
  return `cannot be run (${error.originalMessage ?? error.shortMessage})`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** For a person: one line, quoted, of bearable length. */
function firstLine(text: string): string {
  const line = text.split("\n").find((candidate) => candidate.trim() !== "");
  return line === undefined ? "nothing" : JSON.stringify(line.trim().slice(0, 120));
}

/** A pre-release (`1.6.0-rc1`) is older than its release. */
function isOlder(version: string, limit: string): boolean {
  const [core = "", preRelease] = version.split(/-(.*)/s);
  const actual = core.split(".").map(Number);
  const needed = limit.split(".").map(Number);
  const differing = needed.findIndex((part, index) => part !== actual[index]);
  if (differing === -1) return preRelease !== undefined;
  return (actual[differing] ?? 0) < (needed[differing] ?? 0);
}
