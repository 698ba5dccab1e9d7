import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import { SCRIPT, TestServer, base64, eachTestHasAServer, expectFailure, lives } from "./server";
import { until } from "../../../development/testbed/processes";
import { freePort } from "../../../development/testbed/ports";

const server = eachTestHasAServer();

/** Installs a release and expects it to be served. */
async function installed(sequence: number, overrides = {}, behaviour = {}): Promise<void> {
  const artifact = server().application(behaviour);
  const outcome = await server().install(server().parameters(sequence, artifact, overrides));
  expect(outcome).toMatchObject({ code: 0, stderr: "", result: { outcome: "installed" } });
}

function bystander(...command: string[]): number {
  const [program = "sleep", ...rest] = command;
  return server().own(spawn(program, rest, { stdio: "ignore" })).pid as number;
}

describe("a first install", () => {
  test("serves the release from its slot and says so in one line of JSON", async () => {
    const artifact = server().application();
    const { code, stdout, result } = await server().install(server().parameters(1, artifact));
    expect(code).toBe(0);
    expect(result).toEqual({
      step: "install",
      slot: "blue",
      releaseId: "1.0.0-1",
      outcome: "installed",
      seconds: expect.any(Number),
    });
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(await server().get()).toMatchObject({ status: 200, release: "1.0.0-1" });
    expect(fs.readlinkSync(server().path("slots/blue"))).toBe("../releases/1.0.0-1");
    expect(server().read("releases/1.0.0-1/.release")).toBe(`1.0.0-1 ${artifact.sha256}`);
    expect(server().read("run/blue.pid")).toBe(String(server().instances()[0]));
    expect(server().read("sequence")).toMatch(/^1 [0-9a-f]{64}$/);
    expect(server().list("downloads")).toEqual([]);
    expect(server().list("run")).toEqual(["blue.healthy", "blue.pid"]);
  });

  test("gives the instance a known environment and nothing else", async () => {
    await installed(1, { SECRET: "x", NODE_OPTIONS: "--no-warnings" });
    const { env, cwd, pid } = JSON.parse((await server().get("/environment")).body);
    expect(env).toEqual({
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      LANG: "C.UTF-8",
      HOST: server().host,
      PORT: String(server().port),
      DATA_FOLDER: server().path("data"),
      BLUEGREEN_RELEASE_ID: "1.0.0-1",
      BLUEGREEN_SLOT: "blue",
      BLUEGREEN_SERVER: "web-1",
      BLUEGREEN_APPLICATION: "demo",
      BLUEGREEN_SERVER_FOLDER: server().folder,
    });
    expect(cwd).toBe(server().path("releases/1.0.0-1"));
    const descriptors = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => readlink(`/proc/${pid}/fd/${fd}`));
    expect(descriptors.filter((target) => target.startsWith(server().folder))).toEqual([
      server().path("logs/blue.log"),
      server().path("logs/blue.log"),
    ]);
    const ignored = /SigIgn:\s*([0-9a-f]+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    expect(BigInt(`0x${ignored}`) & 0x4007n).toBe(0n); // HUP, INT, QUIT, TERM
  });

  test("works in a folder with a blank and another language in its name", async () => {
    const SERVER_FOLDER = `${server().root}/sörver one`;
    const overrides = { SERVER_FOLDER, DATA_FOLDER: `${server().root}/data` };
    await installed(1, overrides);
    expect(JSON.parse((await server().get("/environment")).body).env).toMatchObject({
      DATA_FOLDER: `${server().root}/data`,
    });
    await server().install(server().parameters(2, server().application(), { ...overrides, RELEASE_ID: "" }));
    await expect(server().get()).rejects.toThrow();
  });

  test("sends the public Host header, and follows no redirect", async () => {
    await installed(1, { HEALTH_HOST: "shop.example.com:8443", RELEASE_HEADER: "" });
    const outcome = await server().install(
      server().parameters(2, server().application({ status: 302 }), { DEADLINE_SECONDS: "1" }),
    );
    expect(outcome.stderr).toContain("/health answered 302, expected 200");
  });
});

describe("an instance that speaks HTTP/2 only", () => {
  const HTTP2 = { HEALTH_PROTOCOL: "http2" };

  test.each([
    ["the release in a header", {}, {}],
    ["the release in the body, and a public Host", { RELEASE_HEADER: "", HEALTH_HOST: "shop.example" }, {}],
    ["another status", { HEALTH_STATUS: "204" }, { status: 204 }],
  ])("is healthy: %s", (_, overrides, behaviour) =>
    installed(1, { ...HTTP2, ...overrides }, { http2: true, ...behaviour }),
  );

  test.each([
    ["another release", HTTP2, { http2: true, says: "0.9.0-1" }, /\/health reports release "0\.9\.0-1"/],
    ["HTTP/1.1 instead", HTTP2, {}, /no answer on http:/],
    ["not asked over HTTP/2", {}, { http2: true }, /no answer on http:/],
  ])("is rejected: %s", async (_, overrides, behaviour, reason) => {
    const artifact = server().application(behaviour);
    const outcome = await server().install(
      server().parameters(1, artifact, { ...overrides, DEADLINE_SECONDS: "2" }),
    );
    expectFailure(outcome, 4);
    expect(outcome.stderr).toMatch(reason);
  });
});

test("a release in a slot is replaced by the next one, gracefully", async () => {
  await installed(1);
  const before = server().instances();
  await installed(2, {}, { leavesWorker: true });
  expect(before.some(lives)).toBe(false);
  expect((await server().get()).release).toBe("1.0.0-2");
  await installed(3);
  expect(server().instances()).toHaveLength(1);
});

test("a second run changes nothing: same process, already-installed", async () => {
  await installed(1);
  const before = server().instances();
  const outcome = await server().install(server().parameters(1, server().application()));
  expect(outcome.result).toMatchObject({ outcome: "already-installed", releaseId: "1.0.0-1" });
  expect(server().instances()).toEqual(before);
});

test("the same release with another port or command is restarted", async () => {
  await installed(1);
  const PORT = String(await freePort(server().host));
  await installed(2, { RELEASE_ID: "1.0.0-1", PORT });
  await expect(server().get()).rejects.toThrow();
  await installed(3, {
    RELEASE_ID: "1.0.0-1",
    START_COMMAND_BASE64: base64("node\nserver.js\n--new arg $HOME"),
  });
  expect((await server().get()).release).toBe("1.0.0-1");
  const [pid] = server().instances();
  expect(fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("node\0server.js\0--new arg $HOME\0");
});

test("an empty release id empties the slot, as often as one likes", async () => {
  await installed(1);
  for (const sequence of [2, 2, 3]) {
    const outcome = await server().install({
      ...server().parameters(sequence, { file: "", sha256: "" }),
      RELEASE_ID: "",
    });
    expect(outcome).toMatchObject({ code: 0, stderr: "", result: { outcome: "emptied", releaseId: "" } });
    expect(server().instances()).toEqual([]);
    expect(server().list("slots")).toEqual([]);
  }
});

test("both slots live side by side and are not disturbed by one another", async () => {
  await installed(1, { SLOT: "green", PORT: String(await freePort(server().host)) });
  const green = server().instances("green");
  await installed(2);
  await installed(3);
  const outcome = await server().install(
    server().parameters(4, server().application({ silent: true }), { DEADLINE_SECONDS: "1" }),
  );
  expect(outcome.code).toBe(4);
  expect(server().instances("green")).toEqual(green);
  expect(green.every(lives)).toBe(true);
  expect(server().linked("green")).toBe("1.0.0-1");
});

describe("the record's sequence", () => {
  test("an older one is refused, and nothing happens", async () => {
    await installed(17);
    const outcome = await server().install(server().parameters(16, server().application()));
    expect(outcome).toMatchObject({
      code: 3,
      stderr: "install: record 16 is older than 17; use `bluegreen rollback`\n",
    });
    expect((await server().get()).release).toBe("1.0.0-17");
  });

  test("a known one with other content is refused", async () => {
    await installed(17);
    const RECORD_DIGEST = "b".repeat(64);
    const outcome = await server().install(
      server().parameters(17, server().application(), { RECORD_DIGEST }),
    );
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toMatch(
      /^install: record 17 is already known with other content \([0-9a-f]{12} before, bbbbbbbbbbbb now\): raise "sequence"\n$/,
    );
  });

  test("a broken file is not taken for a low sequence", async () => {
    fs.mkdirSync(server().folder);
    fs.writeFileSync(server().path("sequence"), "");
    expect(await server().install(server().parameters(1, server().application()))).toMatchObject({ code: 1 });
  });

  test("large numbers are compared as numbers", async () => {
    await installed(999_999_999_999);
    expect(await server().install(server().parameters(99_999_999_999, server().application()))).toMatchObject(
      { code: 3 },
    );
  });
});

describe("a candidate that is not good is rejected, and the slot is linked as before:", () => {
  async function rejected(behaviour: object, because: RegExp, overrides = {}): Promise<void> {
    await installed(1);
    const artifact = server().application(behaviour);
    const outcome = await server().install(
      server().parameters(2, artifact, { DEADLINE_SECONDS: "1", ...overrides }),
    );
    expectFailure(outcome, 4);
    expect(outcome.stderr).toMatch(because);
    expect(server().linked()).toBe("1.0.0-1");
    expect(server().list("releases")).toEqual(["1.0.0-1"]);
    expect(server().instances()).toEqual([]);
    expect(server().list("run")).toEqual(["blue.healthy"]);
  }

  test("it never listens", () =>
    rejected({ silent: true }, /1\.0\.0-2 was not healthy within 1 s: no answer on http:\/\/127/));
  test("it answers with an error", () => rejected({ status: 500 }, /\/health answered 500, expected 200/));
  test("it says another release", () =>
    rejected({ says: "1.0.0-1" }, /reports release "1\.0\.0-1" in x-release-id, expected "1\.0\.0-2"/));
  test("its answer has no end", () => rejected({ endless: true }, /no answer on .*(23|28)/));
  test("its body names only a similar release", () =>
    rejected({ body: "release 1.0.0-20 and 11.0.0-2 and 1.0.0-2.1" }, /does not name release "1\.0\.0-2"/, {
      RELEASE_HEADER: "",
    }));
  test("it has too few successes in a row", () =>
    rejected({}, /was not healthy within 1 s/, { HEALTH_SUCCESSES: "3", HEALTH_INTERVAL_SECONDS: "0.9" }));

  test("it dies at its start: at once, with its last words", async () => {
    const last = Array.from({ length: 9 }, (_, n) => `word ${n}\u001b[31m ${"x".repeat(300)}`).join("\n");
    await installed(1, {}, {});
    fs.appendFileSync(server().path("logs/blue.log"), "words of the old release\n");
    const started = Date.now();
    const outcome = await server().install(
      server().parameters(2, server().application({ diesSaying: last }), { DEADLINE_SECONDS: "60" }),
    );
    expect(Date.now() - started).toBeLessThan(50_000);
    expectFailure(outcome, 4);
    expect(outcome.stderr).toMatch(/^(log: [\n -~]*)install: 1\.0\.0-2 ended before it was healthy/);
    expect(outcome.stderr).toContain("word 8");
    expect(outcome.stderr).not.toContain("old release\n");
    expect(outcome.stderr.length).toBeLessThan(1300);
  });

  test("its command does not exist", () =>
    rejected({}, /log: .*no-such-program.*\n.*ended before/, {
      START_COMMAND_BASE64: base64("no-such-program"),
    }));
});

test("a slow start is waited for, and the body may name the release", async () => {
  await installed(1, { RELEASE_HEADER: "" }, { failures: 3, body: "this is 1.0.0-1." });
});

describe("stopping", () => {
  test("whoever ignores SIGTERM is killed after STOP_SECONDS", async () => {
    await installed(1, {}, { ignoresSigterm: true });
    const [pid] = server().instances();
    const started = Date.now();
    await installed(2, { STOP_SECONDS: "1" });
    expect(Date.now() - started).toBeGreaterThan(1000);
    expect(lives(pid as number)).toBe(false);
  });

  test("a recycled pid is never killed, and a stray without pid file is found", async () => {
    await installed(1);
    const [stray] = server().instances();
    const innocent = bystander("sleep", "1000");
    fs.writeFileSync(server().path("run/blue.pid"), `${innocent}\n`);
    await installed(2);
    expect(lives(innocent)).toBe(true);
    expect(lives(stray as number)).toBe(false);
    fs.writeFileSync(server().path("run/blue.pid"), "-1\n");
    await installed(3);
    expect(server().instances()).toHaveLength(1);
  });

  test("another environment's server of the same name on this machine is left alone", async () => {
    const other = await TestServer.create();
    try {
      await other.install(other.parameters(1, other.application()));
      await installed(1);
      await installed(2);
      expect((await other.get()).release).toBe("1.0.0-1");
    } finally {
      await other.close();
    }
  });
});

describe("the port", () => {
  test("of somebody else is refused, naming him, and nothing is stopped", async () => {
    const foreign = http.createServer((_request, response) => response.end("me"));
    await new Promise<void>((resolve) => foreign.listen(server().port, server().host, resolve));
    const outcome = await server().install(server().parameters(1, server().application()));
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toMatch(
      new RegExp(
        `^install: port ${server().port} on ${server().host} is taken by pid ${process.pid} \\(\\S+\\), which is not slot blue`,
      ),
    );
    expect((await server().get()).body).toBe("me");
    expect(server().list("releases")).toEqual([]);
    await new Promise((resolve) => foreign.close(resolve));
  });

  test("is taken by a listener on every address too, but not by one on another address", async () => {
    for (const [address, code] of [
      ["127.255.1.1", 0],
      ["0.0.0.0", 3],
      ["::", 3],
    ] as const) {
      const port = await freePort("::");
      const foreign = http.createServer();
      await new Promise<void>((resolve) => foreign.listen(port, address, resolve));
      const sequence = { "127.255.1.1": 1, "0.0.0.0": 2, "::": 3 }[address];
      const outcome = await server().install(
        server().parameters(sequence, server().application(), { PORT: String(port) }),
      );
      expect({ address, code: outcome.code }).toEqual({ address, code });
      await new Promise((resolve) => foreign.close(resolve));
    }
  });
});

describe("in place", () => {
  const inPlace = { MODE: "inPlace" };

  test("the new release takes the port of the old one", async () => {
    await installed(1);
    await installed(2, inPlace);
    expect((await server().get()).release).toBe("1.0.0-2");
    expect(server().instances()).toHaveLength(1);
    expect(server().list("releases")).toEqual(["1.0.0-1", "1.0.0-2"]);
  });

  test("a failure brings the old one back, with its own start command", async () => {
    await installed(1, { START_COMMAND_BASE64: base64("node\nserver.js\nold") });
    const artifact = server().application({ status: 500 });
    const outcome = await server().install(
      server().parameters(2, artifact, { ...inPlace, DEADLINE_SECONDS: "4" }),
    );
    const reason = outcome.stderr.trim().slice("install: ".length);
    expect(outcome).toMatchObject({
      code: 4,
      result: { outcome: "restored", releaseId: "1.0.0-1", exitCode: 4, reason },
    });
    expect(outcome.stderr).toMatch(
      /^install: 1\.0\.0-2 was not healthy .*; the old release 1\.0\.0-1 is running again and healthy\n$/,
    );
    expect((await server().get()).release).toBe("1.0.0-1");
    expect(server().linked()).toBe("1.0.0-1");
    expect(server().list("releases")).toEqual(["1.0.0-1"]);
    const [pid] = server().instances();
    expect(fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("node\0server.js\0old\0");
  });

  test("a bad artifact is found before the old one is stopped", async () => {
    await installed(1);
    const before = server().instances();
    const artifact = { ...server().application(), sha256: "0".repeat(64) };
    expectFailure(await server().install(server().parameters(2, artifact, inPlace)), 4);
    expect(server().instances()).toEqual(before);
  });

  test("says so if not even the old one comes back", async () => {
    await installed(1);
    fs.writeFileSync(server().path("releases/1.0.0-1/server.js"), "process.exit(9)");
    const outcome = await server().install(
      server().parameters(2, server().application({ status: 500 }), { ...inPlace, DEADLINE_SECONDS: "1" }),
    );
    expectFailure(outcome, 1);
    expect(outcome.stderr).toMatch(
      /the old release 1\.0\.0-1 did not start again \(.*\): SLOT blue SERVES NOTHING/,
    );
  });
});

describe("SIGTERM", () => {
  test("while waiting for health undoes everything: exit 5", async () => {
    await installed(1);
    const run = server().start(server().parameters(2, server().application({ silent: true })));
    await until(() => server().linked() === "1.0.0-2", "2 is linked");
    process.kill(run.pid, "SIGTERM");
    const outcome = await run.done;
    expectFailure(outcome, 5);
    expect(outcome.stderr).toMatch(/^install: stopped by SIGTERM while .*; rolled back/m);
    expect(server().linked()).toBe("1.0.0-1");
    expect(server().instances()).toEqual([]);
    expect(server().list("releases")).toEqual(["1.0.0-1"]);
  });

  test("while a health request has no answer is said as well", async () => {
    const run = server().start(server().parameters(1, server().application({ hangs: true })));
    const log = server().path("logs/blue.log");
    await until(() => fs.existsSync(log) && fs.readFileSync(log, "utf8").includes("asked"), "it is asked");
    process.kill(run.pid, "SIGTERM");
    const outcome = await run.done;
    expectFailure(outcome, 5);
    expect(outcome.stderr).toMatch(/^install: stopped by SIGTERM while waiting for 1.0.0-1; rolled back/m);
  });

  test("between two substitutions, which bash 5.2 takes for a part of the second, is answered as anywhere", async () => {
    await installed(1);
    const bin = server().path("bin");
    fs.mkdirSync(bin);
    // Asked first in a condition with two. The installer is its eldest ancestor of that name.
    const readlink = `#!/bin/bash
pid=$PPID
while read -r _ _ _ parent _ <"/proc/$pid/stat" && grep -q install-release "/proc/$parent/cmdline"; do pid=$parent; done
kill -TERM "$pid"
exec /bin/readlink "$@"
`;
    fs.writeFileSync(`${bin}/readlink`, readlink, { mode: 0o755 });
    const PATH = `${bin}:${process.env["PATH"]}`;
    const outcome = await server().install(server().parameters(1, server().application(), { PATH }));
    expectFailure(outcome, 5);
    expect(outcome.stderr).toMatch(/^install: stopped by SIGTERM while checking what runs.*; rolled back/);
  });

  test("during a release in place brings the old one back", async () => {
    await installed(1);
    const run = server().start(
      server().parameters(2, server().application({ silent: true }), { MODE: "inPlace" }),
    );
    await until(() => server().linked() === "1.0.0-2", "2 is linked");
    process.kill(run.pid, "SIGINT");
    expect(await run.done).toMatchObject({ code: 5, result: { outcome: "restored", releaseId: "1.0.0-1" } });
    expect((await server().get()).release).toBe("1.0.0-1");
  });

  test("ends a download at once", async () => {
    let asked = false;
    const address = await server().serve((_request, response) => {
      asked = true;
      response.writeHead(200, { "content-length": 1000 }).write("PK");
    });
    const parameters = server().parameters(1, server().application(), {
      ARTIFACT_URL_BASE64: base64(address),
    });
    const run = server().start(parameters);
    await until(() => asked, "the download began");
    process.kill(run.pid, "SIGTERM");
    expect(await run.done).toMatchObject({ code: 5 });
    expect(server().list("releases")).toEqual([]);
  });
});

test("two installs at once: the second waits, or gives up after half of its time", async () => {
  const artifact = server().application();
  const outcomes = await Promise.all(
    [1, 1].map(async () => server().install(server().parameters(1, artifact))),
  );
  expect(outcomes.map(({ result }) => result?.["outcome"]).sort()).toEqual([
    "already-installed",
    "installed",
  ]);

  const holder = server().own(
    spawn("flock", [server().path("install.lock"), "sh", "-c", "echo held; read -r _"], { stdio: "pipe" }),
  );
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const outcome = await server().install(server().parameters(2, artifact, { PREPARE_SECONDS: "2" }));
  expect(outcome.code).toBe(3);
  expect(outcome.stderr).toMatch(/^install: another install still runs on this server after 1 s/);
  holder.stdin.end();
});

describe("cleaning up", () => {
  test("keeps the newest releases, those in slots, protected ones and those that run", async () => {
    await installed(1, { SLOT: "green", PORT: String(await freePort(server().host)) });
    for (const sequence of [2, 3, 9, 10]) await installed(sequence);
    for (const folder of ["releases/.staging-1.0.0-5-77", "releases/somebody's", "releases/1.0.0-4"])
      fs.mkdirSync(server().path(folder));
    fs.writeFileSync(server().path("downloads/abc.partial"), "");
    const parameters = server().parameters(11, server().application(), {
      KEEP_RELEASES: "2",
      PROTECTED_RELEASES: "0.9.0-1 1.0.0-3",
    });
    expect(await server().install(parameters)).toMatchObject({ code: 0, stderr: "" });
    expect(server().list("releases")).toEqual(["1.0.0-1", "1.0.0-10", "1.0.0-11", "1.0.0-3", "somebody's"]);
    expect(server().list("downloads")).toEqual([]);
  });

  test("a failure to clean up does not fail the step", async () => {
    fs.mkdirSync(server().path("bin"), { recursive: true });
    const rm = server().path("bin/rm");
    fs.writeFileSync(
      rm,
      '#!/bin/sh\ncase "$*" in *"downloads/*"*) echo cannot >&2; exit 1;; *) exec /bin/rm "$@";; esac\n',
      { mode: 0o755 },
    );
    const outcome = await server().install(
      server().parameters(1, server().application(), {
        PATH: `${server().path("bin")}:${process.env["PATH"]}`,
      }),
    );
    expect(outcome).toMatchObject({ code: 0, result: { outcome: "installed" } });
  });

  test("a failed release that is protected, or in the other slot, keeps its folder", async () => {
    const artifact = server().application({ failures: 3 }); // healthy for a patient installer only
    const PORT = String(await freePort(server().host));
    expect(await server().install(server().parameters(1, artifact, { SLOT: "green", PORT }))).toMatchObject({
      code: 0,
    });
    const impatient = { RELEASE_ID: "1.0.0-1", HEALTH_STATUS: "201", DEADLINE_SECONDS: "1" };
    expect(await server().install(server().parameters(2, artifact, impatient))).toMatchObject({ code: 4 });
    expect(server().list("releases")).toEqual(["1.0.0-1"]);
    expect(server().list("slots")).toEqual(["green"]);
    expect(server().instances("green")).toHaveLength(1);
  });

  test("a log that is too long loses its older half", async () => {
    fs.mkdirSync(server().path("logs"), { recursive: true });
    const log = server().path("logs/blue.log");
    fs.writeFileSync(log, `the beginning\n${"x".repeat(11 * 1024 * 1024)}\nthe end of the former instance\n`);
    await installed(1);
    const text = fs.readFileSync(log, "utf8");
    expect(text.length).toBeLessThan(6 * 1024 * 1024);
    expect(text).toContain("\nthe end of the former instance\n");
    expect(text).not.toContain("the beginning");
  });
});

function readlink(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return "";
  }
}

test("the script's text may come through stdin, as some run commands deliver it", async () => {
  const text = fs.openSync(SCRIPT, "r");
  const env = { PATH: process.env["PATH"], ...server().parameters(1, server().application()) };
  const child = server().own(spawn("bash", ["-s"], { env, stdio: [text, "ignore", "ignore"] }));
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  expect((await server().get()).release).toBe("1.0.0-1");
});
