/** What is in the package, what is not, and what those who check packages say of it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pack } from "./tarball";
import type { Tarball } from "./tarball";

/** What it weighs for everybody who installs it; more needs a reason. */
const MAX_MEGABYTES = 2.6;
const MAX_UNPACKED_MEGABYTES = 9.2;

const LIBRARY = ["configuration", "constructs", "release", "stacks"];

let folder: string;
let tarball: Tarball;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-tarball-"));
  tarball = pack(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sources = (folder: string, ending: RegExp): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));

test("the library is there, compiled, with the declarations of every file, and of no file that is gone", () => {
  const compiled = LIBRARY.flatMap((name) => sources(name, /\.ts$/)).flatMap((file) =>
    [".d.ts", ".js"].map((extension) => `lib/${file.replace(/\.ts$/, extension)}`),
  );
  const inLibrary = tarball.files.filter((file) =>
    /^lib\/(configuration|constructs|release|stacks)\//.test(file),
  );
  expect(inLibrary).toEqual(compiled.sort());
});

test("the scripts and programs for servers are there, and the sample's application", () => {
  const isPart =
    /set-up-director\.(head|tail)\.sh$|\/(account|arrival|sandbox|uptime|result-line|chosen-environment|bounded-logs)\.sh$|install\/(linux|windows)\//;
  const scripts = sources("on-server", /\.(sh|ps1)$/).filter((file) => !isPart.test(file));
  const programs = ["azure/director", "director", "embedded-proxy", "local-database", "migrate"];
  const onServer = tarball.files.filter((file) => file.startsWith("lib/on-server/"));
  const made = ["director/set-up-director.sh", ...programs.map((name) => `${name}.js`)];
  expect(onServer).toEqual(
    [...scripts.map((file) => `lib/${file}`), ...made.map((file) => `lib/on-server/${file}`)].sort(),
  );
  // What a server gets is whole.
  for (const file of scripts) expect(readFileSync(join("lib", file), "utf8")).not.toMatch(/^#include/m);
  const sample = tarball.files.filter((file) => file.startsWith("examples/"));
  expect(sample).toEqual(
    ["app", "releases"].flatMap((name) => sources(`examples/socialgoal/${name}`, /./)).sort(),
  );
});

test("the rest is the command, the synth entry, licences and documents: no sources, no tests, no settings", () => {
  const rest = tarball.files.filter(
    (file) => !/^(docs\/api|examples|lib\/(configuration|constructs|on-server|release|stacks))\//.test(file),
  );
  expect(rest.filter((file) => !/^docs\/[a-z-]+\.md$/.test(file))).toEqual([
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "lib/LICENSES.txt",
    "lib/cli/load/worker.js",
    "lib/cli/main.bundle.js",
    "lib/cli/main.js",
    "lib/cli/report/charts.js",
    "lib/examples/socialgoal/vendor/pg.js",
    "lib/main.bundle.js",
    "lib/main.js",
    "lib/sbom.cdx.json",
    "package.json",
  ]);
  // Documents refer to one another. What GitHub looks for (CONTRIBUTING, SECURITY) is for the repository.
  const documents = readdirSync("docs").filter((file) => /^[a-z-]+\.md$/.test(file));
  expect(rest.filter((file) => file.startsWith("docs/"))).toEqual(
    documents.map((file) => `docs/${file}`).sort(),
  );
});

test(`it weighs less than ${MAX_MEGABYTES} MB, and ${MAX_UNPACKED_MEGABYTES} MB unpacked`, () => {
  expect(tarball.bytes / 1e6).toBeLessThan(MAX_MEGABYTES);
  expect(tarball.unpackedBytes / 1e6).toBeLessThan(MAX_UNPACKED_MEGABYTES);
});

test("cdktf, constructs and the provider are peers, and nobody gets a second copy of them", () => {
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync("package.json", "utf8"),
  ) as Record<string, Record<string, string>>;
  expect(peerDependencies).toEqual({
    "@cdktf/provider-azurerm": "^14.0.0",
    cdktf: "^0.21.0",
    constructs: "^10.4.2",
  });
  const installed = Object.keys({ ...dependencies, ...optionalDependencies });
  expect(installed.filter((name) => name in peerDependencies!)).toEqual([]);
});

test("the licence of everything that is bundled comes along", () => {
  const licences = readFileSync("lib/LICENSES.txt", "utf8");
  for (const bundled of [
    "cdktf 0.21.0, MPL-2.0, https:",
    "zod 4",
    "undici 7",
    "echarts 6",
    "tedious 19",
    "pg 8",
  ])
    expect(licences).toContain(`\n${bundled}`);
});

/** Their own programs: both are ES modules, which jest does not load. */
function check(program: string, args: readonly string[]) {
  const bin = resolve("node_modules/.bin", program);
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
  });
  return { status, said: stdout + stderr };
}

test("publint has nothing to say", () => {
  const { status, said } = check("publint", ["run", tarball.path, "--strict"]);
  expect({ status, said }).toEqual({ status: 0, said: expect.stringMatching(/All good!\s*$/) });
});

test("the types of every entry are right for node10, CommonJS, ES modules and bundlers", () => {
  const { status, said } = check("attw", [tarball.path, "--format", "json"]);
  const { analysis, problems } = JSON.parse(said) as {
    analysis: { entrypoints: Record<string, unknown> };
    problems?: Record<string, unknown>;
  };
  expect({ status, problems }).toEqual({ status: 0, problems: {} });
  const subpaths = [
    "configuration",
    "constructs/azure",
    "constructs/local",
    "package.json",
    "release",
    "stacks",
  ];
  expect(Object.keys(analysis.entrypoints).sort()).toEqual([".", ...subpaths.map((name) => `./${name}`)]);
});
