/** publish: uploads artifacts and migrations before a release. */
import { InvalidInput } from "../../release/failure";
import { join } from "node:path";
import type { Command } from "commander";
import { statSync } from "node:fs";
import { formatBytes } from "../artifact/bytes";
import { openPruning } from "../artifact/prune";
import type { Leftover } from "../artifact/prune";
import { publish } from "../artifact/publish";
import type { Published } from "../artifact/publish";
import { DEFAULT_ENVIRONMENT } from "../project/project";
import { lockProject } from "../project/project-lock";
import { out } from "../terminal/colours";
import { canAsk, confirm } from "../terminal/questions";
import { shellWord } from "../terminal/shell-word";
import { common, open, progressFor, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

const KEEP_DAYS = 30;
const LONGEST_DAYS = 36_500;

interface PublishOptions extends CommonOptions {
  readonly artifact?: string;
  readonly migrations?: string;
  readonly prune?: boolean;
  readonly keepDays?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addPublish(program: Command): void {
  common(program.command("publish").argument("[version]", "the version, as in 1.4.0"))
    .description("upload an artifact to where servers download it, under a name that never changes")
    .option("--artifact <folder|zip>", "the application: a folder, or a packed file (zip, .tar.gz)")
    .option("--migrations <folder|zip>", "SQL scripts; default: migrations/ in the artifact")
    .option("--prune", "remove files that no release refers to any more")
    .option(
      "--keep-days <days>",
      `with --prune: keep newer files, and files in newer receipts (default: ${KEEP_DAYS})`,
    )
    .option("--dry-run", "with --prune: only list them")
    .option("--yes", "with --prune: don't ask")
    .action((version: string | undefined, options: PublishOptions) =>
      options.prune === true ? prune(version, options) : publishVersion(version, options),
    );
}

async function publishVersion(version: string | undefined, options: PublishOptions): Promise<void> {
  const { artifact, migrations } = options;
  if (version === undefined || (artifact === undefined && migrations === undefined)) {
    throw new InvalidInput("nothing to publish: run bluegreen publish <version> --artifact <folder|zip>");
  }
  for (const [name, given] of Object.entries({
    "--keep-days": options.keepDays,
    "--dry-run": options.dryRun,
    "--yes": options.yes,
  })) {
    if (given !== undefined) throw new InvalidInput(`${name} needs --prune`);
  }
  const source = {
    ...(artifact === undefined ? {} : { artifact }),
    ...(migrations === undefined ? {} : { migrations }),
  };
  const published = await publish(open(options), version, source, progressFor(options));
  const { migrationFields: _, artifact: stored, ...others } = published;
  printResult(options, { ...stored, ...others }, describe(published, version, options));
}

/** The last line is the next command. */
function describe(
  { artifact, migrations }: Published,
  version: string,
  { environment, artifact: source, migrations: given }: PublishOptions,
): string {
  const lines = [artifact, migrations].flatMap((stored) => {
    if (stored === undefined) return [];
    const size = "bytes" in stored ? ` (${formatBytes(stored.bytes)})` : "";
    return [
      `${out.green("✔")} ${stored.uploaded ? "published" : "already there"}: ${stored.url}${size}`,
      `  sha256 ${stored.sha256}`,
    ];
  });
  if (artifact === undefined) return lines.join("\n");
  const next = ["bluegreen", "release", version, "--artifact", artifact.url, "--sha256", artifact.sha256];
  if (migrations !== undefined) next.push("--migrations", given ?? carriedIn(source!));
  if (environment !== DEFAULT_ENVIRONMENT) next.push("--environment", environment);
  return [...lines, `next: ${next.map(shellWord).join(" ")}`].join("\n");
}

function carriedIn(source: string): string {
  return statSync(source).isDirectory() ? join(source, "migrations") : source;
}

async function prune(version: string | undefined, options: PublishOptions): Promise<void> {
  if (version !== undefined || options.artifact !== undefined || options.migrations !== undefined) {
    throw new InvalidInput("--prune publishes nothing: omit the version, --artifact and --migrations");
  }
  const project = open(options);
  const pruning = await openPruning(project, daysOf(options), progressFor(options));
  const found = await pruning.find();
  const bytes = sumOf(found);
  const result = (removed: readonly Leftover[]): object => ({
    unreferenced: found.map(({ url, bytes, modifiedAt }) => ({ url, bytes, modifiedAt })),
    bytes,
    removed: removed.map(({ url }) => url),
  });
  if (found.length === 0) return printResult(options, result([]), "nothing to remove");
  const total = `${found.length} ${found.length === 1 ? "file" : "files"}, ${formatBytes(bytes)}`;
  if (options.json !== true) console.log([...found.map(lineOf), total].join("\n"));
  if (options.dryRun === true) return printResult(options, result([]), "nothing was removed (--dry-run)");
  if (options.yes !== true && !(await confirms(`Remove ${total}?`, total, options))) {
    return printResult(options, result([]), "nothing was removed");
  }
  const lock = await lockProject(project, "publish --prune");
  try {
    const removed = await pruning.remove(found);
    printResult(options, result(removed), `removed ${removed.length}, ${formatBytes(sumOf(removed))}`);
  } finally {
    lock.release();
  }
}

function daysOf({ keepDays = String(KEEP_DAYS) }: PublishOptions): number {
  if (/^\d{1,5}$/.test(keepDays) && Number(keepDays) <= LONGEST_DAYS) return Number(keepDays);
  throw new InvalidInput(`--keep-days ${keepDays} must be whole days from 0 to ${LONGEST_DAYS}`);
}

function sumOf(leftovers: readonly Leftover[]): number {
  return leftovers.reduce((sum, { bytes }) => sum + bytes, 0);
}

function lineOf({ url, bytes, modifiedAt }: Leftover): string {
  return `${modifiedAt.toISOString().slice(0, 10)}  ${formatBytes(bytes).padStart(10)}  ${url}`;
}

/** @throws InvalidInput without a terminal to ask at. */
async function confirms(message: string, total: string, { json }: CommonOptions): Promise<boolean> {
  if (json !== true && canAsk()) return confirm(message);
  throw new InvalidInput(`${total} would be removed: confirm with --yes, or list with --dry-run`);
}
