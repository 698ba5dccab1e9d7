/**
 * One server is taken out of use and returned by the command, behind two proxies, while users with sessions in its memory click:
 * their application fails one answer in a hundred by chance.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { DriverName } from "../../configuration/drivers";
import { all, clicking, KEEPS_SESSIONS, loggedIn, lostBy, NONE, sessionWorld } from "./session-users";
import type { User } from "./session-users";
import { describeEndToEnd } from "./world";
import type { World } from "./world";

const USERS = 40;
const IDLE_SECONDS = 3;

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describeEndToEnd("a server that drains", () => {
    let world: World;
    let users: User[];
    beforeAll(async () => {
      world = await sessionWorld(driver, { idleSeconds: IDLE_SECONDS, atMostSeconds: 120 });
      world.write("1.0.0/server.js", KEEPS_SESSIONS);
      expect(await world.deploy("release", "1.0.0", "--artifact", "1.0.0")).toMatchObject({ exitCode: 0 });
      users = await loggedIn(world, USERS, 8, (index) => index % 2);
    });
    afterAll(async () => expect(await world.end()).toEqual([]));

    const portOf = async (server: string) => {
      const [{ endpoints }] = (await world.status()) as [Awaited<ReturnType<World["status"]>>[0]];
      return endpoints.blue.find((each) => each.server === server)!.address.split(":")[1]!;
    };
    const drain = (...more: string[]) => world.run(["drain", "web-1", ...more]);

    it("keeps its clients until they are idle, on both proxies, and then gets no request", async () => {
      const port = await portOf("web-1");
      const [stay, others] = [true, false].map((isThere) =>
        users.filter(({ ports }) => ports.has(port) === isThere),
      ) as [User[], User[]];
      expect(Math.min(stay.length, others.length)).toBeGreaterThan(5);

      const running = world.start(["drain", "web-1"]);
      let isOver = false;
      void running.ended.finally(() => (isOver = true));
      const drained = async () => (await world.status()).map((each) => each.drained?.[0]?.isOut);
      let areKept = false;
      while (!areKept) {
        const [now] = await Promise.all([drained(), clicking(users, 1)]);
        areKept = now.every((isOut) => isOut === false);
      }
      const clicksUntil = Date.now() + 2_000 * IDLE_SECONDS;
      while (Date.now() < clicksUntil) await Promise.all([clicking(users, 1), pause(500)]);
      expect({ isOver, lost: lostBy(users) }).toEqual({ isOver: false, lost: NONE });
      const newcomers = await loggedIn(world, 20, 9, (index) => index % 2);
      await clicking(newcomers, 2);
      expect(all(newcomers, ({ ports }) => ports)).not.toContain(port);
      expect((await world.run(["status"])).stdout).toContain(
        "web-1 gets no new clients, some are still active there",
      );

      // Those who are left use one proxy only: the other one waits for them, too.
      const last = stay[0]!;
      const lastUntil = Date.now() + 2_000 * IDLE_SECONDS;
      while (Date.now() < lastUntil)
        await Promise.all([clicking(others, 1), last.clickThrough(0), pause(500)]);
      expect(await drained()).toEqual([false, false]);
      await last.clickThrough(1);
      expect(lostBy([last])).toEqual(NONE);

      while (!isOver) await Promise.all([clicking(others, 1), pause(500)]);
      expect(await running.ended).toMatchObject({
        exitCode: 0,
        stdout: expect.stringMatching(/proxy-1 web-1 gets no requests.*\n.*proxy-2 web-1 gets no requests/),
      });
      expect(lostBy([...others, ...newcomers])).toEqual(NONE);
      // Who comes back after so long logs in again, elsewhere.
      for (const user of stay) user.ports.clear();
      await clicking(stay, 4);
      expect(all(stay, ({ ports }) => ports)).not.toContain(port);
    });

    it("is not released onto, and the other one stays", async () => {
      world.write("1.1.0/server.js", KEEPS_SESSIONS);
      const refused = await world.run(["release", "1.1.0", "--artifact", "1.1.0", "--now"]);
      expect(refused).toMatchObject({ exitCode: 3 });
      expect(refused.stderr).toContain("web-1 was taken out of use by `bluegreen drain`");
      expect(world.record.sequence).toBe(1);
      expect(await world.run(["drain", "web-2"])).toMatchObject({
        exitCode: 3,
        stderr: expect.stringContaining("web-2 is the only server of blue that serves users"),
      });
    });

    it("is verified before it returns, and then gets new clients again", async () => {
      const port = await portOf("web-1");
      const ended = JSON.parse((await drain("--end", "--json")).stdout) as object;
      expect(ended).toMatchObject({ outcome: "returned", server: "web-1", exitCode: 0 });
      const newcomers = await loggedIn(world, 20, 10, (index) => index % 2);
      await clicking(newcomers, 2);
      expect(all(newcomers, ({ ports }) => ports)).toContain(port);
      expect(lostBy(newcomers)).toEqual(NONE);
      expect((await world.status()).flatMap(({ drained }) => drained ?? [])).toEqual([]);
    });

    it("stays out of use if it does not answer, and is healed", async () => {
      expect(await drain("--now")).toMatchObject({ exitCode: 0 });
      await world.replaceServer("web-1");
      const refused = await drain("--end");
      expect(refused).toMatchObject({ exitCode: 3 });
      expect(refused.stderr).toMatch(/web-1 does not serve 1\.0\.0-1 in blue: .*`bluegreen heal web-1`/);
      expect(await world.deploy("heal", "web-1")).toMatchObject({ outcome: "healed", exitCode: 0 });
      expect((await world.status()).flatMap(({ drained }) => drained ?? [])).toEqual([]);
    });
  });
});
