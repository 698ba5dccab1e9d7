/**
 * A rollback without Terraform: the state is locked by a run that hangs and then dies, the binary is gone, one of two proxies
 * is away. Then the record takes it over, and everything goes on.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readlinkSync, symlinkSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { ZipFile } from "yazl";
import type { ProxyStatus } from "../../release/director-status";
import type { Receipt } from "../../release/receipt";
import { ask, changes, describeEndToEnd, follow, oneLine, until, World } from "./world";

/** From the start of the director to its end, which is after users were moved. */
const AT_ONCE_SECONDS = 2;
const WHY = "checkout loses orders";
const BY_HAND =
  /^users were moved by hand at .* from 1\.1\.0-2 to 1\.0\.0-1 \(checkout loses orders\): `bluegreen recover`/;

/** Its health takes a while, and one request in a hundred fails. */
const UNKIND = `
const { createServer } = require("node:http");
let asked = 0;
const server = createServer((request, response) => {
  response.setHeader("x-release-id", process.env.BLUEGREEN_RELEASE_ID);
  if ((asked += 1) % 100 === 0) response.statusCode = 500;
  setTimeout(() => response.end("ok"), request.url === "/health" ? 400 : 0);
});
server.keepAliveTimeout = 65000;
server.listen(Number(process.env.PORT), process.env.HOST || "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;

interface Ended {
  readonly outcome: string;
  readonly exitCode: number;
  readonly proxies: readonly {
    readonly proxy: string;
    readonly outcome: string;
    readonly reason: string;
    readonly seconds: number;
  }[];
}

describeEndToEnd("break glass", () => {
  let world: World;

  beforeAll(async () => {
    const verification = { path: "/health", intervalSeconds: 0.05, deadlineSeconds: 15 };
    const analysis = { maxErrorRatio: 0.5 };
    const schedule = { strategy: "blueGreen", bakeSeconds: 0.3, drainSeconds: 2, analysis };
    world = await World.create({ proxies: 2, environment: { verification, schedule } });
    mkdirSync(world.path("bin"));
    symlinkSync(process.execPath, world.path("bin/node"));
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  async function release(version: string): Promise<void> {
    const zip = new ZipFile();
    zip.addBuffer(Buffer.from(UNKIND), "server.js");
    zip.addBuffer(Buffer.from(version), "version");
    zip.end();
    const file = world.path(`${version}.zip`);
    writeFileSync(file, await buffer(zip.outputStream));
    expect(await world.deploy("release", version, "--artifact", file)).toMatchObject({ exitCode: 0 });
  }

  /** What users of a proxy get; its failures are the application's. */
  async function serving(proxy: number): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(`${world.origin(proxy)}/`)));
    return [...new Set(answers)].filter((answer) => answer !== "status 500").sort();
  }

  const refused = async (...args: string[]): Promise<string> => {
    const ran = await world.run(args);
    expect(ran.exitCode).toBe(3);
    return oneLine(ran).replace(/^(bluegreen: |✖ )/, "");
  };

  const signal = (name: NodeJS.Signals, proxy: string): void => {
    for (const { pid, command } of world.processes()) {
      if (/haproxy/.test(command) && readCwd(pid).endsWith(`/${proxy}`)) process.kill(pid, name);
    }
  };

  it("needs something to go back to", async () => {
    await release("1.0.0");
    const ran = await world.run(["rollback", "--break-glass", "--reason", WHY]);
    expect(ran.exitCode).toBe(3);
    expect(ran.stderr).toMatch(/✖ proxy-1 refused: .*nothing is kept beside it: green is empty/);
    await release("1.1.0");
  });

  it.each([
    [["--break-glass"], /--break-glass|needs a reason/],
    [["--break-glass", "--reason", " "], /needs a reason/],
    [["--reason", "why"], /--reason needs --break-glass/],
  ])("is refused as bad input: %j", async (args, message) => {
    const ran = await world.run(["rollback", ...args]);
    expect({ exitCode: ran.exitCode, stdout: ran.stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(oneLine(ran)).toMatch(message);
    expect([await serving(0), await serving(1)]).toEqual([["1.1.0-2"], ["1.1.0-2"]]);
  });

  it("moves the living proxy's users at once: the state locked, the binary gone, the other proxy away", async () => {
    const folder = world.path(".bluegreen/local/cdktf.out/stacks/web");
    const { stdout } = await world.terraform(folder, "state", "list");
    const address = stdout.split("\n").find((line) => line.includes("begin"))!;
    // It waits for its "yes", with the lock.
    const dead = spawn("terraform", [`-chdir=${folder}`, "apply", `-replace=${address}`], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const lock = world.path(".bluegreen/local/.terraform.web.tfstate.lock.info");
    await until(() => existsSync(lock), "the state is locked");
    dead.kill("SIGSTOP");
    try {
      await moveBesideIt();
    } finally {
      dead.kill("SIGKILL");
      signal("SIGCONT", "proxy-2");
    }
    expect(await serving(1)).toEqual(["1.1.0-2"]);
  });

  async function moveBesideIt(): Promise<void> {
    expect((await world.run(["rollback"])).stderr).toMatch(/state.*lock|lock.*state/i);
    signal("SIGSTOP", "proxy-2");

    const running = world.start(["rollback", "--break-glass", "--reason", WHY, "--json"], {
      env: { PATH: `${world.path("bin")}:/usr/bin:/bin` },
    });
    await until(async () => (await serving(0)).join() === "1.0.0-1", "users get the kept release");
    const ran = await running.ended;
    const ended = JSON.parse(ran.stdout) as Ended;
    expect(ended).toMatchObject({
      outcome: "frozen",
      exitCode: 6,
      proxies: [
        {
          proxy: "proxy-1",
          outcome: "rolledBack",
          reason: "all requests go to 1.0.0-1 in blue, not to 1.1.0-2",
        },
        { proxy: "proxy-2", outcome: "unreached", reason: expect.stringMatching(/can't be reached/) },
      ],
    });
    expect(ran.exitCode).toBe(6);
    expect(ran.stderr).toContain("Terraform's state is locked: it is not needed");
    expect(ended.proxies[0]!.seconds).toBeLessThan(AT_ONCE_SECONDS);
  }

  it("is shown by status, and no command fights it: each is refused in one line and changes nothing", async () => {
    const shown = await world.run(["status"]);
    expect(shown.stdout).toMatch(
      / {2}users were moved by hand at .*: `bluegreen recover` takes it over into the record/,
    );
    expect(shown.stdout).not.toMatch(/but record \d+ was applied/);
    const before = world.text("release.json");
    for (const args of [
      ["rollback"],
      ["retry"],
      ["abort"],
      ["plan", "rollback"],
      ["release", "1.2.0", "--artifact", "1.0.0.zip"],
    ]) {
      expect(await refused(...args)).toMatch(BY_HAND);
    }
    expect(world.text("release.json")).toBe(before);
    expect([await serving(0), await serving(1)]).toEqual([["1.0.0-1"], ["1.1.0-2"]]);
  });

  it("a pipeline that applies the record again, or its next one by hand, moves nobody back", async () => {
    await world.applyByHand();
    expect(await serving(0)).toEqual(["1.0.0-1"]);
    const { record } = world;
    world.record = { ...record, sequence: 3, retry: true };
    const ran = await world.applyByHand();
    expect(ran.exitCode).not.toBe(0);
    expect(ran.stdout + ran.stderr).toMatch(/users were moved by hand at/);
    expect(await serving(0)).toEqual(["1.0.0-1"]);
    world.record = record;
  });

  it("recover takes it over; the plan installs nothing, and the apply moves nobody", async () => {
    const { stdout } = await world.run(["recover", "--yes", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "recovered", proof: "reconstructed", exitCode: 0 });
    expect(world.record).toMatchObject({
      active: "blue",
      goal: "live",
      slots: { blue: { version: "1.0.0", run: 1 }, green: { version: "1.1.0", run: 2 } },
      previous: { version: "1.1.0", run: 2 },
      leftOut: ["proxy-2"],
    });
    const planned = changes(await world.planByHand());
    expect(Object.keys(planned).filter((address) => /install|migrate/.test(address))).toEqual([]);
    expect(JSON.parse((await world.run(["recover", "--json"])).stdout)).toMatchObject({
      outcome: "nothing-to-recover",
    });
  });

  it("the other proxy catches up with it", async () => {
    expect(await world.deploy("retry")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
    expect([await serving(0), await serving(1)]).toEqual([["1.0.0-1"], ["1.0.0-1"]]);
    const statuses: ProxyStatus[] = await world.status();
    expect(statuses.map(({ state }) => state.brokenGlass)).toEqual([null, null]);
  });

  it("history and the receipt tell of it", async () => {
    const { stdout } = await world.run(["history"]);
    expect(stdout).toMatch(/rollback rolledBack\s+1\.1\.0-2 -> 1\.0\.0-1/);
    const { stdout: json } = await world.run(["history", "--json"]);
    const receipts = JSON.parse(json) as { receipts?: Receipt[] } | Receipt[];
    const all = Array.isArray(receipts) ? receipts : receipts.receipts!;
    expect(all.find(({ reason }) => reason.includes(WHY))).toMatchObject({
      action: "rollback",
      who: { user: "unknown" },
      reason: `by hand on proxy-1: ${WHY}`,
      proxies: [
        {
          proxy: "proxy-1",
          journal: [
            { event: "byHand", reason: WHY },
            { event: "traffic", live: "blue" },
          ],
        },
      ],
    });
  });

  it("rollback and release go on, and it can be done again on both proxies, beside a held lock", async () => {
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
    await release("1.3.0");
    const holder = follow(
      spawn("flock", ["--no-fork", world.path(".bluegreen/local/release.lock"), "sleep", "60"], {
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    await until(
      async () => (await world.run(["rollback"])).stderr.includes("another release is running"),
      "it is held",
    );
    const ran = await world.run(["rollback", "--break-glass", "--reason", WHY]);
    expect(ran.stderr).toMatch(/another run holds the project's lock .*: it is not waited for/);
    // In the order in which they end.
    expect(ran.stdout.trim().split("\n").sort()).toEqual([
      expect.stringMatching(/^✔ proxy-1 rolledBack: all requests go to 1\.1\.0-2/),
      expect.stringMatching(/^✔ proxy-2 rolledBack: all requests go to 1\.1\.0-2/),
    ]);
    expect(ran.exitCode).toBe(0);
    process.kill(holder.pid, "SIGKILL");
    expect((await world.run(["recover", "--yes"])).exitCode).toBe(0);
    await release("1.4.0");
    expect([await serving(0), await serving(1)]).toEqual([["1.4.0-10"], ["1.4.0-10"]]);
  });
});

function readCwd(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}
