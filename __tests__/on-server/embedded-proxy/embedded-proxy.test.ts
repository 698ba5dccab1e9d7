/** The embedded proxy keeps the promises of the one it stands in for. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { EmbeddedDriver } from "../../../on-server/director/drivers/embedded/embedded-driver";
import { EmbeddedConfigurator } from "../../../on-server/director/drivers/embedded/embedded-settings";
import { promisesOfAProxy } from "../director/proxy-promises";

const BUNDLE = resolve(__dirname, "../../../lib/on-server/embedded-proxy.js");

describe("the embedded proxy", () => {
  if (!existsSync(BUNDLE)) throw new Error(`${BUNDLE} is missing: npm run build`);

  promisesOfAProxy({
    name: "embedded",
    cuts: true,
    configurator: (spec) => new EmbeddedConfigurator(spec),
    driver: () => new EmbeddedDriver(),
    start: (folder) => spawn(process.execPath, [BUNDLE], { cwd: folder, stdio: "ignore" }),
  });
});
