/** The embedded proxy keeps the promises of the one it stands in for. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { promisesUnderLoad } from "../director/load-promises";
import { promisesAcrossProtocols } from "../director/protocol-promises";
import { promisesOfAProxy } from "../director/proxy-promises";
import type { ProxyKind } from "../director/proxy-under-test";

const BUNDLE = resolve(__dirname, "../../../lib/on-server/embedded-proxy.js");

describe("the embedded proxy", () => {
  if (!existsSync(BUNDLE)) throw new Error(`${BUNDLE} is missing: npm run build`);

  const embedded: ProxyKind = {
    name: "embedded",
    cuts: true,
    holds: true,
    rotatesWithoutReload: true,
    control: "admin.sock",
    start: (folder) => spawn(process.execPath, [BUNDLE], { cwd: folder, stdio: "ignore" }),
  };
  promisesOfAProxy(embedded);
  describe("across protocols", () => promisesAcrossProtocols(embedded));
  describe("under load", () => promisesUnderLoad(embedded));
});
