/** What HAProxy and NGINX report about the configuration that a spec leads to. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { HaproxyConfigurator } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { NginxConfigurator } from "../../../on-server/director/drivers/nginx/nginx-configuration";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { env } from "./proxy-kinds";
import { proxySpec } from "./proxy-under-test";

type Program = "haproxy" | "nginx";

/** @returns "" where the program accepts it. */
export function complaintOf(spec: DirectorSpec, program = spec.proxy.driver as Program): string {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-proxy-"));
  const [files, args] =
    program === "haproxy"
      ? [new HaproxyConfigurator(spec).files(), ["-c", "-f", "haproxy.cfg"]]
      : [
          { "nginx.conf": new NginxConfigurator(spec).configuration() },
          ["-t", "-q", "-p", `${folder}/`, "-c", "nginx.conf"],
        ];
  try {
    mkdirSync(join(folder, "live"));
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    const { status, stderr } = spawnSync(program, args, { cwd: folder, env });
    return status === 0 ? "" : String(stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function acceptsEveryTopology(driver: Program): void {
  test.each([
    ["split", 2],
    ["split", 20],
    ["sideBySide", 1],
    ["sideBySide", 20],
  ] as const)("accepts the configuration of topology %s with %i servers", (topology, servers) => {
    expect(complaintOf(proxySpec({ driver, topology, servers }))).toBe("");
  });
}
