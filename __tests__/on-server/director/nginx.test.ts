/** NGINX, driven without reloading it. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import { masterPid, servingGeneration } from "../../../on-server/director/drivers/nginx/nginx-process";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { promisesOfAnswers } from "./answer-promises";
import { promisesOfExchanges } from "./exchange-promises";
import { promisesOfLimits } from "./limit-promises";
import { promisesToNeighbours } from "./neighbour-promises";
import { promisesUnderLoad } from "./load-promises";
import { promisesAcrossProtocols } from "./protocol-promises";
import { promisesOfAProxy } from "./proxy-promises";
import { describeWith, nginx } from "./proxy-kinds";
import { children } from "./process-facts";
import { ProxyUnderTest } from "./proxy-under-test";
import { acceptsEveryTopology } from "./proxy-configuration";

describeWith(nginx)("nginx", () => {
  promisesOfAProxy(nginx);
  describe("in its counts of answers", () => promisesOfAnswers(nginx));
  describe("across protocols", () => promisesAcrossProtocols(nginx));
  describe("in each exchange", () => promisesOfExchanges(nginx));
  describe("with limits", () => promisesOfLimits(nginx));
  describe("to everyone else", () => promisesToNeighbours(nginx));
  describe("under load", () => promisesUnderLoad(nginx));

  acceptsEveryTopology("nginx");

  describe("that gets another configuration while it serves", () => {
    let proxy: ProxyUnderTest;
    beforeAll(async () => void (proxy = await ProxyUnderTest.create(nginx)));
    afterAll(() => proxy.close());
    const withServer = (host: string): DirectorSpec => ({
      ...proxy.spec,
      endpoints: {
        ...proxy.spec.endpoints,
        green: [...proxy.spec.endpoints.green, { server: "web-2", host, port: 9 }],
      },
    });

    test("takes it over, with the traffic that it has, and no request of a new connection is lost", async () => {
      await proxy.set({ weight: 30, fallback: true });
      const [master, before] = [masterPid(), await servingGeneration()];
      const answers: number[] = [];
      let ended = false;
      const asking = (async () => {
        while (!ended) answers.push((await proxy.ask()).status);
      })();
      try {
        await KINDS.nginx.configure(withServer("127.0.0.9"));
        expect(await servingGeneration()).not.toBe(before);
      } finally {
        ended = true;
        await asking;
      }
      expect(new Set(answers)).toEqual(new Set([200]));
      expect(masterPid()).toBe(master);
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 30, fallback: true });
      expect(readFileSync("nginx.conf", "utf8")).toContain("server 127.0.0.9:9");
    });

    test("keeps the one it has where it does not accept the new one", async () => {
      const [before, file] = [await servingGeneration(), readFileSync("nginx.conf", "utf8")];
      await expect(KINDS.nginx.configure(withServer("no such host"))).rejects.toThrow(
        /^nginx does not accept the new configuration: \[emerg\]/,
      );
      expect(await servingGeneration()).toBe(before);
      expect(readFileSync("nginx.conf", "utf8")).toBe(file);
      expect((await proxy.ask()).status).toBe(200);
    });

    test("is left alone where nothing changed", async () => {
      const workers = children(masterPid());
      await KINDS.nginx.configure(withServer("127.0.0.9"));
      expect(children(masterPid())).toEqual(workers);
    });

    test("whose traffic folder was changed by hand says what users get, and takes the next value", async () => {
      const changes: [what: string, change: () => void, seen: object][] = [
        ["another weight", () => rmSync("live/7"), { live: "blue", weight: 29 }],
        [
          "other buckets",
          () => [rmSync("live/7"), writeFileSync("live/99", "")],
          { live: "blue", weight: 30 },
        ],
        ["closed", () => [rmSync("live/open"), rmSync("live/shifting")], { live: null }],
        ["open all the same", () => rmSync("live/open"), { live: "blue", weight: 30, fallback: true }],
        ["a page", () => [renameSync("live/shifting", "live/page")], { live: "blue", mode: "page" }],
        ["no page", () => writeFileSync("live/page", ""), { live: "blue", mode: "serve" }],
        ["no value", () => rmSync("live/value.json"), { live: "blue", weight: 30 }],
      ];
      for (const [what, change, seen] of changes) {
        await proxy.set({ weight: 30, fallback: true });
        const told = await proxy.driver.observe();
        change();
        const observed = await proxy.driver.observe();
        expect({ what, ...observed }).toMatchObject(seen);
        expect(observed).not.toEqual(told);
        const status = observed.live === null ? 503 : 200;
        expect({ what, ...(await proxy.ask()) }).toMatchObject({ what, status });
        await proxy.set({ weight: 30, fallback: true });
        expect(await proxy.driver.observe()).toEqual(told);
      }
    });

    test.each([
      ["at rest", { weight: 0, fallback: false }, "at-rest"],
      ["while traffic shifts", { weight: 30, fallback: true }, "shifting"],
    ])("whose traffic folder an earlier version wrote %s serves as it did", async (_, traffic, mark) => {
      await proxy.set(traffic);
      const told = await proxy.driver.observe();
      const slots = async () =>
        (await Promise.all([0, 29, 30, 99].map((bucket) => proxy.ask({ bucket })))).map(({ slot }) => slot);
      const served = await slots();
      rmSync(`live/${mark}`);
      expect(await proxy.driver.observe()).toEqual(told);
      expect(await slots()).toEqual(served);
    });
  });
});
