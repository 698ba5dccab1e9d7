/** Two proxies: each serves what the other does, whatever happens. */
import { readFileSync } from "node:fs";
import { describeEndToEnd, until, World } from "./world";

describeEndToEnd("two proxies", () => {
  let world: World;
  beforeAll(async () => void (world = await World.create({ proxies: 2 })));
  afterAll(async () => expect(await world.end()).toEqual([]));

  async function bothServe(...releases: string[]): Promise<void> {
    expect([await world.serving(0), await world.serving(1)]).toEqual([releases, releases]);
    const statuses = await world.status();
    expect(statuses.map(({ proxy }) => proxy)).toEqual(["proxy-1", "proxy-2"]);
  }

  it("both get the first release, and the next", async () => {
    expect(await world.release("1.0.0")).toMatchObject({ outcome: "installed", to: "1.0.0-1" });
    await bothServe("1.0.0-1");
    expect(await world.release("1.1.0")).toMatchObject({ outcome: "promoted", to: "1.1.0-2" });
    await bothServe("1.1.0-2");
  });

  it("both go back", async () => {
    expect(await world.deploy("rollback")).toMatchObject({ outcome: "rolledBack", to: "1.0.0-1" });
    await bothServe("1.0.0-1");
  });

  it("neither gets a release that is rejected, and both forget it", async () => {
    expect(await world.release("1.2.0")).toMatchObject({ outcome: "rejected", exitCode: 4, to: "1.0.0-1" });
    await bothServe("1.0.0-1");
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
    await bothServe("1.0.0-1");
  });

  it("both stay on the old release where an abort comes during the first one's shift", async () => {
    const steps = ["--strategy", "canary", "--steps", "30,100", "--step-seconds", "20"];
    const running = await world.startRelease("1.4.0", undefined, ...steps);
    const map = world.path(".bluegreen/local/servers/proxy-1/traffic.map");
    await until(() => readFileSync(map, "utf8").includes("weight=30&"), "the first weight", { running });
    expect(await world.serving(1)).toEqual(["1.0.0-1"]);
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
    expect(await running.ended).toMatchObject({ exitCode: 5 });
    await bothServe("1.0.0-1");
  });

  it("both keep the weight of a held release, and both promote it", async () => {
    const held = await world.release("1.1.1", "1.1.0", "--goal", "40", "--step-seconds", "0.3");
    expect(held).toMatchObject({ outcome: "paused", exitCode: 0, to: "1.0.0-1" });
    const weights = (await world.status()).map(({ traffic }) => traffic.weight);
    expect(weights).toEqual([40, 40]);
    expect(await world.deploy("promote")).toMatchObject({ outcome: "promoted", exitCode: 0 });
    await bothServe(`1.1.1-${held.sequence}`);
    expect(world.deposed()).toEqual([]);
  });
});
