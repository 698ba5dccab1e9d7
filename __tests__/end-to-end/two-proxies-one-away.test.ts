/** Two proxies, one dead or stalled: users of the other one are rolled back at once, and it catches up when it is back. */
import { ProxyMachine } from "../../development/testbed/proxy-machine";
import { describeEndToEnd, until, World } from "./world";

/** Users of the living proxies end on the right release in this time. */
const PATIENCE_MS = 60_000;

describeEndToEnd("one of two proxies is away", () => {
  let world: World;
  let [first, second]: ProxyMachine[] = [];
  beforeAll(async () => {
    world = await World.create({ proxies: 2 });
    [first, second] = [new ProxyMachine(world, 0), new ProxyMachine(world, 1)];
  });
  afterAll(async () => {
    second!.resume();
    expect(await world.end()).toEqual([]);
  });

  const inTime = async <Result>(work: Promise<Result>): Promise<Result> => {
    const begun = Date.now();
    const result = await work;
    expect(Date.now() - begun).toBeLessThan(PATIENCE_MS);
    return result;
  };
  const everyoneGets = async (release: string) =>
    expect([await world.serving(0), await world.serving(1)]).toEqual([[release], [release]]);

  it("both serve the second release", async () => {
    expect(await world.release("1.0.0")).toMatchObject({ exitCode: 0 });
    expect(await world.release("1.1.0")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
  });

  it("a release is refused while one is stalled, and names it and the way out", async () => {
    second!.stall();
    const { exitCode, stderr } = await (await world.startRelease("1.4.0")).ended;
    expect({ exitCode, sequence: world.record.sequence }).toEqual({ exitCode: 3, sequence: 2 });
    expect(stderr).toMatch(/proxy-2 can't be queried: .*nothing was changed.*`bluegreen rollback`/);
  });

  it("status shows the living one, and names the other", async () => {
    const { exitCode, stdout } = await world.run(["status"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^users of proxy-1 get 1\.1\.0-2/m);
    expect(stdout).toMatch(/^proxy-2 {2}can't be queried/m);
  });

  it("a rollback moves the users of the living one, is saved, and ends with 6", async () => {
    const back = await inTime(world.deploy("rollback"));
    expect(back).toMatchObject({ exitCode: 6, outcome: "frozen", to: "1.0.0-1" });
    expect(back.reason).toMatch(/proxy-2 did not answer and is behind/);
    expect(await world.serving(0)).toEqual(["1.0.0-1"]);
    expect(world.record).toMatchObject({ sequence: 3, leftOut: ["proxy-2"] });
    expect(world.deposed()).toEqual([]);
  });

  it("once it goes on, status says that it is behind, and retry brings it to the record", async () => {
    second!.resume();
    const { stdout } = await world.run(["status"]);
    expect(stdout).toMatch(/^users of proxy-1 get 1\.0\.0-1/m);
    expect(stdout).toMatch(/behind: `bluegreen retry`/);
    expect(await world.serving(1)).toEqual(["1.1.0-2"]);

    expect(await world.deploy("retry")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
    expect(world.record).toMatchObject({ catchUp: { proxies: ["proxy-2"], release: "1.0.0-1" } });
    expect(world.record.leftOut).toBeUndefined();
    await everyoneGets("1.0.0-1");
    const receipt = world.read<{ proxies: { proxy: string; journal: { event: string }[] }[] }>(
      ".bluegreen/local/receipts/4.json",
    );
    const caughtUp = receipt.proxies.find(({ proxy }) => proxy === "proxy-2")!.journal;
    expect(caughtUp.map(({ event }) => event)).toEqual(expect.arrayContaining(["verified", "traffic"]));
  });

  it("an abort in the middle of a canary does not wait for one that has no power", async () => {
    const canary = ["--strategy", "canary", "--steps", "30,100", "--step-seconds", "60"];
    const running = await world.startRelease("1.4.0", undefined, ...canary);
    await until(
      () => world.text(".bluegreen/local/servers/proxy-1/traffic.map").includes("weight=30&"),
      "the first weight",
      { running },
    );
    await second!.losePower();
    const aborted = await inTime(world.deploy("abort"));
    expect(aborted).toMatchObject({ exitCode: 6, to: "1.0.0-1" });
    expect(await running.ended).toMatchObject({ exitCode: 5 });
    expect(await world.serving(0)).toEqual(["1.0.0-1"]);
    expect(await first!.health()).toBe(200);
  });

  it("the next release takes it along after it is back: it catches up first", async () => {
    await second!.start();
    expect(await world.release("1.4.1", "1.1.0", "--strategy", "blueGreen")).toMatchObject({
      exitCode: 0,
    });
    await everyoneGets(`1.4.1-${world.record.sequence}`);
    expect(world.deposed()).toEqual([]);
  });
});
