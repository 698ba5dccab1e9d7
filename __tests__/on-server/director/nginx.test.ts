/** NGINX, driven without reloading it. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NginxConfigurator } from "../../../on-server/director/drivers/nginx/nginx-configuration";
import type { DirectorSpec } from "../../../release/director-spec";
import { promisesUnderLoad } from "./load-promises";
import { promisesAcrossProtocols } from "./protocol-promises";
import { promisesOfAProxy } from "./proxy-promises";
import { proxySpec } from "./proxy-under-test";
import type { ProxyKind } from "./proxy-under-test";

const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;
const env = { ...process.env, PATH };
const installed = spawnSync("nginx", ["-v"], { env }).status === 0;
if (!installed) console.warn("nginx is not installed: NOTHING of its driver is tested here");

const nginx: ProxyKind = {
  name: "nginx",
  cuts: false,
  holds: false,
  rotatesWithoutReload: false,
  control: "live",
  start: (folder) => {
    rmSync(join(folder, "admin.sock"), { force: true });
    const args = ["-p", `${folder}/`, "-c", "nginx.conf", "-g", "daemon off;"];
    return spawn("nginx", args, { cwd: folder, env, stdio: "ignore" });
  },
};

/** What NGINX says of the configuration that a spec leads to; "" means that it accepts it. */
function complaints(spec: DirectorSpec): string {
  const folder = mkdtempSync(join(tmpdir(), "nginx-"));
  mkdirSync(join(folder, "live"));
  writeFileSync(join(folder, "nginx.conf"), new NginxConfigurator(spec).configuration());
  const { status, stderr } = spawnSync("nginx", ["-t", "-p", `${folder}/`, "-c", "nginx.conf"], {
    cwd: folder,
    env,
  });
  rmSync(folder, { recursive: true });
  return status === 0 ? "" : String(stderr);
}

(installed ? describe : describe.skip)("nginx", () => {
  promisesOfAProxy(nginx);
  describe("across protocols", () => promisesAcrossProtocols(nginx));
  describe("under load", () => promisesUnderLoad(nginx));

  test.each([
    ["split", 2],
    ["split", 20],
    ["sideBySide", 1],
    ["sideBySide", 20],
  ] as const)("accepts the configuration of topology %s with %i servers", (topology, servers) => {
    expect(complaints(proxySpec({ driver: "nginx", topology, servers }))).toBe("");
  });
});
