/** One of two proxies is lost while a command is at work: the failure names it and gives advice, and the advice works. */
import { existsSync, readFileSync } from "node:fs";
import { ProxyMachine } from "../../development/testbed/proxy-machine";
import { describeEndToEnd, until, World } from "./world";
import type { Running } from "./world";

/** Users of the living proxy end on the right release in this time. */
const PATIENCE_MS = 60_000;

describeEndToEnd("one of two proxies is lost midway", () => {
  let world: World;
  let second: ProxyMachine;
  beforeAll(async () => {
    world = await World.create({ proxies: 2 });
    second = new ProxyMachine(world, 1);
    expect(await world.release("1.0.0")).toMatchObject({ exitCode: 0 });
    expect(await world.release("1.1.0")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
  });
  afterAll(async () => {
    second.resume();
    expect(await world.end()).toEqual([]);
  });

  async function beginRollback(): Promise<{ running: Running }> {
    const sequence = world.record.sequence + 1;
    const lock = world.path(".bluegreen/local/servers/proxy-2/director.lock.holder");
    const running = world.start(["rollback", "--json"]);
    const isBeginning = () => existsSync(lock) && readFileSync(lock, "utf8").startsWith(`begin ${sequence},`);
    await until(isBeginning, "the rollback begins", { running });
    return { running };
  }

  /** Before the first switch, so exit code 1: users keep what they had. */
  async function failureOf({ ended }: Running): Promise<string> {
    const { exitCode, stdout } = await ended;
    expect(exitCode).toBe(1);
    return (JSON.parse(stdout) as { reason: string }).reason;
  }

  async function goOnWithoutIt(lost: number): Promise<void> {
    const done = await world.deploy("retry", "--without", "proxy-2");
    expect(done).toMatchObject({ exitCode: 6, to: "1.1.0-2" });
    expect(Date.now() - lost).toBeLessThan(PATIENCE_MS);
    expect(await world.serving(0)).toEqual(["1.1.0-2"]);
    expect(world.record.leftOut).toEqual(["proxy-2"]);
  }

  async function catchUp(): Promise<void> {
    expect(await world.deploy("retry")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
    expect([await world.serving(0), await world.serving(1)]).toEqual([["1.1.0-2"], ["1.1.0-2"]]);
  }

  it("stalled in the middle of a canary: exit 6, and the failure names it and both ways on", async () => {
    const canary = [
      "--strategy",
      "canary",
      "--steps",
      "50,100",
      "--step-seconds",
      "2",
      "--bake-seconds",
      "0.3",
    ];
    const running = await world.startRelease("1.4.0", undefined, "--json", ...canary);
    await until(
      () => world.text(".bluegreen/local/servers/proxy-1/traffic.map").includes("weight=50&"),
      "half of the requests",
      { running },
    );
    second.stall();
    const { exitCode, stdout } = await running.ended;
    const { reason } = JSON.parse(stdout) as { reason: string };
    expect({ exitCode, reason }).toMatchObject({ exitCode: 6 });
    expect(reason).toMatch(
      /^proxy-2: haproxy can't be reached on .*Next: `bluegreen retry` once proxy-2 is back; without it `bluegreen retry --without proxy-2` goes on, and `bluegreen rollback` goes back$/,
    );
    expect(await world.serving(0)).toEqual(["1.4.0-3"]);
  });

  it("the rollback that it advises moves the users of the living one, and retry brings the other one along", async () => {
    const begun = Date.now();
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 6, to: "1.1.0-2" });
    expect(Date.now() - begun).toBeLessThan(PATIENCE_MS);
    expect(await world.serving(0)).toEqual(["1.1.0-2"]);
    second.resume();
    expect(await world.deploy("retry")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
    expect([await world.serving(0), await world.serving(1)]).toEqual([["1.1.0-2"], ["1.1.0-2"]]);
  });

  it("stalled in the middle of a rollback's step: the step is given up, and retry --without it completes the rollback", async () => {
    expect(await world.release("1.4.2", "1.4.0")).toMatchObject({ exitCode: 0 });
    const { running } = await beginRollback();
    const lost = Date.now();
    second.stall();
    expect(await failureOf(running)).toMatch(
      /^proxy-2.*without it `bluegreen retry --without proxy-2` goes on/,
    );
    await goOnWithoutIt(lost);
    second.resume();
    await catchUp();
  });

  it("dead during a rollback's apply: the failure names it, and retry --without it completes the rollback", async () => {
    expect(await world.release("1.4.1", "1.4.0")).toMatchObject({ exitCode: 0 });
    const { running } = await beginRollback();
    const lost = Date.now();
    await second.losePower();
    expect(await failureOf(running)).toMatch(
      /^proxy-2: .*without it `bluegreen retry --without proxy-2` goes on/,
    );
    await goOnWithoutIt(lost);
    await second.start();
    await catchUp();
    expect(world.deposed()).toEqual([]);
  });
});
