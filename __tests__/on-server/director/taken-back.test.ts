/**
 * A release that is healthy for everybody but its users: with real requests through a real proxy it is taken back, and
 * the result says why, with the figures.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Comparison } from "../../../release/journal";
import { DirectorProcesses } from "./director-process";
import { describeWith, haproxy, nginx } from "./proxy-kinds";
import type { ProxyKind } from "./proxy-kinds";
import { ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";

const INTERVAL = 2;
const analysis = {
  intervalSeconds: INTERVAL,
  minimumRequests: 5,
  latencySlackMs: 50,
  latencyGraceSeconds: 1,
};
const times = { stepSeconds: 60, bakeSeconds: 0, drainSeconds: 1 };

interface Result {
  readonly outcome: string;
  readonly reason: string;
  readonly comparison: Comparison;
}

/** Some 200 requests a second, each on a connection of its own and without a cookie. */
function startUsers(proxy: ProxyUnderTest): () => Promise<void> {
  let ended = false;
  const pending = new Set<Promise<unknown>>();
  const asking = (async () => {
    while (!ended) {
      const one = proxy.ask().finally(() => pending.delete(one));
      pending.add(one);
      await sleep(5);
    }
  })();
  return async () => {
    ended = true;
    await asking;
    await Promise.all(pending);
  };
}

describe.each([haproxy, nginx])("$name", (kind: ProxyKind) => {
  describeWith(kind)("with a candidate that turns bad at 5 per cent", () => {
    let proxy: ProxyUnderTest;
    let director: DirectorProcesses;
    beforeAll(async () => {
      proxy = await ProxyUnderTest.create(kind);
      director = new DirectorProcesses(proxy, { strategy: "canary", steps: [5, 100], ...times, analysis });
    });
    let stopUsers: (() => Promise<void>) | undefined;
    afterEach(() => stopUsers?.());
    afterAll(() => proxy.close());

    test.each([
      ["fails", { status: 500 }, /\d+ of \d+ answers failed: \d+(\.\d+)? % more than stable/],
      ["is slow", { delayMs: 300 }, /p95 is \d+ ms, stable's was \d+ ms/],
    ])("takes it back within two intervals where it %s", async (_, trouble, reason) => {
      await director.begin();
      stopUsers = startUsers(proxy);
      const { ended } = director.start("switch", director.second);
      await until(async () => (await proxy.driver.observe()).weight === 5, "it has its weight");
      await sleep(1_000 * INTERVAL);
      proxy.green.trouble = trouble;
      const turned = Date.now();
      const { exitCode: code, stdout } = await ended;
      proxy.green.trouble = {};
      await stopUsers();
      const result = JSON.parse(stdout) as Result;
      expect({ code, outcome: result.outcome }).toEqual({ code: 5, outcome: "rolledBack" });
      expect(result.reason).toMatch(reason);
      expect(result.reason).toContain("traffic is back on 1.0.0-1");
      expect(result.comparison).toMatchObject({ weight: 5 });
      expect(result.comparison.candidate.requests).toBeGreaterThan(0);
      expect(result.comparison.stable.requests).toBeGreaterThan(result.comparison.candidate.requests);
      const judged = director.events.findLast(
        ({ event, verdict }) => event === "analysis" && verdict === "fail",
      );
      expect(Date.parse(judged!["at"] as string) - turned).toBeLessThanOrEqual(2_000 * INTERVAL);
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0 });
    });
  });
});
