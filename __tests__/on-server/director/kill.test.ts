/**
 * The director as servers get it, killed with SIGKILL at any moment, and so its proxy: what users get is checked from
 * outside. As the simulated lives, but with real processes, real proxies, and real requests.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DirectorProcesses } from "./director-process";
import { describeWith, haproxy, nginx } from "./proxy-kinds";
import type { ProxyKind } from "./proxy-kinds";
import { Load } from "./proxy-load";
import { ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";

const STEPS = [20, 60, 100];
const analysis = { intervalSeconds: 0.2, minimumRequests: 5 };
const times = { stepSeconds: 0.12, bakeSeconds: 0.12, drainSeconds: 0.2 };
/** From before its first effect to after its last one. */
const KILLED_AFTER_MS = [40, 130, 200, 270, 350, 450, 560, 720];

const PHASES_AT_LEAST = 3;

describe.each([haproxy, nginx])("$name", (kind: ProxyKind) => {
  describeWith(kind)("is driven by directors that are killed", () => {
    let proxy: ProxyUnderTest;

    let director: DirectorProcesses;

    async function requireOneOfItsValues(): Promise<void> {
      const { live, weight, mode } = await proxy.driver.observe();
      expect(mode).toBe("serve");
      if (live === "green") expect(weight).toBe(0);
      else expect([0, ...STEPS]).toContain(weight);
      // Stable changes after all requests were on the candidate, never before.
      if (weight < 100 && live === "blue") expect(director.state.stable?.releaseId).toBe("1.0.0-1");
    }

    async function requireTheEnd(): Promise<void> {
      expect(await proxy.driver.observe()).toMatchObject({
        live: "green",
        weight: 0,
        mode: "serve",
        fallback: false,
      });
      expect(director.state).toMatchObject({
        stable: { slot: "green", releaseId: "1.1.0-2" },
        candidate: null,
        phase: "stable",
        finished: true,
      });
      expect((await proxy.ask()).slot).toBe("green");
    }

    beforeAll(async () => {
      proxy = await ProxyUnderTest.create(kind);
      director = new DirectorProcesses(proxy, { strategy: "canary", steps: STEPS, ...times, analysis });
    });
    afterAll(() => proxy.close());

    test("at any moment: no request is lost, and the step that runs again ends as if nothing had been", async () => {
      const killed: string[] = [];
      const isNew = (): boolean => !killed.includes(director.state.phase);
      const moments: (() => Promise<unknown>)[] = [
        ...KILLED_AFTER_MS.map((after) => () => sleep(after)),
        // However slow this machine is at the moment: early and late, and in between.
        ...Array.from(
          { length: PHASES_AT_LEAST },
          () => () => until(isNew, "a phase that none was killed in").catch(() => undefined),
        ),
      ];
      for (const moment of moments) {
        await director.begin();
        const load = new Load(proxy.spec.proxy.port);
        const { child, ended } = director.start("switch", director.second);
        await Promise.race([moment(), ended]);
        child.kill("SIGKILL");
        await ended;
        killed.push(director.state.phase);
        await requireOneOfItsValues();
        expect(await director.run("switch", director.second)).toEqual({ code: 0, said: "" });
        await requireTheEnd();
        await load.more(10);
        await load.stop();
        expect(load.lost).toEqual([]);
      }
      expect(new Set(killed).size).toBeGreaterThanOrEqual(PHASES_AT_LEAST);
    });

    test("and then its proxy, which comes up with what it had, and the step goes on", async () => {
      for (const after of [210, 320, 450]) {
        await director.begin();
        const { child, ended } = director.start("switch", director.second);
        await sleep(after);
        child.kill("SIGKILL");
        await ended;
        const before = await proxy.driver.observe();
        await proxy.kill();
        await proxy.start();
        expect(await proxy.driver.observe()).toEqual(before);
        await requireOneOfItsValues();
        expect(await director.run("switch", director.second)).toEqual({ code: 0, said: "" });
        await requireTheEnd();
      }
    });

    test("and then somebody aborts: stable has all requests again", async () => {
      for (const after of [170, 260]) {
        await director.begin();
        const { child, ended } = director.start("switch", director.second);
        await sleep(after);
        child.kill("SIGKILL");
        await ended;
        expect((await director.run("abort", director.second)).code).toBe(0);
        expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0, mode: "serve" });
        expect((await director.run("switch", director.second)).code).toBe(5);
      }
    });
  });
});
