/** What every kind of proxy promises while it is busy: the rehearsal's open-loop load, and instances as processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Load } from "../../../cli/load/load";
import { SLOTS } from "../../../release/slot";
import { healthyIn, ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";
import type { ProxyKind } from "./proxy-kinds";

const REPOSITORY = resolve(__dirname, "../../..");
const CHANGES = 200;
const CHANGE_EVERY_MS = 20;
/** Requests a second: enough that each change meets some, and little enough for a machine that others use. */
const RATE = 250;

export function promisesUnderLoad(kind: ProxyKind): void {
  test("two hundred changes of the traffic lose no request and no acknowledged POST", async () => {
    const proxy = await ProxyUnderTest.create(kind);
    const { blue, green, driver } = proxy;
    await Promise.all([blue.stop(), green.stop()]);
    const slots = spawn(
      process.execPath,
      [join(REPOSITORY, "development/bench/slots.mjs"), String(blue.port), String(green.port)],
      { stdio: "ignore" },
    );
    const load = new Load({ workerEntry: join(REPOSITORY, "lib/cli/load/worker.js"), execArgv: [] });
    try {
      await until(async () => {
        const counts = await driver.counts();
        return SLOTS.every((slot) => healthyIn(counts[slot]) === 1);
      }, "both slots answer again");
      // Each by itself: whoever stands in hides that a proxy has not found the other one yet.
      await proxy.set({ live: "blue", weight: 50, fallback: false });
      for (const bucket of [0, 99])
        await until(async () => (await proxy.ask({ bucket })).status === 200, "users are served");

      await load.start({
        origin: `http://127.0.0.1:${proxy.spec.proxy.port}`,
        rate: RATE,
        postShare: 0.5,
        gets: [{ path: "/", bodyIncludes: "A page" }],
        post: { path: "/rows", markerField: "title" },
        find: { path: "/rows/:id" },
      });
      for (let change = 0; change < CHANGES; change += 1) {
        await proxy.set({
          live: SLOTS[Math.floor(change / 25) % 2]!,
          weight: (change * 37) % 101,
          offset: (change * 13) % 100,
          fallback: change % 2 === 0,
        });
        await sleep(CHANGE_EVERY_MS);
      }
      const { failures, missing, versions, acknowledged, sent } = await load.stop();
      expect({ failures, missing }).toEqual({ failures: {}, missing: [] });
      // Both slots took part, and there was load all the while.
      for (const answers of Object.values(versions)) expect(answers).toBeGreaterThan(CHANGES);
      expect(Object.keys(versions).sort()).toEqual(["1.0.0-1", "1.1.0-2"]);
      expect(acknowledged).toBeGreaterThan(CHANGES);
      expect(sent).toBeGreaterThan(acknowledged);
    } finally {
      await load.kill();
      const exited = once(slots, "exit");
      slots.kill();
      await exited;
      await proxy.close();
    }
  });
}
