/**
 * Starts the bundle beside it (the synth entry's, or the command's) with the code that the engine compiled when the
 * package was built: most of the time is loading. Another version of Node.js does not take that code, and compiles the
 * bundle again.
 */
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const Module = require("node:module");
const { join } = require("node:path");
const { Script } = require("node:vm");

const file = join(__dirname, "main.bundle.js");
const cache = join(__dirname, "main.bundle.cache");
const script = new Script(Module.wrap(readFileSync(file, "utf8")), {
  filename: file,
  ...(existsSync(cache) ? { cachedData: readFileSync(cache) } : {}),
});
script.runInThisContext()(exports, require, module, file, __dirname);
if (process.env.BLUEGREEN_WRITE_CODE_CACHE === "1") {
  process.once("exit", () => writeFileSync(cache, script.createCachedData()));
}
