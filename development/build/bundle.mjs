/**
 * Bundles programs into one file each: those for servers, which synth ships; the synth entry with cdktf, which then starts
 * in two thirds of the time and with less memory; and charts, so that ECharts is not a dependency of the package.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { packagesOf } from "./bundled-packages.mjs";
import { licencesOf } from "./licenses.mjs";
import { sbomOf } from "./sbom.mjs";

const OUT = "lib/on-server";
/** Size limits, gzipped. The directors are copied to every proxy; the others are in the package. */
const LIMITS_KIB = {
  "on-server/director": 80,
  "on-server/azure/director": 66,
  "on-server/migrate": 410,
  "on-server/embedded-proxy": 26,
  "on-server/local-database": 40,
  "main.bundle": 340,
  "cli/main.bundle": 490,
  "cli/load/worker": 300,
  "cli/report/charts": 200,
  "examples/socialgoal/vendor/pg": 40,
};

/** The files in each bundle, by the bundle's path. */
const bundled = new Map();
async function bundle(options) {
  const { metafile } = await build({
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    logLevel: "warning",
    metafile: true,
    ...options,
  });
  for (const [path, { inputs }] of Object.entries(metafile.outputs)) {
    const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
    bundled.set(
      path,
      used.map(([file]) => file),
    );
  }
}

/** Unused dependencies: a migration needs only a token from Entra, and libpq's bindings are not installed. */
const NOT_BUNDLED = "./development/build/not-bundled.cjs";
const WITHOUT = { "@azure/identity": NOT_BUNDLED, "pg-native": NOT_BUNDLED };

const forServers = { alias: WITHOUT, outdir: OUT, target: "node18" };
// The names of their functions would be a twelfth of them, and only database drivers look at names.
await bundle({
  ...forServers,
  entryPoints: {
    director: "on-server/director/main.ts",
    "embedded-proxy": "on-server/embedded-proxy/main.ts",
  },
});
// On Azure the proxy is HAProxy, and the director has to fit into the script that delivers it.
await bundle({
  ...forServers,
  entryPoints: { "azure/director": "on-server/director/main.ts" },
  plugins: [
    {
      name: "haproxy-only",
      setup: ({ onResolve }) =>
        onResolve({ filter: /^\.\/(nginx|embedded|command)\// }, ({ importer }) =>
          importer.endsWith("/drivers/kinds.ts") ? { path: resolve(NOT_BUNDLED) } : undefined,
        ),
    },
  ],
});
await bundle({
  ...forServers,
  entryPoints: {
    "local-database": "on-server/local-database/main.ts",
    migrate: "on-server/migrate/main.ts",
  },
  keepNames: true,
});

for (const folder of ["install", "local", "director", "azure", "migrate", "hooks"]) {
  mkdirSync(`${OUT}/${folder}`, { recursive: true });
  for (const file of readdirSync(`on-server/${folder}`)) {
    if (!/^(?!set-up-director).*\.(sh|ps1)$/.test(file)) continue;
    const source = `on-server/${folder}/${file}`;
    writeFileSync(`${OUT}/${folder}/${file}`, assembled(source), { mode: statSync(source).mode });
  }
}

/** Joins a script of several files: `#include "linux/fetch.sh"` is replaced by that file's text. */
function assembled(file) {
  const part = (_, name) => `${assembled(join(dirname(file), name))}\n`;
  return readFileSync(file, "utf8")
    .replace(/^#include "(.+)"\n/gm, part)
    .replace(/^# -{9,} /gm, "# --- "); // a run command's script has a limit
}

// For existing proxies: one script that contains the director.
const setUp = (part) => assembled(`on-server/director/set-up-director.${part}.sh`);
const packed = gzipSync(readFileSync(`${OUT}/director.js`), { level: 9 }).toString("base64");
writeFileSync(
  `${OUT}/director/set-up-director.sh`,
  `${setUp("head")}put_director <<'DIRECTOR'\n${packed.replace(/(.{1,120})/g, "$1\n")}DIRECTOR\n${setUp("tail")}`,
);

// The example's driver of PostgreSQL. That of SQL Server is in the migrator.
await bundle({
  stdin: { contents: `module.exports = { Pool: require("pg").Pool };`, resolveDir: "." },
  outfile: "lib/examples/socialgoal/vendor/pg.js",
  target: "node18",
  alias: WITHOUT,
});

// The charts of the reports, with the parts of ECharts that they need.
await bundle({
  entryPoints: { charts: "cli/report/charts.ts" },
  outdir: "lib/cli/report",
  target: "node20",
  mainFields: ["module", "main"],
  banner: { js: "/*! Contains Apache ECharts and ZRender: see LICENSES.txt */" },
});

// The process that sends a rehearsal's load.
await bundle({
  entryPoints: { worker: "cli/load/worker.ts" },
  outdir: "lib/cli/load",
  keepNames: true,
  target: "node20",
});

// The synth entry, cdktf included.
await bundle({
  entryPoints: { "main.bundle": "main.ts" },
  outdir: "lib",
  target: "node20",
  mainFields: ["module", "main"],
  conditions: ["module", "import"],
});
writeStart("lib");

/**
 * Starts the bundle in the same folder. The compile cache of Node.js 22 and newer saves a fifth to a third of the start
 * time. The cache is in the package: in the shared temporary folder another user could change the code that runs here.
 */
function writeStart(folder) {
  const cache = relative(folder, "lib/compile-cache");
  const start = `#!/usr/bin/env node
require("node:module").enableCompileCache?.(require("node:path").join(__dirname, "${cache}"));
require("./main.bundle.js");
`;
  writeFileSync(`${folder}/main.js`, start);
}

/** One file for the command. Rarely used dependencies are external, loaded when needed. */
const HOME = "cli";
const asLaidOut = {
  name: "as-laid-out",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /\/charts$/ }, () => ({ path: "./report/charts.js", external: true }));
    // Each file still finds its neighbours, as if it were in the compiler's output folder.
    onLoad({ filter: /\/(cli|examples\/socialgoal)\/.*\.ts$/ }, ({ path }) => {
      const folder = relative(resolve(HOME), dirname(path));
      const here = `require("node:path").join(__dirname, ${JSON.stringify(folder)})`;
      const source = readFileSync(path, "utf8").replace(/^#!.*/, "");
      // The sample's packer is also a program; here it is a part of this one.
      const contents = source
        .replace(/\b__dirname\b/g, () => here)
        .replace(/\brequire\.main === module\b/g, () => "false");
      return { loader: "ts", contents };
    });
  },
};
await bundle({
  entryPoints: { "main.bundle": "cli/main.ts" },
  outdir: "lib/cli",
  keepNames: true,
  target: "node20",
  external: ["@azure/*", "@inquirer/prompts", "log-update"],
  // Compiled code has no import(): require() loads these packages on demand.
  supported: { "dynamic-import": false },
  plugins: [asLaidOut],
});
writeStart("lib/cli");

writeFileSync("lib/LICENSES.txt", licencesOf(packagesOf([...bundled.values()].flat())));
const bundles = [...bundled].map(([path, files]) => ({
  path,
  content: readFileSync(path),
  packages: packagesOf(files),
}));
writeFileSync("lib/sbom.cdx.json", sbomOf(JSON.parse(readFileSync("package.json", "utf8")), bundles));
// Not in the package: a test compares it with what the package declares.
writeFileSync("lib/bundled-files.json", JSON.stringify(Object.fromEntries(bundled), undefined, 1));

for (const [name, limit] of Object.entries(LIMITS_KIB)) {
  const kib = gzipSync(readFileSync(`lib/${name}.js`)).length / 1024;
  if (kib <= limit) continue;
  console.error(`${name}.js is ${kib.toFixed(1)} KiB gzipped, more than ${limit}`);
  process.exitCode = 1;
}
