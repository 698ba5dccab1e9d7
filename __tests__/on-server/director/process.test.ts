/** The director as servers get it: one built file, real processes, signals, and the script that Terraform runs. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DirectorState, ProxyStatus } from "../../../release/director-status";
import { parseFile } from "../../../release/validation";
import { directorSpec, encodeSpec } from "../../../configuration/director-spec";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { emptyRecord } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { release } from "../../../release/transitions";
import { embedded } from "./proxy-kinds";
import { children } from "./process-facts";
import { proxySpec, ProxyUnderTest } from "./proxy-under-test";
import { follow, until } from "../../../development/testbed/processes";
import { artifact, simulatedEnvironment } from "./simulated-world";

const PROGRAMS = resolve(__dirname, "../../../lib/on-server");
const DIRECTOR = join(PROGRAMS, "director.js");
const SCRIPT = resolve(__dirname, "../../../lib/on-server/director/run-director.sh");

const started: ChildProcess[] = [];
type Running = ReturnType<typeof run>;

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  const ended = follow(child).ended.then(({ exitCode: code, stdout, stderr }) => ({ code, stdout, stderr }));
  return { process: child, ended };
}

afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
});

describe("what means nothing", () => {
  const spec = encodeSpec(proxySpec({ driver: "embedded", topology: "sideBySide", servers: 1 }));
  const later = { ...proxySpec({ driver: "embedded", topology: "split", servers: 2 }), formatVersion: 2 };

  test.each([
    ["no arguments", []],
    ["an unknown command", ["promote", "--spec", spec]],
    ["no spec", ["begin"]],
    ["an unknown option", ["begin", "--spec", spec, "--force"]],
    ["two commands", ["begin", "switch", "--spec", spec]],
    ["a spec that is no JSON", ["begin", "--spec", "e30="]],
    ["a spec that is no base64 JSON", ["begin", "--spec", "{}"]],
    ["a spec of another format", ["begin", "--spec", encodeSpec(later as unknown as DirectorSpec)]],
  ])("%s: exit 2 and one line", async (_, args) => {
    const { code, stdout, stderr } = await run(process.execPath, [DIRECTOR, ...args]).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^director: [^\n]+\n$/);
  });
});

describe("a director at work", () => {
  let proxy: ProxyUnderTest;
  const environment = simulatedEnvironment();
  const first = release(
    emptyRecord("demo"),
    artifact("1.0.0"),
    { live: null, releaseId: null, serving: [] },
    { environmentSchedule: environment.schedule },
  );
  const second = release(
    first,
    artifact("1.1.0"),
    { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] },
    {
      environmentSchedule: environment.schedule,
      // Long enough that nothing but an interruption ends the shift.
      schedule: { strategy: "canary", steps: [40, 100], stepSeconds: 300, bakeSeconds: 0, drainSeconds: 1 },
    },
  );
  const atOnce: ReleaseRecord = {
    ...second,
    schedule: { strategy: "blueGreen", bakeSeconds: 0, drainSeconds: 1 },
  };

  function specOf(record: ReleaseRecord, index = 0): string {
    const { endpoints, proxy: place } = proxy.spec;
    const spec = directorSpec(environment, record, 0);
    const verification = { ...spec.verification, successes: 2, intervalSeconds: 0.02, deadlineSeconds: 5 };
    return encodeSpec({ ...spec, endpoints, verification, proxy: { ...place, index } });
  }

  const direct = (command: string, record: ReleaseRecord, index = 0): Running =>
    run(process.execPath, [DIRECTOR, command, "--spec", specOf(record, index), "--folder", proxy.folder]);

  const script = (command: string, record: ReleaseRecord): Running =>
    run("bash", [SCRIPT], {
      ...process.env,
      SERVER_FOLDER: proxy.folder,
      DIRECTOR_COMMAND: command,
      DIRECTOR_SPEC: specOf(record),
    });

  const state = (): DirectorState =>
    parseFile(DirectorState, readFileSync(join(proxy.folder, "state.json"), "utf8"), "state.json");
  const weightIs = (weight: number) =>
    until(async () => (await proxy.driver.observe()).weight === weight, `the weight is ${weight} %`);

  async function shifting(start: (command: string, record: ReleaseRecord) => Running): Promise<Running> {
    expect((await direct("begin", second).ended).code).toBe(0);
    const running = start("switch", second);
    await weightIs(40);
    return running;
  }

  async function expectBackOnStable(): Promise<void> {
    expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0, mode: "serve" });
    expect(state()).toMatchObject({ finished: true, stable: { releaseId: "1.0.0-1" }, candidate: null });
    expect((await proxy.ask({ bucket: 0 })).slot).toBe("blue");
  }

  beforeEach(async () => {
    proxy = await ProxyUnderTest.create(embedded);
    copyFileSync(DIRECTOR, join(proxy.folder, "director.js"));
    expect((await direct("begin", first).ended).code).toBe(0);
    expect((await direct("switch", first).ended).code).toBe(0);
  });
  afterEach(() => proxy.close());

  test("says how it ended in one line of JSON, and notes every decision", async () => {
    expect((await direct("begin", atOnce).ended).code).toBe(0);
    const { code, stdout, stderr } = await direct("switch", atOnce).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({
      step: "switch",
      sequence: 2,
      exitCode: 0,
      outcome: "promoted",
      proxy: "proxy-1",
      reason: "1.1.0-2 is live in green",
    });
    const events = readFileSync(join(proxy.folder, "events.jsonl"), "utf8").trim().split("\n");
    expect(events.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(
      expect.arrayContaining(["begin", "verified", "traffic", "drained", "end"]),
    );
    expect((await proxy.ask()).slot).toBe("green");
  });

  test("status changes nothing, and is answered while another director works", async () => {
    const running = await shifting(direct);
    const before = readFileSync(join(proxy.folder, "state.json"), "utf8");
    const { code, stdout } = await direct("status", second).ended;
    expect(code).toBe(0);
    expect(parseFile(ProxyStatus, stdout, "the status")).toMatchObject({
      proxy: "proxy-1",
      traffic: { live: "blue", weight: 40 },
      serving: ["blue", "green"],
      state: { stable: { releaseId: "1.0.0-1" }, candidate: { releaseId: "1.1.0-2" } },
      endpoints: { blue: [{ releaseId: "1.0.0-1", healthy: true }], green: [{ releaseId: "1.1.0-2" }] },
    });
    expect(readFileSync(join(proxy.folder, "state.json"), "utf8")).toBe(before);
    running.process.kill("SIGTERM");
    await running.ended;
  });

  test("keeps a second one out, which names it", async () => {
    const running = await shifting(direct);
    const { code, stderr } = await direct("switch", second).ended;
    expect(code).toBe(3);
    expect(stderr).toContain(
      `another director is running on this proxy (switch 2, process ${running.process.pid} on `,
    );
    expect((await proxy.driver.observe()).weight).toBe(40);
    running.process.kill("SIGTERM");
    await running.ended;
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s puts the traffic back: exit 5", async (signal) => {
    const running = await shifting(direct);
    running.process.kill(signal);
    const { code, stdout } = await running.ended;
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "rolledBack", exitCode: 5 });
    await expectBackOnStable();
  });

  test("that is killed leaves the lock free, and abort puts the traffic back", async () => {
    const running = await shifting(direct);
    running.process.kill("SIGKILL");
    await running.ended;
    expect((await proxy.driver.observe()).weight).toBe(40);
    const { code, stdout } = await direct("abort", second).ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "rolledBack" });
    await expectBackOnStable();
    expect(state().failedDigests).toMatchObject([{ releaseId: "1.1.0-2" }]);
    expect((await direct("switch", second).ended).code).toBe(5);
  });

  test("that is killed can be resumed by its own step", async () => {
    const running = await shifting(direct);
    const { deadline } = state();
    running.process.kill("SIGKILL");
    await running.ended;
    const again = direct("switch", second);
    const holder = join(proxy.folder, "director.lock.holder");
    await until(
      () => readFileSync(holder, "utf8").includes(`switch 2, process ${again.process.pid} `),
      "it works again",
    );
    expect(state().deadline).toBe(deadline);
    expect((await proxy.driver.observe()).weight).toBe(40);
    again.process.kill("SIGTERM");
    expect((await again.ended).code).toBe(5);
  });

  test("ends when somebody aborts, and the abort waits for it", async () => {
    const running = await shifting(direct);
    const aborted = await direct("abort", second).ended;
    expect(aborted.code).toBe(0);
    expect(running.process.exitCode ?? (await running.ended).code).toBe(5);
    await expectBackOnStable();
    expect(JSON.parse((await direct("abort", second).ended).stdout)).toMatchObject({ outcome: "unchanged" });
  });

  test("on a later proxy says that a person decides where it rejects what the first serves", async () => {
    proxy.green.releaseId = "1.1.0-1";
    expect((await direct("begin", second, 1).ended).code).toBe(0);
    const { code, stderr } = await direct("switch", second, 1).ended;
    expect(code).toBe(6);
    expect(stderr).toContain("answers as 1.1.0-1, not 1.1.0-2; 1.0.0-1 keeps all requests");
  });

  test("with a damaged state file ends at once and touches nothing", async () => {
    writeFileSync(join(proxy.folder, "state.json"), '{"formatVersion":1');
    for (const command of ["begin", "switch", "abort", "status"]) {
      const { code, stderr } = await direct(command, second).ended;
      expect({ command, code }).toEqual({ command, code: 3 });
      expect(stderr).toContain("state.json of this proxy is damaged");
    }
    expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0 });
  });

  test("leaves no temporary file behind", async () => {
    expect((await direct("begin", atOnce).ended).code).toBe(0);
    expect(readdirSync(proxy.folder).filter((name) => name.endsWith(".new"))).toEqual([]);
  });

  test("says which proxy it can't reach", async () => {
    await proxy.stop();
    const { code, stderr } = await direct("begin", second).ended;
    expect(code).toBe(1);
    expect(stderr).toContain("the embedded proxy can't be reached on admin.sock");
  });

  describe("started by a Terraform step", () => {
    test("puts the traffic back when it was killed: exit 5", async () => {
      const running = await shifting(script);
      const [node] = children(running.process.pid!);
      process.kill(node!, "SIGKILL");
      const { code, stderr } = await running.ended;
      expect(stderr).toContain("director: switch was killed; rolling traffic back to stable");
      expect(code).toBe(5);
      await expectBackOnStable();
    });

    test("does not claim so where stable is down: exit 6", async () => {
      const running = await shifting(script);
      await proxy.blue.stop();
      const [node] = children(running.process.pid!);
      process.kill(node!, "SIGKILL");
      expect((await running.ended).code).toBe(6);
      expect((await proxy.driver.observe()).weight).toBe(40);
    });

    test("puts the traffic back when the step is stopped: exit 5", async () => {
      const running = await shifting(script);
      running.process.kill("SIGTERM");
      expect((await running.ended).code).toBe(5);
      await expectBackOnStable();
    });

    test("passes its exit code and its line on", async () => {
      const { code, stdout } = await script("begin", { ...second, sequence: 1 }).ended;
      expect(code).toBe(3);
      expect(JSON.parse(stdout)).toMatchObject({ step: "begin", outcome: "refused" });
    });

    test("is refused on a proxy that base did not set up", async () => {
      const env = {
        ...process.env,
        SERVER_FOLDER: "/nonexistent",
        DIRECTOR_COMMAND: "begin",
        DIRECTOR_SPEC: "e30=",
      };
      const { code, stderr } = await run("bash", [SCRIPT], env).ended;
      expect(code).toBe(3);
      expect(stderr).toContain("deploy the base stack first");
    });
  });
});
