/**
 * Runs test suites with the newest programs that Debian has, without installing them: by default the drivers' suites with
 * HAProxy and NGINX. Downloads the packages and the libraries they need from the mirror that apt uses on this machine,
 * unpacks them into a temporary folder and puts them first on PATH. Where they can't be had, it says so and exits with 0.
 *
 *     node development/lanes/newest-programs.mjs [--suite sid] [--packages haproxy,nginx] [-- COMMAND ARGUMENT...]
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

/** Suites that start a real proxy. */
const SUITES = ["__tests__/on-server/director/(haproxy|nginx)", "__tests__/on-server/local/exchanged-proxy"];
const DEFAULT_COMMAND = [process.execPath, "node_modules/jest/bin/jest.js", "--runInBand", ...SUITES];
const PROGRAM_FOLDERS = ["usr/bin", "usr/sbin", "bin", "sbin"];
const MINUTE = 60_000;

const { values, positionals } = parseArgs({
  options: {
    suite: { type: "string", default: "sid" },
    packages: { type: "string", default: "haproxy,nginx" },
  },
  allowPositionals: true,
});
const packages = values.packages.split(",");
const command = positionals.length > 0 ? positionals : DEFAULT_COMMAND;

const folder = mkdtempSync(join(tmpdir(), "newest-programs-"));
process.exitCode = main();
rmSync(folder, { recursive: true, force: true });

function main() {
  let programs;
  try {
    programs = provide();
  } catch (error) {
    const cause = String(error.stderr ?? "").trim() || error.message;
    console.error(`SKIPPED: ${packages.join(", ")} of ${values.suite} can't be had here, NOTHING was tested`);
    console.error(cause.split("\n").slice(-3).join("\n"));
    return 0;
  }
  const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
  const [program, ...args] = command;
  return spawnSync(program, args, { env, stdio: "inherit" }).status ?? 1;
}

/** @returns a folder with the packages' programs, which run with their own libraries. */
function provide() {
  for (const part of ["state/lists/partial", "cache/archives/partial", "root", "bin"])
    mkdirSync(join(folder, part), { recursive: true });
  // As on a machine where nothing is installed: no library is left out.
  writeFileSync(join(folder, "status"), "");
  writeFileSync(join(folder, "sources.list"), `deb ${mirror()} ${values.suite} main\n`);
  apt("apt-get", "update");
  const wanted = [...packages, ...librariesOf(packages)];
  apt("apt-get", "download", ...wanted);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb")))
    execFileSync("dpkg-deb", ["--extract", join(folder, file), join(folder, "root")]);
  const root = join(folder, "root");
  const files = filesIn(root);
  const loader = files.find((file) => /\/ld-linux[^/]*\.so\.\d+$/.test(file));
  if (loader === undefined) throw new Error("the packages have no dynamic loader");
  const libraries = [
    ...new Set(files.filter((file) => /\.so(\.\d+)*$/.test(file)).map((file) => dirname(file))),
  ];
  for (const below of PROGRAM_FOLDERS) {
    for (const name of namesIn(join(root, below))) wrap(join(root, below, name), name, loader, libraries);
  }
  for (const name of packages) console.error(`${name}: ${versionOf(name)}`);
  return join(folder, "bin");
}

/** HAProxy starts itself again by its first argument: that is the wrapper. */
function wrap(program, name, loader, libraries) {
  const file = join(folder, "bin", name);
  const quoted = (text) => `'${text}'`;
  const load = [loader, "--argv0", '"$0"', "--library-path", quoted(libraries.join(":")), quoted(program)];
  writeFileSync(file, `#!/bin/sh\nexec ${load.join(" ")} "$@"\n`);
  chmodSync(file, 0o755);
}

/** Debian's mirror on this machine, not that of the security updates. */
function mirror() {
  const format = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(SITE)";
  const targets = execFileSync("apt-get", ["indextargets", "--format", format], { encoding: "utf8" });
  const site = targets.split("\n").find((line) => line.startsWith("Packages|Debian|Debian|"));
  if (site === undefined)
    throw new Error("apt on this machine has no mirror of Debian (run apt-get update once)");
  return site.split("|")[3];
}

/** The libraries in the packages' dependencies. What configures a system is left out. */
function librariesOf(names) {
  const without = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
  const text = apt("apt-cache", "depends", "--recurse", ...without.map((kind) => `--no-${kind}`), ...names);
  return [...new Set(text.split("\n").filter((name) => /^z?lib[a-z0-9]/.test(name)))];
}

function versionOf(name) {
  const text = apt("apt-cache", "policy", name);
  return /Candidate: (\S+)/.exec(text)?.[1] ?? "unknown";
}

function filesIn(top) {
  return namesIn(top).flatMap((name) => {
    const path = join(top, name);
    return lstatSync(path).isDirectory() ? filesIn(path) : [path];
  });
}

function namesIn(path) {
  return existsSync(path) ? readdirSync(path) : [];
}

function apt(program, ...args) {
  const at = (name) => join(folder, name);
  const options = {
    "Dir::State": at("state"),
    "Dir::State::status": at("status"),
    "Dir::Cache": at("cache"),
    "Dir::Etc::sourcelist": at("sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Acquire::Languages": "none",
    // As root it would become a user who can't write here.
    "APT::Sandbox::User": "root",
  };
  const given = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return execFileSync(program, [...given, ...args], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 5 * MINUTE,
  });
}
