/**
 * Sessions in an application's memory, two servers a slot, two proxies that know nothing of each other: with affinity to a
 * server no user loses one at rest, nor one of stable's while a candidate gets its share, whatever the proxy.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { DriverName } from "../../configuration/drivers";
import { all, clicking, KEEPS_SESSIONS, loggedIn, lostBy, NONE, sessionWorld, User } from "./session-users";
import { describeEndToEnd } from "./world";
import type { World } from "./world";

const ROUND_MS = 100;

function release(world: World, version: string, ...options: string[]) {
  return world.releaseOf(version, { "server.js": KEEPS_SESSIONS }, ...options);
}

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describeEndToEnd("users with sessions in an instance's memory", () => {
    let world: World;
    let users: User[];
    beforeAll(async () => {
      world = await sessionWorld(driver);
      expect(await release(world, "1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
      users = await loggedIn(world, 50, 2, () => 0);
    });
    afterAll(async () => expect(await world.end()).toEqual([]));

    it("keep them at rest: each stays on one server, and gets one cookie", async () => {
      await clicking(users, 9);
      expect(lostBy(users)).toEqual(NONE);
      for (const { ports, tokens } of users)
        expect({ ports: ports.size, tokens }).toEqual({ ports: 1, tokens: 1 });
      expect(all(users, ({ ports }) => ports)).toHaveLength(2);
    });

    it("lose them if they forget the proxies' cookie, and their address changes", async () => {
      const forgetful = Array.from(
        { length: 10 },
        (_, index) => new User(world, `127.0.4.${index + 1}`, true),
      );
      await Promise.all(forgetful.map((user) => user.login(0)));
      await clicking(forgetful, 18);
      expect(lostBy(forgetful).losers).toBeGreaterThan(5);
    });

    it("keep them while a candidate gets its share, and newcomers keep theirs in either release", async () => {
      let isOver = false;
      const releasing = release(world, "1.1.0", "--goal", "20").finally(() => (isOver = true));
      while (!isOver) await Promise.all([clicking(users, 1), pause(ROUND_MS)]);
      const { outcome, reason } = await releasing;
      expect({ outcome, reason }).toEqual({ outcome: "paused", reason: expect.anything() });
      for (const { state } of await world.status()) {
        expect(state.journal).toContainEqual(
          expect.objectContaining({ event: "traffic", weight: 20, ofNewClients: true }),
        );
      }
      const newcomers = await loggedIn(world, 100, 3, (index) => index % 2);
      await clicking([...users, ...newcomers], 6);
      expect(lostBy(users)).toEqual(NONE);
      for (const { ports, tokens } of users)
        expect({ ports: ports.size, tokens }).toEqual({ ports: 1, tokens: 1 });
      expect(all(users, ({ releases }) => releases)).toEqual(["1.0.0-1"]);
      expect(lostBy(newcomers)).toEqual(NONE);
      for (const { ports } of newcomers) expect(ports.size).toBe(1);
      expect(all(newcomers, ({ releases }) => releases)).toEqual(["1.0.0-1", "1.1.0-2"]);
    });
  });
});
