/** A deployment of base gives the proxies that run other settings, and takes them away: users keep their release. */
import type { DriverName } from "../../configuration/drivers";
import { describeEndToEnd, oneServer, until, World } from "./world";

const TRUSTED = ["127.0.0.1"];
const BLUE_GREEN = { strategy: "blueGreen", bakeSeconds: 0.2, drainSeconds: 1 } as const;

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describeEndToEnd("a proxy that runs", () => {
    let world: World;
    const http = (more: object) => ({ proxies: { driver, count: 1, http: { trusted: TRUSTED, ...more } } });
    beforeAll(async () => {
      world = await World.create({ environment: { ...oneServer(driver, BLUE_GREEN), ...http({}) } });
      expect(await world.release("1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
    });
    afterAll(async () => expect(await world.end()).toEqual([]));

    /** As a balancer reports a user with TLS. */
    const strict = async (): Promise<string | null> => {
      const answer = await fetch(world.origin(), { headers: { "x-forwarded-proto": "https" } });
      await answer.arrayBuffer();
      return answer.headers.get("strict-transport-security");
    };
    const deployBase = async (): Promise<void> => {
      const { exitCode, stderr } = await world.cdktf(["deploy", "base", "--auto-approve"]);
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    };

    it("gets Strict-Transport-Security with base, and loses it with base", async () => {
      expect(await strict()).toBeNull();
      for (const [more, expected] of [
        [{ strictTransportSecurity: { maxAgeSeconds: 300 } }, "max-age=300"],
        [
          { strictTransportSecurity: { maxAgeSeconds: 600, includeSubDomains: true } },
          "max-age=600; includeSubDomains",
        ],
        [{}, null],
      ] as const) {
        world.changeEnvironment(http(more));
        expect(await world.run(["plan", "base"])).toMatchObject({ exitCode: 0 });
        await deployBase();
        await until(async () => (await strict()) === expected, `the header is ${expected}`);
        expect(await world.serving()).toEqual(["1.0.0-1"]);
      }
    });

    it("gets another limit of bodies with base", async () => {
      /** Whether two megabytes reach the application, which has a limit of its own. */
      const reaches = async (): Promise<boolean> => {
        const body = "x".repeat(2 * 1_024 * 1_024);
        const answer = await fetch(`${world.origin()}/goals`, { method: "POST", body, redirect: "manual" });
        await answer.arrayBuffer();
        return answer.headers.has("x-release-id");
      };
      expect(await reaches()).toBe(true);
      world.changeEnvironment(http({ bodyMegabytes: 1 }));
      await deployBase();
      await until(async () => !(await reaches()), "two megabytes are too much");
      world.changeEnvironment(http({}));
      await deployBase();
      await until(reaches, "they are accepted again");
      expect(await world.serving()).toEqual(["1.0.0-1"]);
    });

    it("keeps clients on their servers from the release on that follows base", async () => {
      const given = async (): Promise<string> => {
        const answer = await fetch(world.origin());
        await answer.arrayBuffer();
        return answer.headers.getSetCookie().join();
      };
      world.changeEnvironment({ ...http({}), sessions: { affinity: "server" } });
      await deployBase();
      expect(await world.release("1.1.0")).toMatchObject({ outcome: "promoted", exitCode: 0 });
      expect(await given()).toContain("bluegreen-server=");
    });
  });
});
