/** A proxy of several on Azure starts: real HAProxy and director, and a systemctl that does what the units say. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer, get } from "node:http";
import type { Server } from "node:http";
import * as path from "node:path";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { freePort } from "../../../development/testbed/ports";
import { until } from "../../../development/testbed/processes";
import { NEVER_LIVE } from "../../../on-server/director/state";
import { proxySpec } from "../director/proxy-under-test";
import { eachTestHasAMachine, haproxyIsHere, PATH } from "./machine";
import type { Ended } from "./machine";

const machine = eachTestHasAMachine();
const HOST = "127.0.0.1";

/** Another proxy: what it answers to the question for its sequence; null: nothing listens. */
class OtherProxy {
  private server: Server | null = null;

  constructor(readonly port: number) {}

  async has(sequence: number | null): Promise<void> {
    await this.stop();
    if (sequence === null) return;
    const server = createServer((asked, response) => {
      if (asked.url === "/proxy-healthz/record") response.end(String(sequence));
      else response.writeHead(404).end();
    });
    await new Promise<void>((listening) => server.listen(this.port, HOST, listening));
    this.server = server;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server !== null) await new Promise((closed) => server.close(closed));
  }
}

let other: OtherProxy;
let spec: DirectorSpec;
beforeEach(async () => {
  other = new OtherProxy(await freePort(HOST));
  const peers = [{ name: "proxy-2", host: HOST, port: other.port }];
  const single = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 1 });
  spec = { ...single, proxy: { ...single.proxy, host: HOST, port: await freePort(HOST), peers } };
});
afterEach(() => other.stop());

const root = (...parts: string[]): string => path.join(machine().root, ...parts);

/** systemd, as far as these units need it: each command before and after a start, and the restart of what dies. */
function installSystemctl(): void {
  fs.mkdirSync(root("bin"));
  fs.writeFileSync(
    root("bin/systemctl"),
    `#!/bin/bash
root=${machine().root}
printf '%s\\n' "$*" >>"$root/calls"
value() { sed -n "s/^$1=//p" "$root/units/$unit" | sed 's/^[-+]*//'; }
supervise() {
  cd "$(value WorkingDirectory)" || exit
  while true; do
    $(value ExecStartPre)
    command=$(value ExecStart)
    \${command/-Ws/-W} & main=$!
    $(value ExecStartPost)
    wait "$main" && break
    sleep "$(value RestartSec | sed 's/ms$/e-3/')"
  done
}
unit=\${!#}
case "$1 $unit" in
  restart\\ *)
    [ ! -e "$root/$unit.pid" ] || kill -KILL -- "-$(cat "$root/$unit.pid")" 2>/dev/null
    export -f value supervise; export root unit
    setsid bash -c 'echo $$ >"$root/$unit.pid"; supervise' >"$root/$unit.log" 2>&1 </dev/null 8>&- 9>&- & ;;
  "reload bluegreen-proxy.service") cd "$(value WorkingDirectory)" && kill -USR2 "$(cat haproxy.pid)" ;;
esac
`,
    { mode: 0o755 },
  );
}

/** From now on, as after an upgrade that went wrong, Node.js doesn't start. */
function breakNode(): void {
  fs.writeFileSync(root("bin/node"), "#!/bin/sh\nexit 127\n", { mode: 0o755 });
}

function repairNode(): void {
  fs.rmSync(root("bin/node"));
}

/** How long a proxy that is not ready asks the others. */
const ARRIVAL_SECONDS = 6;
/** On a busy machine, too. */
const AT_ONCE_MS = 5_000;

function setUp(changed: DirectorSpec = spec): Promise<Ended> {
  return machine().setUpProxy(changed, {
    PATH: `${root("bin")}:${PATH}`,
    SERVICE_MANAGER: "systemd",
    SYSTEMD_FOLDER: root("units"),
    ARRIVAL_SECONDS: String(ARRIVAL_SECONDS),
  });
}

/** The record that this proxy's disk has. */
function remember(sequence: number): void {
  const state = { ...NEVER_LIVE, sequence, announced: sequence };
  fs.writeFileSync(machine().path("state.json"), JSON.stringify(state));
}

function ask(url: string): Promise<string> {
  return new Promise((resolve) => {
    const asked = get({ host: HOST, port: spec.proxy.port, path: url, agent: false }, (response) => {
      let text = "";
      response.on("data", (data: Buffer) => (text += data.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${text.trim()}`));
    });
    asked.on("error", () => resolve("nothing"));
  });
}

const health = async (): Promise<string> => (await ask("/proxy-healthz")).slice(0, 3);
const healthOf = (status: string, patienceMs = 10_000): Promise<void> =>
  until(async () => (await health()) === status, `its health is ${status}`, { patienceMs });

const master = (): number => Number(machine().read("haproxy.pid").trim());

/** As when the machine's power was lost, or HAProxy crashed: systemd starts it again. */
async function crash(): Promise<void> {
  const before = master();
  for (const pid of machine().processes("haproxy")) process.kill(pid, "SIGKILL");
  await until(() => master() !== before && machine().processes("haproxy").length > 1, "it is started again");
}

function arrival(): string | undefined {
  const command = path.join(machine().root, "usr/local/bin/bluegreen-director");
  const { stdout } = spawnSync(command, ["status"], { encoding: "utf8", env: { PATH } });
  const { arrival: found } = JSON.parse(stdout) as { arrival?: { found: string; reason: string } };
  return found && `${found.found}: ${found.reason}`;
}

(haproxyIsHere ? describe : describe.skip)("a proxy of several that was started", () => {
  beforeEach(async () => {
    installSystemctl();
    await other.has(3);
    fs.mkdirSync(machine().path(), { recursive: true });
    remember(3);
    expect(await setUp()).toMatchObject({ code: 0, stderr: "" });
    await healthOf("200");
  });

  test("with a state that is up to date: it is ready at once after kill -9", async () => {
    expect(arrival()).toBeUndefined();
    const begun = performance.now();
    await crash();
    await healthOf("200");
    expect(performance.now() - begun).toBeLessThan(AT_ONCE_MS);
    expect(await ask("/proxy-healthz/record")).toBe("200 3");
  });

  test("with an old state: it is not ready, neither after a reload, until another proxy is no newer", async () => {
    remember(2);
    await crash();
    await until(() => arrival() !== undefined, "it has compared");
    expect(arrival()).toBe("behind: it has record 2, proxy-2 has 3");
    expect(await health()).toBe("503");
    expect(
      (await setUp({ ...spec, verification: { ...spec.verification, path: "/other" } })).stdout,
    ).toContain(": reloaded with a new configuration\n");
    expect(await health()).toBe("503");
    remember(3); // as the step of a heal does
    await healthOf("200");
    await until(() => arrival() === undefined, "it has compared again");
  });

  test("it stays ready while a reload loads a new configuration, and a set-up changes nothing", async () => {
    const seen = new Set<string>();
    let stopped = false;
    const watch = (async () => {
      while (!stopped) seen.add(await health());
    })();
    await other.has(4); // a release runs: the other proxy is ahead for a moment
    expect((await setUp()).stdout).toContain(": nothing changed\n");
    const changed = { ...spec, verification: { ...spec.verification, path: "/other" } };
    expect((await setUp(changed)).stdout).toContain(": reloaded with a new configuration\n");
    stopped = true;
    await watch;
    expect([...seen]).toEqual(["200"]);
  });

  test("while no other proxy answers: it serves unverified, until one does", async () => {
    await other.has(null);
    remember(2);
    await crash();
    await healthOf("200");
    await until(() => arrival() !== undefined, "it has compared");
    expect(arrival()).toBe("unverified: no other proxy answered (proxy-2)");
    await other.has(3);
    await healthOf("503");
    expect(arrival()).toBe("behind: it has record 2, proxy-2 has 3");
  });

  test("where Node.js is broken: it serves unverified after a limit, and compares once it is repaired", async () => {
    remember(2);
    breakNode();
    await crash();
    expect(await health()).toBe("503");
    await healthOf("200");
    expect(arrival()).toBe("unverified: its director did not run (exit code 127)");
    expect(await ask("/proxy-healthz/record")).toBe("200 3");
    repairNode();
    await healthOf("503");
    expect(arrival()).toBe("behind: it has record 2, proxy-2 has 3");
  });

  test("with an old state, and then the others are removed: it serves", async () => {
    remember(2);
    await crash();
    await until(() => arrival() !== undefined, "it has compared");
    const { peers: _, ...single } = spec.proxy;
    expect(await setUp({ ...spec, proxy: single })).toMatchObject({ code: 0, stderr: "" });
    await healthOf("200");
    await crash();
    expect(await health()).toBe("200");
  });
});

(haproxyIsHere ? test : test.skip)(
  "a new proxy beside one that serves is not ready before a step ran",
  async () => {
    installSystemctl();
    await other.has(3);
    expect(await setUp()).toMatchObject({ code: 0 });
    await until(() => arrival() !== undefined, "it has compared");
    expect(arrival()).toBe("behind: it has record 0, proxy-2 has 3");
    expect(await health()).toBe("503");
  },
);

const verify = spawnSync("systemd-analyze", ["--version"]).status === 0;
(haproxyIsHere && verify ? test : test.skip)("systemd accepts the units", async () => {
  installSystemctl();
  await setUp();
  for (const unit of ["bluegreen-proxy.service", "bluegreen-arrival.service"]) {
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", unit], {
      encoding: "utf8",
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${root("units")}:` },
    });
    const ours = (stdout + stderr).split("\n").filter((line) => line.includes("bluegreen"));
    expect({ unit, status, ours }).toEqual({ unit, status: 0, ours: [] });
  }
});
