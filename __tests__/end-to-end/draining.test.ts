/**
 * 200 users with sessions in an application's memory, two servers a slot, two proxies: clients of a release that is left stay on it
 * until they are idle, whatever the proxy. No session is lost but those of a server that is gone, and of a candidate that is
 * aborted.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { DriverName } from "../../configuration/drivers";
import type { Receipt } from "../../release/receipt";
import { all, clicking, KEEPS_SESSIONS, loggedIn, lostBy, NONE, sessionWorld } from "./session-users";
import type { User } from "./session-users";
import { describeEndToEnd } from "./world";
import type { World } from "./world";

const USERS = 200;
const IDLE_SECONDS = 4;
const ROUND_MS = 1_000;

const options = (version: string, ...more: string[]) => ["release", version, "--artifact", version, ...more];

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describeEndToEnd("users with sessions in an instance's memory", () => {
    let world: World;
    let first: User[];
    let second: User[];
    beforeAll(async () => {
      world = await sessionWorld(driver, { idleSeconds: IDLE_SECONDS, atMostSeconds: 120 });
      for (const version of ["1.0.0", "1.1.0", "1.2.0", "1.3.0"])
        world.write(`${version}/server.js`, KEEPS_SESSIONS);
      expect(await world.deploy(...options("1.0.0"))).toMatchObject({ outcome: "installed", exitCode: 0 });
      first = await loggedIn(world, USERS, 2, (index) => index % 2);
    });
    afterAll(async () => expect(await world.end()).toEqual([]));

    /** They click until the work is done. */
    async function meanwhile<Result>(users: readonly User[], work: Promise<Result>): Promise<Result> {
      let isOver = false;
      const done = work.finally(() => (isOver = true));
      while (!isOver) await Promise.all([clicking(users, 1), pause(ROUND_MS)]);
      return done;
    }

    const sessionsIn = (receipt: string | null) =>
      world
        .read<Receipt>(receipt!)
        .proxies.map(({ journal }) => journal.filter((entry) => entry.event === "sessions"));

    it("keep them over a switch, and newcomers get the new release", async () => {
      const released = await meanwhile(first, world.deploy(...options("1.1.0", "--strategy", "blueGreen")));
      expect(released).toMatchObject({ outcome: "promoted", exitCode: 0 });
      expect(released.reason).toContain("clients of 1.0.0-1 stay in blue while they are active");
      await clicking(first, 6);
      expect(lostBy(first)).toEqual(NONE);
      for (const { ports } of first) expect(ports.size).toBe(1);
      expect(all(first, ({ releases }) => releases)).toEqual(["1.0.0-1"]);
      second = await loggedIn(world, 50, 3, (index) => index % 2);
      await clicking(second, 3);
      expect(lostBy(second)).toEqual(NONE);
      expect(all(second, ({ releases }) => releases)).toEqual(["1.1.0-2"]);
      for (const entries of sessionsIn(released.receipt))
        expect(entries).toEqual([expect.objectContaining({ releaseId: "1.0.0-1", clients: "stay" })]);
    });

    it("status shows who is left", async () => {
      for (const { draining } of await world.status())
        expect(draining).toMatchObject({
          slot: "blue",
          releaseId: "1.0.0-1",
          secondsLeft: expect.any(Number),
        });
      expect((await world.run(["status"])).stdout).toContain("clients of 1.0.0-1 are still active in blue");
    });

    it("don't make a plan wait that is no longer valid", async () => {
      const clicks = [...first, ...second];
      const begun = Date.now();
      const stale = [...options("1.2.0"), "--token", "1-0123456789-0123456789"];
      const refused = await meanwhile(clicks, world.run(stale));
      expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("is no longer valid") });
      expect(refused.stderr).not.toContain("--now");
      expect(Date.now() - begun).toBeLessThan(60_000);
    });

    it("make the next release wait, which has changed nothing meanwhile, until they are idle", async () => {
      const running = world.start(options("1.2.0"));
      let isOver = false;
      void running.ended.finally(() => (isOver = true));
      const until = Date.now() + 2_000 * IDLE_SECONDS;
      while (Date.now() < until) await Promise.all([clicking([...first, ...second], 1), pause(ROUND_MS)]);
      expect({ isOver, sequence: world.record.sequence }).toEqual({ isOver: false, sequence: 2 });
      expect(lostBy([...first, ...second])).toEqual(NONE);
      const idleSince = Date.now();
      const released = await meanwhile(second, running.ended);
      expect(Date.now() - idleSince).toBeGreaterThan(1_000 * (IDLE_SECONDS - 1));
      expect(released.stderr).toContain("clients of 1.0.0-1 are still active in blue");
      expect(released.stderr).toContain("--now ends those sessions");
      expect({ exitCode: released.exitCode, stdout: released.stdout }).toEqual({
        exitCode: 0,
        stdout: expect.stringContaining("record 3 promoted"),
      });
      // Those of 1.1.0 were in a canary, and are left now.
      expect(lostBy(second)).toEqual(NONE);
      expect(all(second, ({ releases }) => releases)).toEqual(["1.1.0-2"]);
      // Who comes back after so long logs in again, in the new release.
      await clicking(first, 2);
      expect(lostBy(first).losers).toBe(USERS);
    });

    it("keep them when users return to a good release, from either", async () => {
      const third = await loggedIn(world, 30, 5, (index) => index % 2);
      const both = [...second, ...third];
      expect(await meanwhile(both, world.deploy("rollback"))).toMatchObject({ exitCode: 0 });
      await clicking(both, 6);
      expect(lostBy(both)).toEqual(NONE);
      expect(all(third, ({ releases }) => releases)).toEqual(["1.2.0-3"]);
      expect(all(await loggedIn(world, 5, 6, () => 0), ({ releases }) => releases)).toEqual(["1.1.0-2"]);
    });

    it("lose them with a candidate that is aborted, which the receipt shows; stable's keep theirs", async () => {
      const paused = await meanwhile(second, world.deploy(...options("1.3.0", "--goal", "50", "--now")));
      expect(paused).toMatchObject({ outcome: "paused", exitCode: 0 });
      const newcomers = await loggedIn(world, 40, 7, (index) => index % 2);
      await clicking(newcomers, 3);
      expect(lostBy(newcomers)).toEqual(NONE);
      const aborted = await meanwhile(second, world.deploy("abort"));
      expect(aborted).toMatchObject({ exitCode: 0 });
      for (const entries of sessionsIn(paused.receipt))
        expect(entries.at(-1)).toMatchObject({ releaseId: "1.3.0-5", clients: "ended" });
      await clicking([...newcomers, ...second], 3);
      expect(lostBy(second)).toEqual(NONE);
      const ofCandidate = newcomers.filter(({ releases }) => releases.has("1.3.0-5"));
      expect(ofCandidate.length).toBeGreaterThan(0);
      expect(lostBy(newcomers).losers).toBe(ofCandidate.length);
    });

    it("lose only those of a server that is gone, and is healed", async () => {
      const ofOther = second.filter(({ ports }) => !ports.has(portOf("web-1")));
      await Promise.all([world.replaceServer("web-1"), clicking(ofOther, 3)]);
      expect(await meanwhile(ofOther, world.deploy("heal", "web-1"))).toMatchObject({ outcome: "healed" });
      await clicking(second, 3);
      expect(lostBy(ofOther)).toEqual(NONE);
      expect(ofOther.length).toBeGreaterThan(0);
      expect(lostBy(second).losers).toBe(second.length - ofOther.length);
    });

    /** Of the live slot, green. */
    const portOf = (server: string) => livePorts()[server]!;
    function livePorts(): Readonly<Record<string, string>> {
      const seen = [...new Set(second.flatMap(({ ports }) => [...ports]))].sort();
      return { "web-1": seen[0]!, "web-2": seen[1]! };
    }
  });
});
