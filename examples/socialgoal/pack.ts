/**
 * Packs the artifacts of the example: `app/` plus the overlays of a release, as a zip and its digest.
 *
 * An overlay `releases/<version>/` holds the files that differ, and a `release.json` that names the release it is
 * `basedOn`. The same sources give the same bytes on every machine, so the digest is known before the upload.
 *
 *     npx tsx examples/socialgoal/pack.ts [--to FOLDER] [--from VERSION] [--database DATABASE] [version ...]
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import * as path from "node:path";
import { Command, Option } from "commander";
import { ZipFile } from "yazl";
import { z } from "zod";

export interface PackReleaseProps {
  /** The version in the artifact, such as 1.1.1. */
  readonly version: string;
  /**
   * The release whose code is packed, so that a patch version needs no separate overlay.
   * @default the same as `version`
   */
  readonly from?: string | undefined;
  /** The folder of the zip; created if it is missing. */
  readonly to: string;
  /** The database of its driver and migrations. @default "postgres" */
  readonly database?: Database | undefined;
}

type Database = keyof typeof DRIVERS;

export interface PackedRelease {
  /** The absolute path of the zip. */
  readonly file: string;
  readonly version: string;
  /** SHA-256 of the zip, in hexadecimal. */
  readonly sha256: string;
}

const DEFAULT_FOLDER = path.join(".bluegreen", "packages");
/** Each database's driver as one file, as the build has it below `lib`, and its place in an artifact. */
const DRIVERS = {
  postgres: { built: "examples/socialgoal/vendor/pg.js", placed: "vendor/pg.js" },
  mssql: { built: "on-server/migrate.js", placed: "vendor/tedious.js" },
} as const;
const RELEASE_FILE = "release.json";
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

const overlaySchema = z.strictObject({ basedOn: z.string().nullable(), notes: z.string() });
type Overlay = z.infer<typeof overlaySchema>;

/** Packs one release. Refuses an invalid version, and a release without an overlay. */
export async function packRelease({
  version,
  from = version,
  to,
  database = "postgres",
}: PackReleaseProps): Promise<PackedRelease> {
  if (!VERSION.test(version)) throw new Error(`'version' (${version}) must look like 1.2.3`);
  const example = exampleFolder();
  const chain = await overlayChain(example, from);
  const files = await filesIn(path.join(example, "app"));
  for (const { folder } of chain) {
    for (const [name, content] of await filesIn(folder)) {
      const placed = placeIn(name, database);
      if (placed !== null) files.set(placed, content);
    }
  }
  const { built, placed } = DRIVERS[database];
  files.set(placed, await readFile(path.join(builtFolder(), built)));
  const release = { version, notes: chain.at(-1)?.overlay.notes };
  files.set(RELEASE_FILE, Buffer.from(JSON.stringify(release, undefined, 2) + "\n"));

  const zip = await zipOf(files);
  const file = path.resolve(to, `socialgoal-${version}.zip`);
  await writeAtomically(file, zip);
  return { file, version, sha256: createHash("sha256").update(zip).digest("hex") };
}

/** Packs every release that has an overlay, oldest first. */
export async function packAll(to: string, database?: Database): Promise<PackedRelease[]> {
  const packed: PackedRelease[] = [];
  for (const version of await knownVersions(exampleFolder()))
    packed.push(await packRelease({ version, to, database }));
  return packed;
}

/** The compiled file is below `lib`, while `app` and `releases` are in the package's `examples`. */
function exampleFolder(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    const example = path.join(folder, "examples", "socialgoal");
    if (existsSync(path.join(example, "app"))) return example;
    if (folder === path.dirname(folder)) throw new Error(`no examples/socialgoal/app above ${__dirname}`);
  }
}

/** An overlay has its migrations for PostgreSQL in `migrations/`, for another database in `migrations.<database>/`. */
function placeIn(name: string, database: Database): string | null {
  const [, of = "postgres", file] = /^migrations(?:\.(\w+))?\/(.*)$/.exec(name) ?? [];
  if (file === undefined) return name;
  return of === database ? `migrations/${file}` : null;
}

function builtFolder(): string {
  return path.join(exampleFolder(), "..", "..", "lib");
}

/** The overlays of a release, in the order in which they are copied. */
async function overlayChain(example: string, from: string): Promise<{ folder: string; overlay: Overlay }[]> {
  const versions = await knownVersions(example);
  const chain: { folder: string; overlay: Overlay }[] = [];
  for (let version: string | null = from; version !== null; version = chain[0]?.overlay.basedOn ?? null) {
    if (!versions.includes(version)) {
      throw new Error(
        `there is no release ${version}, only ${versions.join(", ")} ('from' names a patch's code)`,
      );
    }
    const folder = path.join(example, "releases", version);
    if (chain.some((each) => each.folder === folder))
      throw new Error(`release ${version} is based on itself`);
    chain.unshift({ folder, overlay: await readOverlay(path.join(folder, RELEASE_FILE)) });
  }
  return chain;
}

async function readOverlay(file: string): Promise<Overlay> {
  const parsed = overlaySchema.safeParse(JSON.parse(await readFile(file, "utf8")));
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

async function knownVersions(example: string): Promise<string[]> {
  const names = await readdir(path.join(example, "releases"));
  const inOrder = new Intl.Collator("en", { numeric: true });
  return names.filter((name) => VERSION.test(name)).sort(inOrder.compare);
}

/** Path inside the artifact -> content. Ignores hidden files, which desktops leave behind. */
async function filesIn(folder: string, prefix = ""): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const name = prefix + entry.name;
    const place = path.join(folder, entry.name);
    if (!entry.isDirectory()) files.set(name, await readFile(place));
    else for (const [inner, content] of await filesIn(place, `${name}/`)) files.set(inner, content);
  }
  return files;
}

/**
 * Names in byte order, constant time and mode, no compression: deflate's output differs between zlib versions and
 * processors. A zip has local time, so the date is local too: the same bytes in every time zone.
 */
async function zipOf(files: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  const options = {
    mtime: new Date(2000, 0, 2, 12),
    forceDosTimestamp: true,
    mode: 0o100644,
    compress: false,
  };
  const zip = new ZipFile();
  for (const [name, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    zip.addBuffer(content, name, options);
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function writeAtomically(file: string, content: Buffer): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}.partial`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function main(): Promise<void> {
  const command = new Command("pack")
    .description("Pack releases of the example application. Prints a line 'version  sha256  file' for each.")
    .argument("[version...]", "the releases to pack (default: all)")
    .option("--to <folder>", "folder for the zips", DEFAULT_FOLDER)
    .option("--from <version>", "pack this release's code under the given versions")
    .addOption(
      new Option("--database <database>", "the database of their driver and migrations").choices(
        Object.keys(DRIVERS),
      ),
    )
    .parse();
  const { to, from, database } = command.opts<{ to: string; from?: string; database?: Database }>();
  if (from !== undefined && command.args.length === 0)
    throw new Error("--from needs the version to pack it as");
  const packed = command.args.length === 0 ? await packAll(to, database) : [];
  for (const version of command.args) packed.push(await packRelease({ version, from, to, database }));
  for (const { version, sha256, file } of packed) console.log(`${version}  ${sha256}  ${file}`);
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  });
}
