/** A proxy of several is started again on this machine, and its director is broken: it does not stay unready. */
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { encodeSpec } from "../../../configuration/director-spec";
import { freePort } from "../../../development/testbed/ports";
import { follow, processesIn, succeed, until } from "../../../development/testbed/processes";
import { env } from "../director/proxy-kinds";
import { proxySpec } from "../director/proxy-under-test";

const PROGRAMS = resolve("lib/on-server");
const FOLDER = "proxy-1";
const HOST = "127.0.0.1";

let project: string;
let port: number;
beforeEach(async () => {
  project = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-arrival-"));
  mkdirSync(join(project, FOLDER));
  copyFileSync(join(PROGRAMS, "director.js"), file("director.js"));
  port = await freePort();
});
afterEach(async () => {
  await run("stop-server.sh", { KEEP_FOLDER: "" });
  rmSync(project, { recursive: true });
});

const file = (name: string): string => join(project, FOLDER, name);

async function run(script: string, parameters: Record<string, string>): Promise<void> {
  const variables = { PROJECT_FOLDER: project, SERVER_FOLDER: FOLDER, ARRIVAL_SECONDS: "4", ...parameters };
  const child = spawn("bash", [join(PROGRAMS, "local", script)], { env: { ...env, ...variables } });
  await succeed(follow(child).ended);
}

function health(): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: HOST, port, path: "/proxy-healthz", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", () => resolve(undefined));
  });
}

const isInstalled = spawnSync("haproxy", ["-v"], { env }).status === 0;
test.each([
  ...(isInstalled ? [["haproxy", /^haproxy /] as const] : []),
  ["embedded", /embedded-proxy/] as const,
])("%s serves unverified after a limit", async (driver, command) => {
  const spec = proxySpec({ driver, topology: "sideBySide", servers: 1 });
  const peers = [{ name: "proxy-2", host: HOST, port: await freePort() }];
  await run("start-proxy.sh", {
    DIRECTOR_SPEC: encodeSpec({ ...spec, proxy: { ...spec.proxy, port, peers } }),
    PROXY_DRIVER: driver,
    PROXY_ADDRESS: `${HOST}:${port}`,
    PROXY_BUNDLE: join(PROGRAMS, "embedded-proxy.js"),
  });
  await until(async () => (await health()) === 200, "it is ready");

  writeFileSync(file("director.js"), "process.exit(1);\n");
  for (const each of processesIn(join(project, FOLDER)))
    if (command.test(each.command)) process.kill(each.pid, "SIGKILL");
  await until(async () => (await health()) === 503, "it is started again, and not ready");
  await until(async () => (await health()) === 200, "it serves", { patienceMs: 10_000 });
  expect(JSON.parse(readFileSync(file("arrival.json"), "utf8"))).toMatchObject({
    found: "unverified",
    reason: "its director did not run (exit code 1)",
  });
});
