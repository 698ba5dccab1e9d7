/** examples/custom-driver: only the director, over an HAProxy that is somebody else's, with real users. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DirectorStack, ReleaseStack, site } from "../../examples/custom-driver/stacks";
import { LocalServer } from "../../constructs/local/local-server";
import { emptyRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { release } from "../../release/transitions";
import { until } from "../../development/testbed/processes";
import { ask, describeApplied, freePorts, OwnApp, REPOSITORY } from "./custom-app";
import type { Construct } from "constructs";

const PATH = `${process.env["PATH"]}:/usr/sbin`;
const there = spawnSync("haproxy", ["-v"], { env: { ...process.env, PATH } }).status === 0;
if (!there) console.warn("haproxy is not installed: NOTHING of the own driver is tested here");

(there ? describeApplied : describe.skip)("an own driver", () => {
  const app = new OwnApp();
  const folder = join(app.folder, "lb-01");
  let haproxy: ChildProcess;
  let users: ReturnType<typeof askAllTheTime>;
  const instances: ChildProcess[] = [];
  afterAll(async () => {
    await users?.stop();
    await Promise.all([haproxy, ...instances].map(ended));
    app.remove();
  });

  function started(port: number, releaseId: string, status = 200): ChildProcess {
    const args = [join(__dirname, "instance.mjs"), `${port}`, releaseId, `${status}`];
    const instance = spawn(process.execPath, args, { stdio: "ignore" });
    instances.push(instance);
    return instance;
  }

  it("takes a running site over, shifts its traffic, and leaves it where a candidate fails", async () => {
    const port = await freePorts(3);
    const slots = { blue: port + 1, green: port + 2 };
    const environment = site({ port, slots, driver: join(REPOSITORY, "examples/custom-driver/driver.js") });
    const proxy = (scope: Construct) =>
      LocalServer.fromServerAttributes(scope, "lb-01", { name: "lb-01", folder: "lb-01" });
    const synthesize = (record: ReleaseRecord) =>
      app.synthesize((root) => {
        new DirectorStack(root, "director", { environment, proxy });
        new ReleaseStack(root, "release", { environment, proxy, record });
      });

    mkdirSync(folder);
    const own = readFileSync(join(REPOSITORY, "examples/custom-driver/haproxy.cfg"), "utf8");
    const configuration = own.replace(":8000", `:${port}`).replace(":8080", `:${slots.blue}`);
    writeFileSync(join(folder, "haproxy.cfg"), configuration.replace(":8081", `:${slots.green}`));
    const blue = started(slots.blue, "1.0.0-1");
    haproxy = spawn("haproxy", ["-db", "-f", "haproxy.cfg"], {
      cwd: folder,
      env: { ...process.env, PATH },
      stdio: "ignore",
    });
    await until(
      () =>
        ask(port).then(
          ({ status }) => status === 200,
          () => false,
        ),
      "the site is up",
    );
    users = askAllTheTime(port);

    const candidate = (version: string, digit: string) => ({
      version,
      artifact: { url: `https://example.com/${version}.zip`, sha256: digit.repeat(64) },
    });
    const intent = { environmentSchedule: environment.schedule };
    const first = release(
      emptyRecord("shop"),
      candidate("1.0.0", "1"),
      { live: null, releaseId: null, serving: [] },
      intent,
    );
    synthesize(first);
    await app.applied("director");
    await app.applied("release");
    expect(await ask(port)).toEqual({ status: 200, release: "1.0.0-1" });

    started(slots.green, "1.1.0-2");
    const live = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] } as const;
    const second = release(first, candidate("1.1.0", "2"), live, intent);
    synthesize(second);
    await app.applied("release");
    const seen = await users.since();
    expect(seen.failed).toBe(0);
    expect(seen.releases).toEqual(new Set(["1.0.0-1", "1.1.0-2"]));
    for (let index = 0; index < 20; index += 1)
      expect(await ask(port)).toEqual({ status: 200, release: "1.1.0-2" });

    // Whoever installs put something bad into blue, which is idle.
    await ended(blue);
    started(slots.blue, "1.2.0-3", 500);
    const now = { live: "green", releaseId: "1.1.0-2", serving: ["green"] } as const;
    synthesize(release(second, candidate("1.2.0", "3"), now, intent));
    const refused = await app.apply("release");
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr + refused.stdout).toMatch(/1\.2\.0-3 got no requests: [^\n]*answers 500, not 200/);
    expect(await users.since()).toEqual({ failed: 0, releases: new Set(["1.1.0-2"]) });
  });
});

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** Users, one request after another. */
function askAllTheTime(port: number) {
  let failed = 0;
  let releases = new Set<string | undefined>();
  let goesOn = true;
  const loop = (async () => {
    while (goesOn) {
      const answer = await ask(port).catch(() => ({ status: 0, release: undefined }));
      if (answer.status === 200) releases.add(answer.release);
      else failed += 1;
      await new Promise((done) => setTimeout(done, 5));
    }
  })();
  return {
    /** What they met since this was asked last. */
    since: async () => {
      const seen = { failed, releases };
      failed = 0;
      releases = new Set();
      return seen;
    },
    stop: async () => {
      goesOn = false;
      await loop;
    },
  };
}
