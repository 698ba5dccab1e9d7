/** What is killed, and when: users never notice, the old release keeps all requests, and the next release works. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Load } from "../../cli/load/load";
import type { Deployment } from "../../cli/deployment/outcome";
import { socialGoalPlan } from "../../cli/load/socialgoal-plan";
import { DirectorState } from "../../release/director-status";
import { parseFile } from "../../release/validation";
import { describeEndToEnd, REPOSITORY, until, World } from "./world";
import type { Ran, Running } from "./world";

const RATE = 40;
const CANARY = ["--strategy", "canary", "--steps", "20,60,100", "--step-seconds", "20"];

describeEndToEnd("an interruption", () => {
  let world: World;
  let load: Load;
  let versions = 0;

  beforeAll(async () => {
    world = await World.create();
    expect((await world.release("1.0.0")).outcome).toBe("installed");
    load = new Load({ workerEntry: join(REPOSITORY, "lib/cli/load/worker.js"), execArgv: [] });
    await load.start(socialGoalPlan(world.origin(), RATE));
  });
  afterAll(async () => {
    const { acknowledged, found, failed } = await load.stop();
    expect({ found, failed }).toEqual({ found: acknowledged, failed: 0 });
    expect(await world.end()).toEqual([]);
  });

  /** During the install: a release that never becomes healthy, so there is time. */
  async function installing(): Promise<Running> {
    const running = await world.startRelease("1.2.0");
    await until(
      async () => {
        const { slots, active, sequence } = world.record;
        const release = slots[active];
        return (
          release?.version === "1.2.0" &&
          release.run === sequence &&
          ["web-1", "web-2"].every((server) =>
            world.hasCommand(server, `install-${active}-1.2.0-${sequence}`),
          )
        );
      },
      "the install runs on both servers",
      { running },
    );
    return running;
  }

  /** During the shift: a fifth of the requests go to the candidate. */
  async function shifting(...options: string[]): Promise<Running> {
    versions += 1;
    const running = await world.startRelease(`1.1.${versions}`, "1.1.0", ...CANARY, ...options);
    await until(
      () => state().weight === 20 && traffic().includes("weight=20&"),
      "the candidate has its first weight",
      { running },
    );
    return running;
  }

  const proxyFile = (name: string): string =>
    readFileSync(world.path(`.bluegreen/local/servers/proxy-1/${name}`), "utf8");
  const state = (): DirectorState => parseFile(DirectorState, proxyFile("state.json"), "state.json");
  const traffic = (): string => proxyFile("traffic.map");

  async function withoutFailure(what: string, play: () => Promise<void>): Promise<void> {
    await load.beginStep(what);
    let failure: unknown;
    await play().catch((error: unknown) => (failure = error));
    const { sent, failed, failures } = await load.endStep();
    if (failure !== undefined) throw failure;
    expect({ failed, failures }).toEqual({ failed: 0, failures: {} });
    expect(sent).toBeGreaterThan(0);
  }

  async function allTo(release: string): Promise<void> {
    expect(await world.serving(0, 60)).toEqual([release]);
    expect(await world.status()).toEqual([
      expect.objectContaining({ traffic: expect.objectContaining({ weight: 0, mode: "serve" }) }),
    ]);
  }

  /** The promise of every case: abort (or what the operator does instead), then the next release goes through. */
  async function goesOn(): Promise<void> {
    versions += 1;
    const { outcome, to, reason } = await world.release(`1.1.${versions}`, "1.1.0");
    expect({ outcome, to, reason }).toEqual({
      outcome: "promoted",
      to: `1.1.${versions}-${world.record.sequence}`,
      reason: expect.any(String),
    });
    expect(world.deposed()).toEqual([]);
  }

  const stable = (): string => state().stable!.releaseId;

  it.each([
    ["install", installing],
    ["shift", () => shifting()],
  ])("by Ctrl-C during the %s: exit code 5, the old release serves all", async (phase, start) => {
    await withoutFailure(`SIGINT, ${phase}`, async () => {
      const old = stable();
      const running = await start();
      running.signal("SIGINT");
      expect(await running.ended).toMatchObject({ exitCode: 5 });
      await allTo(old);
      await goesOn();
    });
  });

  it("by `bluegreen abort` from another terminal during the shift: both commands say so", async () => {
    await withoutFailure("abort, shift", async () => {
      const old = stable();
      const running = await shifting();
      expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: old });
      expect(await running.ended).toMatchObject({ exitCode: 5 });
      await allTo(old);
      await goesOn();
    });
  });

  it.each([
    ["install", installing, true],
    ["shift", () => shifting(), false],
  ])("by kill -9 of the command during the %s", async (phase, start, servesOld) => {
    await withoutFailure(`kill -9 bluegreen, ${phase}`, async () => {
      const old = stable();
      const running = await start();
      process.kill(running.pid, "SIGKILL");
      expect(await running.ended).toMatchObject({ signal: "SIGKILL" });
      if (servesOld) await allTo(old);
      await abort(old);
      await goesOn();
    });
  });

  it("by kill -9 of terraform during the install", async () => {
    await withoutFailure("kill -9 terraform, install", async () => {
      const old = stable();
      const running = await installing();
      killAll(/terraform apply/);
      failed(await running.ended);
      await allTo(old);
      await abort(old);
      await goesOn();
    });
  });

  it("by kill -9 of terraform during the shift; a retry goes on with the same release", async () => {
    await withoutFailure("kill -9 terraform, shift", async () => {
      const old = stable();
      const running = await shifting("--step-seconds", "3");
      killAll(/terraform apply/);
      failed(await running.ended);
      await until(() => state().weight === 0, "the director, left alone, has put the traffic back");
      await allTo(old);
      const retried = await world.deploy("retry");
      expect(retried).toMatchObject({ outcome: "promoted", exitCode: 0 });
      expect(retried.to).toMatch(new RegExp(`^1\\.1\\.${versions}-\\d+$`));
      await goesOn();
    });
  });

  it.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
    "by %s to terraform during the shift: the director's word is the command's, the receipt's and the status'",
    async (signal) => {
      await withoutFailure(`${signal} to terraform, shift`, async () => {
        const old = stable();
        const running = await shifting("--json");
        killAll(/terraform apply/, signal);
        const { exitCode, stdout } = await running.ended;
        const { outcome, reason, to, sequence } = JSON.parse(stdout) as Deployment;
        expect({ exitCode, outcome, to, reason }).toEqual({
          ...{ exitCode: 5, outcome: "rolledBack", to: old },
          reason: expect.stringMatching(/aborted by SIGTERM/),
        });
        const { stdout: receipt } = await world.run(["history", String(sequence), "--json"]);
        expect(JSON.parse(receipt)).toMatchObject({ exitCode: 5, outcome: "rolledBack", reason, to: old });
        const { stdout: said } = await world.run(["status"]);
        expect(said).toContain(`it failed (rolledBack): ${reason}`);
        await allTo(old);
        await goesOn();
      });
    },
  );

  it("by kill -9 of the director during the shift: nobody loses a request, an abort puts all back", async () => {
    await withoutFailure("kill -9 director, shift", async () => {
      const old = stable();
      const running = await shifting();
      killAll(/director\.js switch/);
      failed(await running.ended);
      expect((await world.serving(0, 60)).filter((release) => !/^1\.\d\.\d+-\d+$/.test(release))).toEqual([]);
      await abort(old);
      await goesOn();
    });
  });

  it("by kill -9 of the director during the shift; a retry goes on with the same release", async () => {
    await withoutFailure("kill -9 director, shift, retry", async () => {
      const running = await shifting("--step-seconds", "3");
      killAll(/director\.js switch/);
      failed(await running.ended);
      expect(await world.deploy("retry")).toMatchObject({ outcome: "promoted", exitCode: 0 });
      expect(stable()).toMatch(new RegExp(`^1\\.1\\.${versions}-\\d+$`));
      await goesOn();
    });
  });

  it("by kill -9 of everything at once during the shift: command, terraform, steps, director", async () => {
    await withoutFailure("kill -9 all", async () => {
      const old = stable();
      const running = await shifting();
      killAll(/cli\/main\.js|terraform|run-command|run-director|director\.js|install-release/);
      await running.ended;
      await abort(old);
      await goesOn();
    });
  });

  function killAll(commands: RegExp, signal: NodeJS.Signals = "SIGKILL"): void {
    for (const pid of world.pids(commands)) {
      try {
        process.kill(pid, signal);
      } catch {
        // Its parent took it along.
      }
    }
  }

  /** What is left of the killed release may still be ending. */
  async function abort(old: string): Promise<void> {
    const { exitCode, to } = await world.deploy("abort");
    expect({ exitCode, to }).toEqual({ exitCode: 0, to: old });
    await allTo(old);
  }

  function failed({ exitCode, stdout, stderr }: Ran): void {
    expect({ failed: exitCode !== 0 && exitCode !== null, stack: /^\s+at /m.test(stderr + stdout) }).toEqual({
      failed: true,
      stack: false,
    });
  }
});
