/** Base replaces or adds a web server, and heal gives it what the others serve: under load, and without a lost request. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Load } from "../../cli/load/load";
import type { StepRequests } from "../../cli/load/messages";
import { socialGoalPlan } from "../../cli/load/socialgoal-plan";
import type { EndpointHealth } from "../../on-server/director/drivers/driver";
import type { Slot } from "../../release/slot";
import { changes, describeEndToEnd, oneLine, REPOSITORY, until, World } from "./world";

const RATE = 100;

/** How the proxy sees a server, in one slot. */
async function seen(world: World, slot: Slot, server: string): Promise<EndpointHealth | undefined> {
  const [proxy] = (await world.status()) as unknown as {
    counts: Record<Slot, { endpoints: EndpointHealth[] }>;
  }[];
  return proxy!.counts[slot].endpoints.find((each) => each.server === server);
}

/** Requests while `perform` runs, each of which must be answered well. */
async function underLoad(world: World, perform: () => Promise<void>): Promise<StepRequests> {
  const load = new Load({ workerEntry: join(REPOSITORY, "lib/cli/load/worker.js"), execArgv: [] });
  await load.start(socialGoalPlan(world.origin(), RATE));
  try {
    await load.beginStep("heal");
    await perform();
    const requests = await load.endStep();
    expect((await load.stop()).missing).toEqual([]);
    return requests;
  } finally {
    await load.kill();
  }
}

const install = (slot: Slot, server: string) => `terraform_data.install-${slot}-${server}`;
const GATES = {
  "terraform_data.begin-proxy-1": "create+delete",
  "terraform_data.switch-proxy-1": "create+delete",
};

describeEndToEnd("heal, side by side", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create();
    await world.release("1.0.0");
    await world.release("1.1.0");
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("gives a replaced server both releases; only its installs run, and no request is lost", async () => {
    await world.replaceServer("web-1");
    // Until the proxy's checks notice (1 to 2 s) requests go to a machine that is gone: that is base's doing.
    await until(async () => (await seen(world, "green", "web-1"))?.healthy === false, "the proxy noticed");
    const requests = await underLoad(world, async () => {
      expect(await world.deploy("heal", "web-1")).toMatchObject({
        outcome: "healed",
        exitCode: 0,
        from: "1.1.0-2",
        to: "1.1.0-2",
        reason: "web-1 has 1.1.0-2 again",
      });
    });
    expect(requests.failures).toEqual({});
    expect(requests.sent).toBeGreaterThan(RATE);
    expect(Object.keys(requests.versions)).toEqual(["1.1.0-2"]);
    expect(changes(await world.savedPlan())).toEqual({
      ...GATES,
      [install("blue", "web-1")]: "create+delete",
      [install("green", "web-1")]: "create+delete",
    });
    expect(await seen(world, "green", "web-1")).toMatchObject({ healthy: true, inRotation: true });
    expect(world.hasCommand("web-1", "heal-green-3")).toBe(true);
    expect(world.record.heals).toEqual({ "web-1": 3 });
    expect(changes(await world.planByHand())).toEqual({});
  });

  it("after which a rollback is at once, and releases go on", async () => {
    expect(await world.deploy("rollback")).toMatchObject({ outcome: "rolledBack", to: "1.0.0-1" });
    expect(changes(await world.savedPlan())).toEqual(GATES);
    expect(await world.release("1.4.0")).toMatchObject({ outcome: "promoted", to: "1.4.0-5" });
    expect(await world.release("1.1.1", "1.1.0")).toMatchObject({ outcome: "promoted", to: "1.1.1-6" });
    expect(await world.serving()).toEqual(["1.1.1-6"]);
    expect(world.record).not.toHaveProperty("heals");
  });

  it("of a server whose folder was deleted works, too", async () => {
    rmSync(world.path(".bluegreen/local/servers/web-2"), { recursive: true });
    expect(await world.deploy("heal", "web-2")).toMatchObject({ outcome: "healed", exitCode: 0 });
    expect(await world.serving()).toEqual(["1.1.1-6"]);
    expect(world.hasCommand("web-2", "heal-green-7")).toBe(true);
  });

  it("of a healthy server is harmless", async () => {
    const requests = await underLoad(world, async () => {
      expect(await world.deploy("heal", "web-1")).toMatchObject({ outcome: "healed", exitCode: 0 });
    });
    expect(requests.failures).toEqual({});
  });

  it("of all servers, which serve well, is refused before the record says so", async () => {
    const record = world.text("release.json");
    const ran = await world.run(["heal", "web-1", "web-2"]);
    expect(ran.exitCode).toBe(3);
    expect(oneLine(ran)).toBe(
      "1.1.1-6 is only served by web-1, web-2 and is healthy there: there is nothing to heal",
    );
    expect(world.text("release.json")).toBe(record);
  });

  it("of a server that is not there names those that are", async () => {
    const ran = await world.run(["heal", "web-7"]);
    expect(ran.exitCode).toBe(2);
    expect(oneLine(ran)).toBe('there is no server "web-7" in local: web-1, web-2, proxy-1');
  });

  it("that fails leaves the server out of rotation until a retry", async () => {
    await world.replaceServer("web-1");
    const { artifact } = world.record.slots[world.record.active]!;
    const file = artifact.url.replace("file://", "");
    const content = readFileSync(file);
    rmSync(file);
    const failed = await world.deploy("heal", "web-1");
    expect(failed).toMatchObject({ to: "1.1.1-6", exitCode: expect.any(Number) });
    expect(failed.exitCode).toBeGreaterThan(0);
    expect(await world.serving()).toEqual(["1.1.1-6"]);
    expect(await seen(world, world.record.active, "web-1")).toMatchObject({ inRotation: false });
    const refused = await world.startRelease("1.4.1", "1.4.0").then(({ ended }) => ended);
    expect(refused.exitCode).toBe(3);
    expect(oneLine(refused)).toBe(
      "the heal of web-1 did not finish: run `bluegreen heal web-1` again first; nothing was applied",
    );
    writeFileSync(file, content);
    expect(await world.deploy("retry")).toMatchObject({ outcome: "healed", exitCode: 0 });
    expect(await seen(world, world.record.active, "web-1")).toMatchObject({
      healthy: true,
      inRotation: true,
    });
    expect(await world.serving()).toEqual(["1.1.1-6"]);
    expect(changes(await world.planByHand())).toEqual({});
  });

  it("gives an added server what the others serve; a release before that is refused and says so", async () => {
    world.changeEnvironment({ servers: { count: 3 } });
    expect((await world.cdktf(["deploy", "base", "--auto-approve"])).exitCode).toBe(0);
    await until(async () => (await world.serving())[0] === "1.1.1-6", "the proxy is back");
    const refused = await world.startRelease("1.4.1", "1.4.0").then(({ ended }) => ended);
    expect(refused.exitCode).toBe(3);
    expect(oneLine(refused)).toContain("If base replaced or added web-3, run `bluegreen heal web-3` first");
    const requests = await underLoad(world, async () => {
      expect(await world.deploy("heal", "web-3")).toMatchObject({ outcome: "healed", exitCode: 0 });
    });
    expect(requests.failures).toEqual({});
    expect(changes(await world.savedPlan())).toEqual({
      ...GATES,
      [install("blue", "web-3")]: "create",
      [install("green", "web-3")]: "create",
    });
    expect(await world.release("1.4.1", "1.4.0")).toMatchObject({ outcome: "promoted" });
    expect(await world.deploy("rollback")).toMatchObject({ outcome: "rolledBack", to: "1.1.1-6" });
    expect(changes(await world.planByHand())).toEqual({});
  });
});

describeEndToEnd("heal, split and converged", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ topology: "split" });
    await world.release("1.0.0", undefined, "--converge");
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("gives a server of either half the release that both serve, also where its slot has none of its own", async () => {
    for (const [slot, server] of [
      ["green", "web-2"],
      ["blue", "web-1"],
    ] as const) {
      await world.replaceServer(server);
      await until(async () => (await seen(world, slot, server))?.healthy === false, "the proxy noticed");
      const requests = await underLoad(world, async () => {
        expect(await world.deploy("heal", server)).toMatchObject({ outcome: "healed", exitCode: 0 });
      });
      expect(requests.failures).toEqual({});
      const [proxy] = await world.status();
      expect([...proxy!.serving].sort()).toEqual(["blue", "green"]);
      expect(proxy!.endpoints[slot]).toMatchObject([{ server, releaseId: "1.0.0-1", inRotation: true }]);
      expect(changes(await world.planByHand())).toEqual({});
    }
  });

  it("after which a release converges as before", async () => {
    expect(await world.release("1.1.0", undefined, "--converge")).toMatchObject({ outcome: "promoted" });
    expect(await world.serving()).toEqual(["1.1.0-4"]);
  });
});

describeEndToEnd("a server more, behind nginx", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ environment: { proxies: { driver: "nginx", count: 1 } } });
    await world.release("1.0.0");
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("is known to the proxy after base, which did not restart it, and serves after a heal", async () => {
    const pid = () => world.text(".bluegreen/local/servers/proxy-1/nginx.pid");
    const before = pid();
    world.changeEnvironment({ servers: { count: 3 } });
    expect((await world.cdktf(["deploy", "base", "--auto-approve"])).exitCode).toBe(0);
    expect(pid()).toBe(before);
    expect(await world.serving()).toEqual(["1.0.0-1"]);
    expect(await world.deploy("heal", "web-3")).toMatchObject({ outcome: "healed", exitCode: 0 });
    expect(await seen(world, "blue", "web-3")).toMatchObject({ healthy: true, inRotation: true });
    expect(await world.release("1.1.0")).toMatchObject({ outcome: "promoted" });
  });
});
