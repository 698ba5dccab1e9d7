/** NGINX, driven without reloading it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NginxConfigurator } from "../../../on-server/director/drivers/nginx/nginx-configuration";
import type { DirectorSpec } from "../../../release/director-spec";
import { promisesUnderLoad } from "./load-promises";
import { promisesAcrossProtocols } from "./protocol-promises";
import { promisesOfAProxy } from "./proxy-promises";
import { describeWith, env, nginx } from "./proxy-kinds";
import { proxySpec } from "./proxy-under-test";

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

describeWith(nginx)("nginx", () => {
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
