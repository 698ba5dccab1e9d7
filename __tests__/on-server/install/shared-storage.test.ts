/** storage.shared: folders that all servers and slots share; how servers' own folders come there; what if it is away. */
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { until } from "../../../development/testbed/processes";
import { killedAt, pointsOf } from "./killed-at";
import { base64, expectFailure, lives } from "./server";
import type { Parameters } from "./server";
import { files, PICTURES, SharedSite } from "./shared-site";

const CHECK = path.resolve(__dirname, "../../../lib/on-server/install/check-shared-storage.sh");

let site: SharedSite;
beforeEach(async () => void (site = await SharedSite.create()));
afterEach(async () => site.close());

/** SHARED_KILL_EVERY=10 is a longer run. */
const KILL_EVERY = Number(process.env["SHARED_KILL_EVERY"] ?? 30);
const BEFORE: Parameters = { SHARED_PATHS_BASE64: undefined, SHARED_FOLDER: undefined };

describe("one folder for all servers", () => {
  it("serves a picture that was uploaded on the other server, also after a release, a rollback and a heal", async () => {
    const app = site.application();
    for (const index of [0, 1] as const) {
      expect(await site.install(index, 1, app)).toMatchObject({ code: 0, result: { outcome: "installed" } });
    }
    await site.put(0, "ann.png", "ann");
    expect(await site.get(1, "ann.png")).toBe("ann");
    expect(await site.get(1, "default.png")).toBe("default");

    const next = site.application([{ name: `${PICTURES}/default.png`, data: "other default" }]);
    for (const index of [0, 1] as const)
      expect(await site.install(index, 2, next)).toMatchObject({ code: 0 });
    expect(await site.get(0, "ann.png")).toBe("ann");
    await site.put(1, "bob.png", "bob");
    expect(await site.get(0, "bob.png")).toBe("bob");
    // Filled once, by the first release.
    expect(await site.get(0, "default.png")).toBe("default");

    // A rollback installs the old artifact again, as a copy of what is there.
    for (const index of [0, 1] as const) expect(await site.install(index, 3, app)).toMatchObject({ code: 0 });
    expect(await site.get(0, "bob.png")).toBe("bob");
    expect(fs.existsSync(site.servers[0].path("releases/1.0.0-3/.tree"))).toBe(true);

    fs.rmSync(site.servers[1].path("releases"), { recursive: true });
    expect(await site.install(1, 4, app)).toMatchObject({ code: 0 });
    expect(await site.get(1, "bob.png")).toBe("bob");
    expect(site.shared()).toEqual({ "ann.png": "ann", "bob.png": "bob", "default.png": "default" });
  });

  it("stays when releases are cleaned up, and is one for both slots", async () => {
    const app = site.application();
    await site.install(0, 1, app);
    await site.put(0, "ann.png", "ann");
    for (const sequence of [2, 3, 4]) {
      const more = { KEEP_RELEASES: "1", SLOT: sequence % 2 === 0 ? "green" : "blue" };
      const port = { PORT: String(site.servers[0].port + (sequence % 2 === 0 ? 1 : 0)) };
      expect(await site.install(0, sequence, app, { ...more, ...port })).toMatchObject({ code: 0 });
    }
    expect(site.servers[0].list("releases")).not.toContain("1.0.0-1");
    expect(site.shared()).toEqual({ "ann.png": "ann", "default.png": "default" });
  });

  it("refuses a release with a file where the folder has to be", async () => {
    const app = site.application([{ name: "Content", data: "a file" }]);
    const failed = await site.install(0, 1, app);
    expectFailure(failed, 4);
    expect(failed.stderr).toContain(
      "the artifact has a file where storage.shared has the folder Content/ProfilePics",
    );
    expect(site.servers[0].list("releases")).toEqual([]);
  });

  it.each(["../etc", "/etc", "a//b", "a b", ".release", "a/..", ""])(
    "refuses the folder %p",
    async (folder) => {
      const failed = await site.install(0, 1, site.application(), {
        SHARED_PATHS_BASE64: base64(`x\n${folder}\ny`),
      });
      expectFailure(failed, 2);
      expect(failed.stderr).toContain("folders inside the application");
    },
  );
});

describe("taking over", () => {
  it("brings uploads of releases that had no share, and those that come meanwhile with the next install", async () => {
    const app = site.application();
    for (const index of [0, 1] as const) await site.install(index, 1, app, BEFORE);
    await site.put(0, "ann.png", "ann");
    await site.put(1, "bob.png", "bob");
    const green = (index: 0 | 1): Parameters => ({
      SLOT: "green",
      PORT: String(site.servers[index].port + 1),
    });
    for (const index of [0, 1] as const) {
      expect(await site.install(index, 2, app, green(index))).toMatchObject({ code: 0 });
    }
    expect(site.shared()).toEqual({ "ann.png": "ann", "bob.png": "bob", "default.png": "default" });

    // Blue still has users.
    await site.put(0, "late.png", "late");
    fs.rmSync(path.join(site.share, PICTURES, "bob.png"));
    const ran = await site.install(0, 3, app, green(0));
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stdout).toContain("shared storage: took over 1 files of web-1\n");
    expect(await site.install(1, 3, app, green(1))).toMatchObject({ code: 0 });
    // Users deleted it: it does not come back.
    expect(site.shared()).toEqual({ "ann.png": "ann", "default.png": "default", "late.png": "late" });
    expect(files(site.servers[1].path("releases/1.0.0-1", PICTURES))).toEqual({
      "bob.png": "bob",
      "default.png": "default",
    });
  });

  it("keeps the newest of a name, the others beside it with their server's name, and lists them", async () => {
    site.own(0, "same.png", "same", 1_000);
    site.own(1, "same.png", "same", 2_000);
    site.own(0, "ann.png", "ann, new", 2_000);
    site.own(1, "ann.png", "ann, old", 1_000);
    site.own(0, "deep/er/bob", "bob, old", 1_000);
    site.own(1, "deep/er/bob", "bob, new", 2_000);
    site.own(0, "x", "a file", 1_000);
    site.own(1, "x/y.png", "in a folder", 1_000);
    site.own(1, "tab\tand [*] %s.png", "odd", 1_000);
    const app = site.application();
    const first = await site.install(0, 1, app);
    const second = await site.install(1, 1, app);
    expect([first.code, second.code]).toEqual([0, 0]);
    const kept = [
      `${PICTURES}/ann.png: the newest stays, another one is kept as ${PICTURES}/ann.web-2.png`,
      `${PICTURES}/deep/er/bob: the newest stays, another one is kept as ${PICTURES}/deep/er/bob.web-1`,
    ];
    for (const line of kept) expect(second.stdout).toContain(`shared storage: ${line}\n`);
    expect(
      fs.readFileSync(path.join(site.share, ".bluegreen/kept-beside"), "utf8").trim().split("\n").sort(),
    ).toEqual(kept);
    expect(site.shared()).toEqual({
      "ann.png": "ann, new",
      "ann.web-2.png": "ann, old",
      "deep/er/bob": "bob, new",
      "deep/er/bob.web-1": "bob, old",
      "same.png": "same",
      "tab\tand [*] %s.png": "odd",
      x: "a file",
      "x.web-2/y.png": "in a folder",
    });
    expect(await site.get(1, "ann.png")).toBe("ann, new");
  });

  it("follows no link that an instance put into the share", async () => {
    site.own(0, "sub/passwd", "ours", 1_000);
    const outside = path.join(site.root, "outside");
    fs.mkdirSync(outside);
    fs.mkdirSync(path.join(site.share, PICTURES), { recursive: true });
    fs.symlinkSync(outside, path.join(site.share, PICTURES, "sub"));
    expect(await site.install(0, 1, site.application())).toMatchObject({ code: 0 });
    expect(fs.readdirSync(outside)).toEqual([]);
    expect(site.shared()).toEqual({ "sub.web-1/passwd": "ours" });
  });

  it("two servers at a time wait for each other", async () => {
    for (let n = 0; n < 50; n += 1) {
      site.own(0, `a-${n}`, `a ${n}`, 1_000 + n);
      site.own(1, `b-${n}`, `b ${n}`, 1_000 + n);
      site.own((n % 2) as 0 | 1, `both-${n}`, "new", 9_000);
      site.own(((n + 1) % 2) as 0 | 1, `both-${n}`, "old", 1_000);
    }
    const app = site.application();
    const ran = await Promise.all([site.install(0, 1, app), site.install(1, 1, app)]);
    expect(ran.map(({ code }) => code)).toEqual([0, 0]);
    const shared = site.shared();
    expect(Object.keys(shared)).toHaveLength(200);
    for (let n = 0; n < 50; n += 1) {
      expect(shared[`both-${n}`]).toBe("new");
      expect(shared[`both-${n}.web-${((n + 1) % 2) + 1}`]).toBe("old");
    }
  });

  it("kill -9 at any step loses nothing, and the next run ends well", async () => {
    const app = site.application();
    const wanted = {
      "ann.png": "ann, new",
      "ann.web-2.png": "ann, old",
      "bob.png": "bob, new",
      "bob.web-1.png": "bob, old",
      "only-1.png": "one",
      "only-2.png": "two",
    };
    site.own(0, "ann.png", wanted["ann.png"], 2_000);
    site.own(1, "ann.png", wanted["ann.web-2.png"], 1_000);
    site.own(0, "bob.png", wanted["bob.web-1.png"], 1_000);
    site.own(1, "bob.png", wanted["bob.png"], 2_000);
    site.own(0, "only-1.png", "one", 1_000);
    site.own(1, "only-2.png", "two", 1_000);
    expect(await site.install(0, 1, app)).toMatchObject({ code: 0 });
    const before = path.join(site.root, "before");
    fs.cpSync(site.share, before, { recursive: true, preserveTimestamps: true });
    expect(await site.install(1, 1, app)).toMatchObject({ code: 0 });
    const restore = (): void => {
      fs.rmSync(site.share, { recursive: true });
      fs.cpSync(before, site.share, { recursive: true, preserveTimestamps: true });
    };

    restore();
    const again = site.parameters(1, 1, app);
    const steps = ["check_shared_storage", "already_healthy"] as const;
    const [from, to] = await pointsOf(site.servers[1], again, site.root, steps);
    expect(to - from).toBeGreaterThan(100);
    for (let point = from + 1; point < to; point += KILL_EVERY) {
      restore();
      expect(await site.servers[1].install({ ...again, ...killedAt(site.root, point) })).toMatchObject({
        code: null,
      });
      const owned = site.servers.map((server) => files(server.path("data")));
      const there = Object.values(Object.assign({}, site.shared(), ...owned) as Record<string, string>);
      for (const text of Object.values(wanted))
        expect({ point, there }).toMatchObject({ there: expect.arrayContaining([text]) });
      expect(await site.install(1, 1, app)).toMatchObject({ code: 0 });
      expect({ point, shared: site.shared() }).toEqual({ point, shared: wanted });
      const left = fs
        .readdirSync(path.join(site.share, ".bluegreen"))
        .filter((name) => !name.startsWith("probe-"));
      expect(left.sort()).toEqual(["kept-beside", "lock", "share", "taken-web-1", "taken-web-2"]);
    }
  }, 900_000);
});

describe("the share is away", () => {
  const check = (more: Parameters = {}) => {
    const env = { PATH: process.env["PATH"], SERVER_NAME: "web-1", SHARED_FOLDER: site.share, ...more };
    const started = Date.now();
    const ran = spawnSync("bash", [CHECK], {
      env: {
        SHARED_PATHS_BASE64: base64(PICTURES),
        SHARED_TIMEOUT_SECONDS: "1",
        ...env,
      } as NodeJS.ProcessEnv,
      encoding: "utf8",
      timeout: 20_000,
    });
    const { status: code, stdout, stderr } = ran;
    return { code, stdout, stderr, seconds: (Date.now() - started) / 1000 };
  };

  it("is said before a release begins, with 3, in time, and nothing is changed", async () => {
    expect(check()).toMatchObject({ code: 0, stdout: '{"step":"check","outcome":"ready"}\n', stderr: "" });
    const mark = path.join(site.share, ".bluegreen/share");
    const away = (): string => {
      const { code, stderr, stdout, seconds } = check();
      expect({ code, last: JSON.parse(stdout) }).toMatchObject({
        code: 3,
        last: { step: "check", outcome: "failed", exitCode: 3 },
      });
      expect(seconds).toBeLessThan(10);
      return stderr;
    };
    // An empty mount point.
    fs.renameSync(mark, `${mark}.away`);
    expect(away()).toContain("is not mounted, or was not prepared by the base stack");
    // It hangs: nobody ever writes into this pipe.
    spawnSync("mkfifo", [mark]);
    expect(away()).toContain("gives no answer within 1 s: make it available on web-1");
    fs.rmSync(mark);
    fs.renameSync(`${mark}.away`, mark);
    fs.renameSync(site.share, `${site.share}.away`);
    expect(away()).toContain("does not exist");
    fs.renameSync(`${site.share}.away`, site.share);
    expect(check()).toMatchObject({ code: 0 });
    expect(fs.readdirSync(path.join(site.share, ".bluegreen"))).toEqual(["share"]);
  });

  it("that can't be written is away, too", () => {
    const mounted = spawnSync("mount", ["--bind", "-o", "ro", site.share, site.share]);
    if (mounted.status !== 0) {
      // Without the right to mount: a folder where the probe would be created, which nobody may write.
      fs.chmodSync(path.join(site.share, ".bluegreen"), 0o500);
      if (process.getuid?.() === 0)
        return console.warn("skipped, root without the right to mount: a read-only share");
    }
    try {
      expect(check()).toMatchObject({
        code: 3,
        stderr: expect.stringContaining("cannot be written") as string,
      });
    } finally {
      spawnSync("umount", [site.share]);
      fs.chmodSync(path.join(site.share, ".bluegreen"), 0o700);
    }
  });

  it("an install stops before it touches the slot, which goes on", async () => {
    const app = site.application();
    await site.install(0, 1, app);
    const [pid] = site.servers[0].instances();
    fs.rmSync(path.join(site.share, ".bluegreen/share"));
    const failed = await site.install(0, 2, app);
    expectFailure(failed, 3);
    expect(site.servers[0].linked()).toBe("1.0.0-1");
    expect(lives(pid!)).toBe(true);
    expect(await site.get(0, "default.png")).toBe("default");
  });

  it("a server that holds the lock too long is named", async () => {
    const lock = path.join(site.share, ".bluegreen/lock");
    const holder = spawn("flock", [lock, "sleep", "60"], { detached: true });
    try {
      await until(
        () => fs.existsSync(lock) && spawnSync("flock", ["-n", lock, "true"]).status === 1,
        "the lock is held",
      );
      const failed = await site.install(0, 1, site.application(), { DEADLINE_SECONDS: "1" });
      expectFailure(failed, 3);
      expect(failed.stderr).toContain("another server still works in the shared storage");
    } finally {
      process.kill(-holder.pid!, "SIGKILL");
    }
  });
});
