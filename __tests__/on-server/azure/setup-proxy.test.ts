/** A proxy's set-up, with real HAProxy processes under real requests. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { Agent, request } from "node:http";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { HaproxyConfigurator } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { trafficMap } from "../../../on-server/director/drivers/haproxy/traffic-map";
import type { DirectorSpec } from "../../../configuration/director-spec";
import type { Slot } from "../../../release/slot";
import { Backend, proxySpec } from "../director/proxy-under-test";
import { until } from "../../../development/testbed/processes";
import { eachTestHasAMachine, haproxyIsHere, PATH } from "./machine";
import { freePort } from "../../../development/testbed/ports";

const machine = eachTestHasAMachine();
const HOST = "127.0.0.1";
const backends: Backend[] = [];
const servers: net.Server[] = [];
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.stop()));
  for (const server of servers.splice(0)) server.close();
});

async function backend(slot: "blue" | "green", releaseId?: string): Promise<Backend> {
  const started = new Backend(slot, await freePort(HOST), releaseId);
  await started.start();
  backends.push(started);
  return started;
}

async function specOf(blue: Backend, green: Backend): Promise<DirectorSpec> {
  const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 1 });
  const endpoint = ({ port }: Backend) => [{ server: "web-1", host: HOST, port }];
  return {
    ...spec,
    endpoints: { blue: endpoint(blue), green: endpoint(green) },
    proxy: { ...spec.proxy, port: await freePort(HOST) },
  };
}

/** Tells HAProxy something as the director does. */
function tell(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const home = process.cwd();
    process.chdir(machine().path()); // a path of a socket is short
    const socket = net.connect("admin.sock");
    process.chdir(home);
    let answer = "";
    socket.on("connect", () => socket.write(`${command}\n`));
    socket.on("data", (data: Buffer) => (answer += data.toString()));
    socket.on("error", reject);
    socket.on("end", () => resolve(answer));
  });
}

/** The running traffic only, as if the director had been killed before it wrote the file. */
async function setTraffic(live: Slot): Promise<void> {
  const [, version] = /created: (\d+)/.exec(await tell("prepare map traffic.map"))!;
  await tell(`add map @${version} traffic.map <<\n${trafficMap({ ...CLOSED, live })}`);
  await tell(`commit map @${version} traffic.map`);
}

const sorted = (map: string): string[] => map.split("\n").sort();

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly slot: string | undefined;
}

function ask(port: number, agent: Agent | false = false, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const asked = request(
      { host: HOST, port, method, agent, headers: { host: "shop.example" } },
      (response) => {
        let text = "";
        response.on("data", (data: Buffer) => (text += data.toString()));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode!,
            body: text,
            slot: response.headers["x-slot"] as string | undefined,
          }),
        );
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

/** Users with keep-alive connections who post one thing after another and try nothing twice. */
class Load {
  answered = 0;
  readonly lost: string[] = [];
  private stopped = false;
  private readonly users: Promise<void>[];

  constructor(private readonly port: number) {
    this.users = Array.from({ length: 12 }, (_, user) => this.use(user));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.users);
  }

  private async use(user: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = 0; !this.stopped; turn += 1) {
      const body = `user ${user}, turn ${turn}`;
      try {
        const answer = await ask(this.port, agent, body);
        if (answer.status === 200 && answer.body === body) this.answered += 1;
        else this.lost.push(`${answer.status} ${answer.body.slice(0, 60)}`);
      } catch (error) {
        this.lost.push((error as Error).message);
      }
      await sleep(5);
    }
    agent.destroy();
  }
}

const workers = (): number[] => machine().processes("haproxy").sort();

(haproxyIsHere ? describe : describe.skip)("set-up of a proxy", () => {
  test("starts HAProxy; a second run changes nothing; changed endpoints are loaded without losing a request", async () => {
    const [blue, green, other] = [
      await backend("blue"),
      await backend("green"),
      await backend("blue", "1.0.0-9"),
    ];
    const spec = await specOf(blue, green);
    const { port } = spec.proxy;

    expect(await machine().setUpProxy(spec)).toEqual({
      code: 0,
      stderr: "",
      stdout: `proxy-1 is a proxy on ${HOST}:${port}: started\n{"step":"setup-proxy","outcome":"ready"}\nbluegreen: step-1 ended with 0\n`,
    });
    expect(await ask(port)).toMatchObject({ status: 503 });
    expect(fs.statSync(machine().path("admin.sock")).mode & 0o777).toBe(0o600);

    await setTraffic("blue");
    const started = workers();
    expect((await machine().setUpProxy(spec)).stdout).toContain(": nothing changed\n");
    expect(workers()).toEqual(started);
    expect(await ask(port)).toMatchObject({ status: 200, slot: "blue" });

    const load = new Load(port);
    const stays = await connected(port);
    for (const endpoint of [other, blue, other]) {
      const { answered } = load;
      await until(() => load.answered > answered + 50, "some are answered");
      const changed = {
        ...spec,
        endpoints: { ...spec.endpoints, blue: [{ server: "web-1", host: HOST, port: endpoint.port }] },
      };
      expect((await machine().setUpProxy(changed)).stdout).toContain(": reloaded with a new configuration\n");
      expect((await ask(port)).slot).toBe("blue");
      expect((await ask(port)).body).toBe(`release ${endpoint.releaseId}`);
    }
    await until(() => load.answered > 400, "some are answered");
    await load.stop();
    expect(load.lost).toEqual([]);
    // An idle connection from before three reloads is still good for a request.
    expect(await stays()).toContain("200 OK");
    expect(workers()).not.toEqual(started);
    // What a restarted process would load is what was running.
    expect(sorted(machine().read("traffic.map"))).toEqual(sorted(trafficMap({ ...CLOSED, live: "blue" })));
  });

  test("affinity is turned on, off, and on again", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    const { port } = spec.proxy;
    const keeping = { ...spec, sessions: { affinity: "server", withoutCookie: [] } };
    await machine().setUpProxy(spec);
    await setTraffic("blue");
    for (const [wanted, keeps] of [
      [keeping, true],
      [spec, false],
      [keeping, true],
    ] as const) {
      const { stdout, stderr } = await machine().setUpProxy(wanted);
      expect({ stdout, stderr }).toEqual({ stdout: expect.stringContaining(": reloaded with"), stderr: "" });
      expect(await ask(port)).toMatchObject({ status: 200, slot: "blue" });
      expect((await tell("show map")).includes("(traffic.tokens)")).toBe(keeps);
      await setTraffic("green");
      expect(await ask(port)).toMatchObject({ status: 200, slot: "green" });
      await setTraffic("blue");
    }
  });

  test("a configuration that HAProxy does not accept: its own words, and the old one keeps serving", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    await machine().setUpProxy(spec);
    await setTraffic("green");
    const before = { workers: workers(), configuration: machine().read("haproxy.cfg") };
    const broken = { ...spec, proxy: { ...spec.proxy, host: "nowhere.invalid" } };
    const outcome = await machine().setUpProxy(broken);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/ALERT.*parsing \[\.staging\/haproxy\.cfg:\d+\] : 'bind'/);
    expect(outcome.stderr).toMatch(
      /setup: HAProxy rejects the new configuration, the old one still serves\nbluegreen: \S+ ended with 1\n$/,
    );
    expect({ workers: workers(), configuration: machine().read("haproxy.cfg") }).toEqual(before);
    expect(await ask(spec.proxy.port)).toMatchObject({ status: 200, slot: "green" });
  });

  test("a configuration that HAProxy accepts but can't run: the old one keeps serving, and the next run goes on", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    await machine().setUpProxy(spec);
    await setTraffic("green");
    const taken = net.createServer().listen(0, HOST);
    servers.push(taken);
    await until(() => taken.listening, "it listens");
    const { port } = taken.address() as net.AddressInfo;
    const load = new Load(spec.proxy.port);
    const outcome = await machine().setUpProxy({ ...spec, proxy: { ...spec.proxy, port } });
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/ALERT.*[cC]annot bind socket/);
    expect(outcome.stderr).toMatch(
      /HAProxy did not load the new configuration, the old one still serves\nbluegreen: \S+ ended with 1\n$/,
    );
    expect(await ask(spec.proxy.port)).toMatchObject({ status: 200, slot: "green" });
    await load.stop();
    expect(load.lost).toEqual([]);

    expect((await machine().setUpProxy(spec)).stdout).toContain(": nothing changed\n");
    taken.close();
    const moved = { ...spec, proxy: { ...spec.proxy, port } };
    expect((await machine().setUpProxy(moved)).stdout).toContain(": reloaded with a new configuration\n");
    expect(await ask(port)).toMatchObject({ status: 200, slot: "green" });
  });

  test("a run that ended between installing and reloading is made good by the next", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    await machine().setUpProxy(spec);
    const changed = { ...spec, verification: { ...spec.verification, path: "/other" } };
    const { "haproxy.cfg": configuration } = new HaproxyConfigurator(changed).files();
    fs.writeFileSync(machine().path("haproxy.cfg"), configuration!);
    expect((await machine().setUpProxy(changed)).stdout).toContain(": reloaded with a new configuration\n");
  });

  test("a stopped HAProxy is started with the traffic it had", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    await machine().setUpProxy(spec);
    fs.writeFileSync(machine().path("traffic.map"), trafficMap({ ...CLOSED, live: "green" }));
    for (const pid of workers()) process.kill(pid, "SIGKILL");
    await until(() => workers().length === 0, "it is gone");
    expect((await machine().setUpProxy(spec)).stdout).toContain(": started\n");
    expect(await ask(spec.proxy.port)).toMatchObject({ status: 200, slot: "green" });
  });

  test("the traffic map of version 0.1 is taken over", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    fs.mkdirSync(machine().path(), { recursive: true });
    fs.writeFileSync(
      machine().path("traffic.map"),
      "live green\nshare 30\noffset 70\nmode serve\nfallback on\n",
    );
    expect((await machine().setUpProxy(spec)).stdout).toContain(": started\n");
    expect(machine().read("traffic.map")).toBe(
      trafficMap({ live: "green", weight: 30, offset: 70, mode: "serve", fallback: true }),
    );
  });

  test("fail when another program has the port", async () => {
    const blue = await backend("blue");
    const spec = await specOf(blue, await backend("green"));
    const taken = { ...spec, proxy: { ...spec.proxy, port: blue.port } };
    expect(await machine().setUpProxy(taken)).toEqual({
      code: 3,
      stdout: "",
      stderr: `setup: ${HOST}:${blue.port} is in use by another program: stop it, then deploy base again\nbluegreen: step-1 ended with 3\n`,
    });
    expect(workers()).toEqual([]);
  });

  test("fail when a release is running and HAProxy would have to be reloaded; else it does not matter", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    await machine().setUpProxy(spec);
    const holder = machine().start(`cd "${machine().path()}"; exec flock director.lock sleep 30\n`);
    await until(
      () => spawnSync("flock", ["-n", machine().path("director.lock"), "true"]).status !== 0,
      "it is held",
    );
    fs.writeFileSync(machine().path("director.lock.holder"), "switch 7");
    expect((await machine().setUpProxy(spec)).stdout).toContain(": nothing changed\n");
    const changed = { ...spec, verification: { ...spec.verification, path: "/other" } };
    expect(await machine().setUpProxy(changed, { LOCK_SECONDS: "1" })).toMatchObject({
      code: 3,
      stderr:
        "setup: a release is running on this proxy (switch 7): deploy base again after it ends\nbluegreen: step-4 ended with 3\n",
    });
    for (const pid of machine().processes("sleep")) process.kill(pid, "SIGKILL");
    await holder.done;
    expect((await machine().setUpProxy(changed)).code).toBe(0);
  });

  describe("the command for an operator on the machine", () => {
    const command = (): string => path.join(machine().root, "usr/local/bin/bluegreen-director");
    const run = (...args: string[]) =>
      spawnSync(command(), args, { encoding: "utf8", env: { PATH }, cwd: "/" });

    test("needs nothing but the machine, and a second set-up leaves it as it is", async () => {
      const spec = await specOf(await backend("blue"), await backend("green"));
      await machine().setUpProxy(spec);
      const [text, { mode }] = [fs.readFileSync(command(), "utf8"), fs.statSync(command())];
      expect(mode & 0o777).toBe(0o755);
      await machine().setUpProxy(spec);
      expect(fs.readFileSync(command(), "utf8")).toBe(text);

      expect(JSON.parse(run("status").stdout)).toMatchObject({ proxy: "proxy-1", traffic: { live: null } });
      const { status, stderr } = run("rollback", "--reason", "it's $(false) bad");
      expect({ status, stderr }).toEqual({
        status: 3,
        stderr: "director rollback: nothing is live on this proxy: there is nothing to roll back\n",
      });
      expect(run("rollback")).toMatchObject({ status: 2, stderr: expect.stringMatching(/needs a reason/) });
      for (const args of [[], ["begin"], ["configure"]]) {
        expect(run(...args)).toMatchObject({
          status: 2,
          stderr: expect.stringMatching(/^usage: bluegreen-director/),
        });
      }
    });

    test("works with the configuration that was deployed last, not with a rejected one", async () => {
      const spec = await specOf(await backend("blue"), await backend("green"));
      await machine().setUpProxy(spec);
      const stored = (): unknown => (JSON.parse(machine().read("spec.json")) as DirectorSpec).endpoints;
      const other = await backend("blue", "1.0.0-9");
      const endpoints = { ...spec.endpoints, blue: [{ server: "web-1", host: HOST, port: other.port }] };
      await machine().setUpProxy({ ...spec, endpoints, proxy: { ...spec.proxy, host: "nowhere.invalid" } });
      expect(stored()).toEqual(spec.endpoints);
      await machine().setUpProxy({ ...spec, endpoints });
      expect(stored()).toEqual(endpoints);
    });

    const mayBeOthers = process.getuid?.() === 0 && spawnSync("setpriv", ["--version"]).status === 0;
    (mayBeOthers ? test : test.skip)(
      "of another user asks for the rights of the set-up's, with the same words",
      async () => {
        await machine().setUpProxy(await specOf(await backend("blue"), await backend("green")));
        const bin = fs.mkdtempSync(path.join(os.tmpdir(), "operator-"));
        fs.chmodSync(bin, 0o755);
        const copy = path.join(bin, "bluegreen-director");
        fs.copyFileSync(command(), copy);
        fs.writeFileSync(path.join(bin, "sudo"), `#!/bin/sh\nprintf '<%s>' "$@"\n`, { mode: 0o755 });
        const args = ["--reuid=65534", "--clear-groups", copy, "rollback", "--reason", "a 'b'\n$c"];
        const { stdout } = spawnSync("setpriv", args, { encoding: "utf8", env: { PATH: `${bin}:${PATH}` } });
        expect(stdout).toBe(`<--><${copy}><rollback><--reason><a 'b'\n$c>`);
        fs.rmSync(bin, { recursive: true });
      },
    );
  });

  const asRoot = process.getuid?.() === 0 && spawnSync("id", ["haproxy"]).status === 0;
  (asRoot ? test : test.skip)("workers are no root, and can't change what root runs", async () => {
    await machine().setUpProxy(await specOf(await backend("blue"), await backend("green")));
    const uids = workers().map((pid) => fs.statSync(`/proc/${pid}`).uid);
    expect(uids).toHaveLength(2);
    expect(uids.filter((uid) => uid === 0)).toHaveLength(1);
    for (const name of ["", "admin.sock", "director.js", "haproxy.cfg", "traffic.map"]) {
      const { uid, mode } = fs.statSync(machine().path(name));
      expect({ name, uid, others: mode & 0o7 }).toEqual({ name, uid: 0, others: 0 });
    }
  });

  test("fail when HAProxy or Node.js is too old", async () => {
    const bin = path.join(machine().root, "bin");
    fs.mkdirSync(bin);
    const spec = await specOf(await backend("blue"), await backend("green"));
    const old = (name: string, says: string): void =>
      fs.writeFileSync(path.join(bin, name), `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
    old("haproxy", "HA-Proxy version 2.0.13-2ubuntu0.3 2021/08/27");
    const outcome = await machine().setUpProxy(spec, { PATH: `${bin}:${PATH}` });
    expect(outcome).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("haproxy is 2.0 but must be at least 2.4"),
    });
    fs.rmSync(path.join(bin, "haproxy"));
    old("node", "v12.22.9");
    expect((await machine().setUpProxy(spec, { PATH: `${bin}:${PATH}` })).stderr).toContain(
      "node is 12.22 but must be at least 18.0",
    );
  });

  test("bad input is refused, in the director's own words where they are his", async () => {
    const spec = await specOf(await backend("blue"), await backend("green"));
    expect(await machine().setUpProxy({ ...spec, sequence: -1 })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/sequence/),
    });
    expect(await machine().setUpProxy({})).toMatchObject({
      code: 2,
      stderr: "setup: DIRECTOR_SPEC names no proxy\nbluegreen: step-2 ended with 2\n",
    });
    expect(await machine().setUpProxy(spec, { DIRECTOR_SPEC: "$(id)" })).toMatchObject({ code: 2 });
    expect(workers()).toEqual([]);
  });

  const verify = spawnSync("systemd-analyze", ["--version"]).status === 0;
  test("where systemd runs HAProxy is a unit of its own, reloaded by SIGUSR2", async () => {
    const { root } = machine();
    fs.mkdirSync(path.join(root, "bin"));
    // A systemctl that does with HAProxy what the unit says, with no more rights than it leaves.
    fs.writeFileSync(
      path.join(root, "bin/systemctl"),
      `#!/bin/bash
printf '%s\\n' "$*" >>${root}/calls
unit=${root}/units/bluegreen-proxy.service
value() { sed -n "s/^$1=//p" "$unit"; }
case "$1 \${!#}" in
  "restart bluegreen-proxy.service")
    cd "$(value WorkingDirectory)" && command=$(value ExecStart) limited=()
    rights=$(value CapabilityBoundingSet | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
    ((EUID != 0)) || limited=(setpriv --bounding-set="-all,$rights" --inh-caps=-all --no-new-privs)
    setsid "\${limited[@]}" \${command/-Ws/-W} >/dev/null 2>&1 </dev/null 8>&- & ;;
  "reload bluegreen-proxy.service") cd "$(value WorkingDirectory)" && kill -USR2 "$(cat haproxy.pid)" ;;
esac
`,
      { mode: 0o755 },
    );
    const parameters = {
      PATH: `${root}/bin:${PATH}`,
      SERVICE_MANAGER: "systemd",
      SYSTEMD_FOLDER: `${root}/units`,
    };
    const spec = await specOf(await backend("blue"), await backend("green"));
    expect(await machine().setUpProxy(spec, parameters)).toMatchObject({ code: 0, stderr: "" });
    const calls = (): string[] => fs.readFileSync(`${root}/calls`, "utf8").trim().split("\n");
    expect(calls()).toEqual([
      "daemon-reload",
      "disable --quiet --now haproxy.service",
      "stop bluegreen-proxy.service",
      "enable --quiet bluegreen-proxy.service",
      "restart bluegreen-proxy.service",
      "restart bluegreen-arrival.service",
    ]);
    expect((await machine().setUpProxy(spec, parameters)).stdout).toContain(": nothing changed\n");
    expect(calls().slice(6)).toEqual(["daemon-reload"]);
    const changed = { ...spec, verification: { ...spec.verification, path: "/other" } };
    expect((await machine().setUpProxy(changed, parameters)).stdout).toContain(": reloaded");
    expect(calls().slice(7)).toEqual(["daemon-reload", "reload bluegreen-proxy.service"]);

    const unit = fs.readFileSync(`${root}/units/bluegreen-proxy.service`, "utf8").split("\n");
    for (const line of [
      "Type=notify",
      "Restart=always",
      "LimitNOFILE=262144",
      `WorkingDirectory=${machine().path()}`,
      "ExecReload=/bin/kill -USR2 $MAINPID",
    ]) {
      expect(unit).toContain(line);
    }
    expect(unit.find((line) => line.startsWith("ExecStart="))).toMatch(
      /haproxy -Ws -f haproxy\.cfg( -f user\.cfg)? -p haproxy\.pid$/,
    );
    if (!verify) return;
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "bluegreen-proxy.service"], {
      encoding: "utf8",
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${root}/units:` },
    });
    const ours = (stdout + stderr).split("\n").filter((line) => line.includes("bluegreen"));
    expect({ status, ours }).toEqual({ status: 0, ours: [] });
    for (const [service, least] of [
      ["bluegreen-proxy", 4],
      ["bluegreen-arrival", 4],
    ] as const) {
      const file = `${root}/units/${service}.service`;
      const args = ["security", "--offline=yes", "--no-pager", file];
      const { stdout: rated } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(rated)?.[1]);
      expect({ service, exposure, isLess: exposure < least }).toMatchObject({ isLess: true });
    }
  });
});

/** A connection that has had one answer and idles; gives what its next request gets. */
async function connected(port: number): Promise<() => Promise<string>> {
  const socket = net.connect(port, HOST);
  let said = "";
  socket.on("data", (data: Buffer) => (said += data.toString()));
  const next = async (): Promise<string> => {
    said = "";
    socket.write("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\nok");
    await until(() => said.endsWith("ok"), "it is answered");
    return said;
  };
  await next();
  return async () => {
    const answer = await next();
    socket.destroy();
    return answer;
  };
}
