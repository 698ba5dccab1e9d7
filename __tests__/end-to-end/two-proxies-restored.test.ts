/** Two proxies, one restarted, or restored from an old backup: it serves nobody by its health before it is up to date. */
import { ProxyMachine } from "../../development/testbed/proxy-machine";
import { describeEndToEnd, oneLine, until, World } from "./world";

for (const driver of ["haproxy", "nginx", "embedded"])
  describeEndToEnd(`one of two proxies comes back, ${driver}`, () => {
    let world: World;
    let first: ProxyMachine, second: ProxyMachine;
    beforeAll(async () => {
      world = await World.create({ proxies: 2, environment: { proxies: { driver, count: 2 } } });
      [first, second] = [new ProxyMachine(world, 0), new ProxyMachine(world, 1)];
    });
    afterAll(async () => expect(await world.end()).toEqual([]));

    const healthOf = (machine: ProxyMachine, status: number) =>
      until(async () => (await machine.health()) === status, `${machine.name} answers ${status}`, {
        patienceMs: 10_000,
      });

    it("both are ready after the first release", async () => {
      expect(await world.release("1.0.0")).toMatchObject({ exitCode: 0 });
      await healthOf(first, 200);
      await healthOf(second, 200);
    });

    it("is not ready with yesterday's state; a release is refused, heal brings it to the record", async () => {
      const restore = second.backUp();
      expect(await world.release("1.1.0")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
      await second.losePower();
      restore();
      await second.start();
      await healthOf(second, 503);
      expect([await first.health(), await second.health()]).toEqual([200, 503]);

      const { exitCode, stdout } = await world.run(["status"]);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/^users of proxy-1 get 1\.1\.0-2/m);
      expect(stdout).toMatch(/behind: `bluegreen heal proxy-2`/);

      const refused = await (await world.startRelease("1.3.1", "1.1.0")).ended;
      expect(refused.exitCode).toBe(3);
      expect(oneLine(refused)).toMatch(
        /^proxy-2 is at record 1 with 1\.0\.0-1, but record 2 was applied here: /,
      );

      const healed = await world.deploy("heal", "proxy-2");
      expect(healed).toMatchObject({ exitCode: 0, outcome: "healed", to: "1.1.0-2" });
      expect(await second.health()).toBe(200);
      expect([await world.serving(0), await world.serving(1)]).toEqual([["1.1.0-2"], ["1.1.0-2"]]);
    });

    it("begin refuses it where the record was applied without the command", async () => {
      const restore = second.backUp();
      expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
      await second.losePower();
      restore();
      await second.start();
      const { record } = world;
      world.record = { ...record, sequence: record.sequence + 1, follows: record.sequence, retry: true };
      const applied = await world.applyByHand();
      expect(applied.exitCode).toBe(1);
      expect(applied.stderr + applied.stdout).toMatch(
        /proxy-2 is at record 3 with 1\.1\.0-2 live, but record 4/,
      );
      expect(await world.deploy("heal", "proxy-2")).toMatchObject({ exitCode: 0 });
      expect(await world.serving(1)).toEqual(["1.0.0-1"]);
    });

    it("serves when it is started alone, and says so until the other is back", async () => {
      await first.losePower();
      await second.losePower();
      await second.start();
      await healthOf(second, 200);
      expect((await world.run(["status"])).stdout).toMatch(/unverified: it was started while no other proxy/);
      await first.start();
      await healthOf(first, 200);
      await until(async () => !/unverified/.test((await world.run(["status"])).stdout), "both have compared");
    });
  });

describeEndToEnd("kill -9 of a proxy that is up to date", () => {
  it("is ready again within a second", async () => {
    const world = await World.create({ proxies: 2 });
    expect(await world.release("1.0.0")).toMatchObject({ exitCode: 0 });
    const second = new ProxyMachine(world, 1);
    const [killed] = second.pidsOf(/^haproxy/);
    process.kill(killed!, "SIGKILL");
    const begun = Date.now();
    const isBack = () => second.pidsOf(/^haproxy/).some((pid) => pid !== killed);
    await until(async () => isBack() && (await second.health()) === 200, "it is ready");
    expect(Date.now() - begun).toBeLessThan(1_000);
    expect(await world.end()).toEqual([]);
  });
});
