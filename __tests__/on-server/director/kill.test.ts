/**
 * The director as servers get it, killed with SIGKILL at any moment, and so its proxy: what users get is checked from
 * outside. As the simulated lives, but with real processes, real proxies, and real requests.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { State } from "../../../on-server/director/state";
import { directorSpec, encodeSpec } from "../../../release/director-spec";
import { emptyRecord } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import * as transitions from "../../../release/transitions";
import { describeWith, haproxy, nginx } from "./proxy-kinds";
import type { ProxyKind } from "./proxy-kinds";
import { Load, ProxyUnderTest } from "./proxy-under-test";
import { artifact, simulatedEnvironment } from "./simulated-world";

const DIRECTOR = resolve(__dirname, "../../../lib/on-server/director.js");
const STEPS = [20, 60, 100];
const analysis = { intervalSeconds: 0.2, minimumRequests: 5 };
const times = { stepSeconds: 0.12, bakeSeconds: 0.12, drainSeconds: 0.2 };
const environment = simulatedEnvironment({ strategy: "canary", steps: STEPS, ...times, analysis });
const intent = { environmentSchedule: environment.schedule };
const NEVER = { live: null, releaseId: null, serving: [] };
const FIRST = transitions.release(emptyRecord("demo"), artifact("1.0.0"), NEVER, intent);
const LIVE = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] } as const;
const SECOND = transitions.release(FIRST, artifact("1.1.0"), LIVE, intent);
/** From before its first effect to after its last one. */
const KILLED_AFTER_MS = [40, 130, 200, 270, 350, 450, 560, 720];

describe.each([haproxy, nginx])("$name", (kind: ProxyKind) => {
  describeWith(kind)("is driven by directors that are killed", () => {
    let proxy: ProxyUnderTest;

    function start(step: string, record: ReleaseRecord) {
      const { endpoints, proxy: place } = proxy.spec;
      const spec = directorSpec(environment, record, 0);
      const verification = { ...spec.verification, successes: 2, intervalSeconds: 0.01, deadlineSeconds: 2 };
      const encoded = encodeSpec({ ...spec, endpoints, verification, proxy: { ...place, index: 0 } });
      const args = [DIRECTOR, step, "--spec", encoded, "--folder", proxy.folder];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.on("data", (chunk) => (said += String(chunk)));
      return { child, ended: once(child, "close").then(([code]) => ({ code: code as number | null, said })) };
    }
    const run = (step: string, record: ReleaseRecord) => start(step, record).ended;
    const state = () => JSON.parse(readFileSync(join(proxy.folder, "state.json"), "utf8")) as State;

    /** 1.0.0 is live in blue, and so the next one starts. */
    async function begun(): Promise<void> {
      rmSync(join(proxy.folder, "state.json"), { force: true });
      await proxy.set({ live: null });
      for (const step of ["begin", "switch"]) expect(await run(step, FIRST)).toEqual({ code: 0, said: "" });
      expect(await run("begin", SECOND)).toEqual({ code: 0, said: "" });
    }

    async function requireOneOfItsValues(): Promise<void> {
      const { live, share, mode } = await proxy.driver.observe();
      expect(mode).toBe("serve");
      if (live === "green") expect(share).toBe(0);
      else expect([0, ...STEPS]).toContain(share);
      // Stable changes after all requests were on the candidate, never before.
      if (share < 100 && live === "blue") expect(state().stable?.releaseId).toBe("1.0.0-1");
    }

    async function requireTheEnd(): Promise<void> {
      expect(await proxy.driver.observe()).toMatchObject({
        live: "green",
        share: 0,
        mode: "serve",
        fallback: false,
      });
      expect(state()).toMatchObject({
        stable: { slot: "green", releaseId: "1.1.0-2" },
        candidate: null,
        phase: "stable",
        finished: true,
      });
      expect((await proxy.ask()).slot).toBe("green");
    }

    beforeAll(async () => void (proxy = await ProxyUnderTest.create(kind)));
    afterAll(() => proxy.close());

    test("at any moment: no request is lost, and the step that runs again ends as if nothing had been", async () => {
      const killed: string[] = [];
      for (const after of KILLED_AFTER_MS) {
        await begun();
        const load = new Load(proxy.spec.proxy.port);
        const { child, ended } = start("switch", SECOND);
        await sleep(after);
        child.kill("SIGKILL");
        await ended;
        killed.push(state().phase);
        await requireOneOfItsValues();
        expect(await run("switch", SECOND)).toEqual({ code: 0, said: "" });
        await requireTheEnd();
        await load.more(10);
        await load.stop();
        expect(load.lost).toEqual([]);
      }
      // It was killed early and late, and in between.
      expect(new Set(killed).size).toBeGreaterThanOrEqual(3);
    });

    test("and then its proxy, which comes up with what it had, and the step goes on", async () => {
      for (const after of [210, 320, 450]) {
        await begun();
        const { child, ended } = start("switch", SECOND);
        await sleep(after);
        child.kill("SIGKILL");
        await ended;
        const before = await proxy.driver.observe();
        await proxy.kill();
        await proxy.start();
        expect(await proxy.driver.observe()).toEqual(before);
        await requireOneOfItsValues();
        expect(await run("switch", SECOND)).toEqual({ code: 0, said: "" });
        await requireTheEnd();
      }
    });

    test("and then somebody aborts: stable has all requests again", async () => {
      for (const after of [170, 260]) {
        await begun();
        const { child, ended } = start("switch", SECOND);
        await sleep(after);
        child.kill("SIGKILL");
        await ended;
        expect((await run("abort", SECOND)).code).toBe(0);
        expect(await proxy.driver.observe()).toMatchObject({ live: "blue", share: 0, mode: "serve" });
        expect((await run("switch", SECOND)).code).toBe(5);
      }
    });
  });
});
