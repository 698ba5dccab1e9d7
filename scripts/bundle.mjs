/** Bundles the programs that run on servers into one file each; synth ships these files. */
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { build } from "esbuild";

const OUT = "lib/on-server";
const DIRECTOR_LIMIT_KIB = 64;

await build({
  entryPoints: {
    director: "on-server/director/main.ts",
    "embedded-proxy": "on-server/embedded-proxy/main.ts",
  },
  outdir: OUT,
  bundle: true,
  minify: true,
  keepNames: true,
  platform: "node",
  target: "node18",
  format: "cjs",
  logLevel: "warning",
});

for (const folder of ["install", "local", "director", "azure"]) {
  mkdirSync(`${OUT}/${folder}`, { recursive: true });
  for (const file of readdirSync(`on-server/${folder}`)) {
    if (/\.(sh|ps1)$/.test(file)) copyFileSync(`on-server/${folder}/${file}`, `${OUT}/${folder}/${file}`);
  }
}

const kib = gzipSync(readFileSync(`${OUT}/director.js`)).length / 1024;
if (kib > DIRECTOR_LIMIT_KIB) {
  console.error(`the director's bundle is ${kib.toFixed(1)} KiB gzipped, more than ${DIRECTOR_LIMIT_KIB}`);
  process.exit(1);
}
