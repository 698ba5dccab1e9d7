/**
 * Projects of somebody who installed the package from its tarball, outside of the repository.
 *
 * npm resolves everything that the manifest asks for, peers included, and the tarball is unpacked. The packages that it
 * and the project name are 400 MB, so they are links to where the repository has them: Node.js and the compiler follow
 * links to the real folder, so there is one copy of each, as after an install in full; and what nobody names is not found.
 */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { follow } from "../../development/testbed/processes";
import type { Ran } from "../../development/testbed/processes";

const QUIETLY = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
const TEMPLATE = resolve("node_modules/@cdktf/cli-core/templates/typescript");

interface LockFile {
  /** By place; a `name` where the place has another. */
  readonly packages: Record<string, { readonly name?: string; readonly version: string }>;
}

/** An empty folder for all projects of a suite. */
export function workplace(): string {
  return mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-package-"));
}

export class Project {
  /** @param folder is made where it is missing. */
  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  in(...names: string[]): string {
    return join(this.folder, ...names);
  }

  write(name: string, content: string | object): void {
    mkdirSync(dirname(this.in(name)), { recursive: true });
    writeFileSync(this.in(name), typeof content === "string" ? content : JSON.stringify(content, null, 2));
  }

  json<T>(name: string): T {
    return JSON.parse(readFileSync(this.in(name), "utf8")) as T;
  }

  /** As `cdktf init --template typescript` lays it out. */
  fillWithTemplate(): void {
    cpSync(TEMPLATE, this.folder, { recursive: true, filter: (path) => !path.endsWith(".hooks.sscaff.js") });
    for (const entry of readdirSync(this.folder, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = readFileSync(this.in(entry.name), "utf8");
      writeFileSync(
        this.in(entry.name),
        text
          .replaceAll("{{ $base }}", "template")
          .replaceAll("{{projectId}}", "template")
          .replaceAll("{{sendCrashReports}}", "false")
          .replaceAll("{{futureFlags}}", ""),
      );
    }
  }

  /**
   * Adds dependencies to what package.json says, and lets npm resolve them.
   * @returns the version of each package that it would put in node_modules.
   */
  async resolve(manifest: object): Promise<Record<string, string>> {
    const given = existsSync(this.in("package.json")) ? this.json<object>("package.json") : { private: true };
    this.write("package.json", { ...given, ...manifest });
    await this.must("npm", ["install", "--package-lock-only", ...QUIETLY]);
    const { packages } = this.json<LockFile>("package-lock.json");
    const installed = Object.entries(packages).filter(([place]) => place !== "");
    return Object.fromEntries(
      installed.map(([place, { version }]) => [place.replace("node_modules/", ""), version]),
    );
  }

  /** Unpacks the package, and links its dependencies; those that are peers are the project's to name. */
  async unpack(tarball: string): Promise<void> {
    const place = this.in("node_modules/cdktf-bluegreen");
    mkdirSync(place, { recursive: true });
    await this.must("tar", ["-xzf", tarball, "-C", place, "--strip-components=1"]);
    const { dependencies } = this.json<{ dependencies: object }>("node_modules/cdktf-bluegreen/package.json");
    this.link(...Object.keys(dependencies));
  }

  /** Puts packages of the repository where this project looks for packages. */
  link(...names: string[]): void {
    for (const name of names) {
      const place = this.in("node_modules", name);
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(resolve("node_modules", name), place);
    }
  }

  /**
   * Fetches packages as package-lock.json has them, through npm's cache. Of a provider's package, which is 270 MB, only
   * the resources that the library uses are unpacked.
   */
  async fetch(names: readonly string[]): Promise<void> {
    const { packages } = this.json<LockFile>("package-lock.json");
    const wanted = names.flatMap((name) => {
      const place = `node_modules/${name}`;
      const entry = packages[place];
      return entry === undefined ? [] : [{ place, spec: `${entry.name ?? name}@${entry.version}` }];
    });
    const specs = [...new Set(wanted.map(({ spec }) => spec))];
    const packed = await this.must("npm", ["pack", "--json", "--silent", "--prefer-offline", ...specs]);
    const files = JSON.parse(packed) as { id: string; filename: string }[];
    for (const { place, spec } of wanted) {
      mkdirSync(this.in(place), { recursive: true });
      const { filename } = files.find(({ id }) => id === spec)!;
      const used = place.includes("/provider-") ? ["package.json", ...this.importsOf(place)] : [];
      const members = used.map((name) => `package/${name}`);
      await this.must("tar", ["-xzf", filename, "-C", place, "--strip-components=1", ...members]);
    }
  }

  /** What the library imports of a package below its top, such as `lib/public-ip`. */
  private importsOf(place: string): string[] {
    const name = place.replace("node_modules/", "");
    const library = this.in("node_modules/cdktf-bluegreen/lib/constructs");
    const sources = readdirSync(library, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".js"))
      .map((file) => readFileSync(join(library, file), "utf8"));
    const imports = sources.join("\n").matchAll(new RegExp(`require\\("${name}/([^"]+)"\\)`, "g"));
    return [...new Set([...imports].map(([, path = ""]) => path))];
  }

  /** Has the packages of another project. */
  shareWith(other: Project): void {
    symlinkSync(other.in("node_modules"), this.in("node_modules"));
  }

  run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const child = spawn(program, args, {
      cwd: this.folder,
      env: {
        ...process.env,
        ...{
          NO_COLOR: "1",
          FORCE_COLOR: undefined,
          CHECKPOINT_DISABLE: "1",
          BLUEGREEN_ENVIRONMENT: undefined,
        },
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return follow(child).ended;
  }

  /** @returns what it wrote. @throws Error with what it said, where it failed. */
  async must(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(program, args, env);
    if (exitCode === 0) return stdout;
    throw new Error(`${program} ${args.join(" ")}: exit code ${exitCode}\n${stdout}${stderr}`);
  }

  node(script: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    return this.must(process.execPath, [script], env);
  }

  /** Checks and compiles it as its tsconfig.json says, with the repository's compiler. */
  async compile(): Promise<void> {
    await this.must(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "--project", "."]);
  }
}
