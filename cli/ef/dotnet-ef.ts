/** Reads a project with `dotnet ef`: its provider, its migrations, and the SQL of their whole history. */
import { Failure, InvalidInput } from "../../release/failure";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import * as z from "zod/mini";
import { quote, inOneLine } from "../../release/text";
import { parseJson } from "../../release/validation";
import { runLimited } from "../../system/run-limited";

export interface EfProject {
  /** A folder with one project, or a project file. */
  readonly project: string;
  readonly startupProject?: string;
  readonly context?: string;
}

/** EF's raw answers about a project. */
export interface EfHistoryTexts {
  readonly provider: string;
  /** In EF's order. */
  readonly ids: readonly string[];
  readonly withoutTransactions: string;
  readonly withTransactions: string;
}

const Info = z.object({ providerName: z.string() });
const List = z.array(z.object({ id: z.string() }));
const Contexts = z.array(z.object({ safeName: z.string() }));

/** Enough for a restore into an empty cache and a build of a large solution. */
const LONGEST_SECONDS = 30 * 60;
/** Of a tool's output: enough to see why it failed. */
const LAST_LINES = 4;
const INSTALL = "dotnet tool install --global dotnet-ef";

/**
 * Builds the project once; EF connects to no database.
 * @throws Failure (bad input) if a tool is missing, or with its last lines if it fails.
 */
export async function readEfProject(given: EfProject, now: (text: string) => void): Promise<EfHistoryTexts> {
  const tool = new DotnetEf(given);
  await tool.check();
  now(`building ${basename(tool.startup)}`);
  await tool.build();
  now("reading the project's migrations with EF Core");
  // Both start the application's code, which is slow. The first one's error is clearer.
  const [info, list] = await Promise.allSettled([tool.provider(), tool.migrations()]);
  if (info.status === "rejected") throw info.reason;
  if (list.status === "rejected") throw list.reason;
  const [provider, ids] = [info.value, list.value];
  if (ids.length === 0) {
    throw new InvalidInput(
      `${given.project} has no migrations${given.context === undefined ? "" : ` for ${quote(given.context)}`}: dotnet ef migrations add Init`,
    );
  }
  now(`reading the SQL of ${ids.length === 1 ? "1 migration" : `${ids.length} migrations`} with EF Core`);
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-ef-"));
  try {
    const script = async (file: string, ...options: string[]): Promise<string> => {
      const output = join(folder, file);
      await tool.ef(["migrations", "script", "0", ids.at(-1)!, ...options, "--output", output]);
      // EF writes a byte order mark, and its platform's line ends.
      return readFileSync(output, "utf8")
        .replace(/^\uFEFF/, "")
        .replace(/\r\n?/g, "\n");
    };
    const [withoutTransactions, withTransactions] = await Promise.all([
      script("without.sql", "--no-transactions"),
      script("with.sql"),
    ]);
    return { provider, ids, withoutTransactions, withTransactions };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class DotnetEf {
  readonly startup: string;
  private readonly project: string;
  /** The working directory: dotnet finds the project's tool manifest and global.json from it. */
  private readonly folder: string;

  constructor(private readonly given: EfProject) {
    this.project = existing("--project", given.project);
    this.startup =
      given.startupProject === undefined ? this.project : existing("--startup-project", given.startupProject);
    this.folder = statSync(this.project).isDirectory() ? this.project : dirname(this.project);
    if (given.context?.startsWith("-") === true)
      throw new InvalidInput(`--context ${quote(given.context)} is not the name of a DbContext`);
  }

  async check(): Promise<void> {
    const { exitCode, output } = await this.run(["ef", "--version"]);
    if (exitCode === 0) return;
    throw new InvalidInput(`dotnet ef does not start (${INSTALL}, or dotnet tool restore): ${last(output)}`);
  }

  async build(): Promise<void> {
    const args = ["build", this.startup, "--verbosity", "quiet", "--nologo", "-clp:ErrorsOnly"];
    const { exitCode, output } = await this.run(args);
    if (exitCode === 0) return;
    // A summary follows the errors. Its order and language vary.
    const errors = [...new Set(output.split(/\r?\n/).filter((line) => /: error [A-Z]+\d+/.test(line)))];
    const shown = errors.length === 0 ? output : errors.slice(0, LAST_LINES).join("\n");
    throw new InvalidInput(`${this.given.project} does not build: ${last(shown)}`);
  }

  async provider(): Promise<string> {
    try {
      return this.data(Info, await this.ef(["dbcontext", "info", "--json"])).providerName;
    } catch (error) {
      if (!(error instanceof Failure) || this.given.context !== undefined) throw error;
      const names = await this.contexts();
      if (names.length < 2) throw error;
      throw new InvalidInput(
        `${this.given.project} has ${names.length} contexts: choose one with --context ${names.join(" or --context ")}`,
      );
    }
  }

  async migrations(): Promise<string[]> {
    return this.data(List, await this.ef(["migrations", "list", "--no-connect", "--json"])).map(
      ({ id }) => id,
    );
  }

  /** @returns the lines that it marks as data. */
  async ef(args: readonly string[]): Promise<string> {
    const { context } = this.given;
    const all = [
      ...["ef", ...args, "--no-build", "--prefix-output", "--no-color"],
      ...["--project", this.project, "--startup-project", this.startup],
      ...(context === undefined ? [] : ["--context", context]),
    ];
    const { exitCode, output, stdout } = await this.run(all);
    if (exitCode === 0) return prefixed("data", stdout).join("\n");
    const errors = prefixed("error", output);
    throw new InvalidInput(
      `dotnet ef ${args.slice(0, 2).join(" ")} fails: ${last(errors.length === 0 ? output : errors.join("\n"))}`,
    );
  }

  private async contexts(): Promise<string[]> {
    try {
      const listed = this.data(Contexts, await this.ef(["dbcontext", "list", "--json"]));
      return listed.map(({ safeName }) => safeName);
    } catch {
      return []; // the first error explains it
    }
  }

  private data<T extends z.ZodMiniType>(schema: T, text: string): z.infer<T> {
    const parsed = z.safeParse(schema, parseJson(text, "the output of dotnet ef"));
    if (parsed.success) return parsed.data;
    throw new InvalidInput(`dotnet ef has an unexpected output: ${last(text)}`);
  }

  private async run(args: readonly string[]): Promise<{ exitCode: number; output: string; stdout: string }> {
    try {
      const { exitCode, stdout, stderr } = await runLimited("dotnet", args, {
        seconds: LONGEST_SECONDS,
        cwd: this.folder,
        // Build servers left running would keep our pipes open.
        env: { DOTNET_NOLOGO: "1", MSBUILDDISABLENODEREUSE: "1", UseSharedCompilation: "false" },
      });
      return { exitCode, output: `${stdout}\n${stderr}`, stdout };
    } catch (error) {
      const message = inOneLine((error as Error).message);
      if (!/ENOENT/.test(message)) throw new InvalidInput(message);
      throw new InvalidInput(`dotnet was not found (${message}): install the .NET SDK, then ${INSTALL}`);
    }
  }
}

function existing(option: string, path: string): string {
  const found = resolve(path);
  if (statSync(found, { throwIfNoEntry: false }) !== undefined) return found;
  throw new InvalidInput(`${option} ${quote(path)}: no such folder or file`);
}

/** The lines of one level, as `--prefix-output` marks them. */
function prefixed(level: string, text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => new RegExp(`^${level}: *(.*)$`).exec(line)?.[1] ?? []);
}

function last(text: string): string {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  return inOneLine(lines.slice(-LAST_LINES).join(" | "));
}
