/** A rollback by hand on real proxies, with the built director: how soon users are moved, and what it waits for. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeSpec } from "../../../configuration/director-spec";
import { follow, until } from "../../../development/testbed/processes";
import type { Ran } from "../../../development/testbed/processes";
import type { ScheduleChoice } from "../../../release/schedule";
import { DirectorProcesses } from "./director-process";
import { describeWith, embedded, haproxy, nginx } from "./proxy-kinds";
import { Backend, ProxyUnderTest } from "./proxy-under-test";

const DIRECTOR = resolve(__dirname, "../../../lib/on-server/director.js");
/** From the start of the director's process, on a busy machine, too. A drain lasts a minute. */
const AT_ONCE_MS = 8_000;
const KEPT = { slot: "blue", releaseId: "1.0.0-1" };

/** Its health is slow, and now and then an answer fails. */
class UnkindBackend extends Backend {
  isUnkind = false;
  private probes = 0;

  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    if (asked.url !== "/health" || !this.isUnkind) return super.answer(asked, response);
    this.probes += 1;
    await sleep(300);
    if (this.probes % 7 === 0) response.statusCode = 503;
    // Some checks don't wait that long.
    return super.answer(asked, response).catch(() => undefined);
  }
}

describe.each([haproxy, nginx, embedded])("on $name", (kind) => {
  describeWith(kind)("a rollback by hand", () => {
    let proxy: ProxyUnderTest;
    let directors: DirectorProcesses;
    const started: ChildProcess[] = [];

    afterEach(async () => {
      for (const child of started.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
      await proxy.close();
    });

    async function promoted(
      drainSeconds = 0,
      backend?: (slot: "blue" | "green", port: number) => Backend,
    ): Promise<void> {
      proxy = await ProxyUnderTest.create(kind, {}, backend);
      directors = new DirectorProcesses(proxy, { strategy: "blueGreen", bakeSeconds: 0, drainSeconds });
      await directors.begin();
    }

    function start(step: "switch"): ReturnType<DirectorProcesses["start"]> {
      const running = directors.start(step, directors.second);
      started.push(running.child);
      return running;
    }

    function rollback(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ran> } {
      const child = spawn(process.execPath, [DIRECTOR, "rollback", "--folder", proxy.folder, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      started.push(child);
      return { child, ended: follow(child).ended };
    }

    /** Until all users are in blue, from the start of the director. */
    async function moved(ended: Promise<Ran>): Promise<{ ran: Ran; ms: number }> {
      const from = performance.now();
      await until(async () => {
        const answers = await Promise.all([0, 30, 60, 99].map((bucket) => proxy.ask({ bucket })));
        return answers.every(({ slot, status }) => slot === "blue" && status === 200);
      }, "all users are in blue");
      const ms = performance.now() - from;
      return { ran: await ended, ms };
    }

    test("moves users to the kept release at once, also where its health is slow and fails now and then", async () => {
      const backends: UnkindBackend[] = [];
      await promoted(0, (slot, port) => {
        const backend = new UnkindBackend(slot, port);
        backends.push(backend);
        return backend;
      });
      expect(await directors.run("switch", directors.second)).toEqual({ code: 0, said: "" });
      expect((await proxy.ask()).slot).toBe("green");
      for (const backend of backends) backend.isUnkind = true;
      const { ran, ms } = await moved(rollback("--reason", "it loses orders; $(true) \u001b[31m").ended);
      expect(ms).toBeLessThan(AT_ONCE_MS);
      expect({ code: ran.exitCode, stderr: ran.stderr }).toEqual({
        code: 0,
        stderr: "director rollback: all requests go to 1.0.0-1 in blue, not to 1.1.0-2\n",
      });
      expect(JSON.parse(ran.stdout)).toMatchObject({
        step: "rollback",
        outcome: "rolledBack",
        sequence: 3,
        state: { stable: KEPT, brokenGlass: { to: KEPT, reason: "it loses orders; $(true)  [31m" } },
      });
      for (const step of ["begin", "switch"]) {
        const { code, said } = await directors.run(step, directors.second);
        expect({ code, said }).toEqual({
          code: 3,
          said: expect.stringMatching(
            /^director \w+: users were moved by hand .*`bluegreen recover` takes it over/,
          ),
        });
      }
      expect((await proxy.ask()).slot).toBe("blue");
    });

    test("stops a running director, and needs nothing from it but its end", async () => {
      await promoted();
      const schedule = {
        strategy: "canary" as const,
        steps: [40, 100],
        stepSeconds: 300,
        bakeSeconds: 0,
        drainSeconds: 60,
      } satisfies ScheduleChoice;
      const record = { ...directors.second, schedule };
      const running = directors.start("switch", record);
      started.push(running.child);
      await until(async () => (await proxy.driver.observe()).weight === 40, "the weight is 40 %");
      // Its drain would last for the time of this request.
      const slow = slowRequest(await bucketOf("green"));
      const { ran, ms } = await moved(rollback("--reason", "why").ended);
      expect(ms).toBeLessThan(AT_ONCE_MS);
      expect(ran.exitCode).toBe(0);
      expect(ran.stderr).toContain("another director runs (switch 2, process ");
      expect((await running.ended).exitCode).toBe(5);
      expect(directors.state).toMatchObject({
        stable: KEPT,
        candidate: null,
        brokenGlass: { wasStable: false },
      });
      proxy.green.finishSlowRequests();
      expect(await slow).toBe(200);
      expect(existsSync(join(proxy.folder, "haste-requested"))).toBe(false);
    });

    test("does not wait for a drain", async () => {
      await promoted(60);
      const slow = slowRequest(0);
      await until(() => proxy.blue.seen.some(({ url }) => url === "/slow"), "the slow request runs");
      const running = start("switch");
      await until(
        () => directors.state.stable?.releaseId === "1.1.0-2" && directors.state.finished,
        "it drains",
      );
      const { ran, ms } = await moved(rollback("--reason", "why").ended);
      expect(ms).toBeLessThan(AT_ONCE_MS);
      expect(ran.exitCode).toBe(0);
      expect((await running.ended).exitCode).toBe(0);
      proxy.blue.finishSlowRequests();
      expect(await slow).toBe(200);
    });

    async function bucketOf(slot: string): Promise<number> {
      for (let bucket = 0; bucket < 100; bucket += 1)
        if ((await proxy.ask({ bucket })).slot === slot) return bucket;
      throw new Error(`no bucket is in ${slot}`);
    }

    async function slowRequest(bucket: number): Promise<number | undefined> {
      return new Promise((done, failed) => {
        const { host, port } = proxy.spec.proxy;
        const headers = { cookie: `bluegreen-bucket=${bucket}` };
        request({ host, port, path: "/slow", headers }, (response) => {
          response.resume().on("end", () => done(response.statusCode));
        })
          .on("error", failed)
          .end();
      });
    }

    if (kind !== embedded) return;

    test("names a director that hangs; when that is killed, users are moved", async () => {
      await promoted();
      rewriteSpec((spec) => ({ ...spec, verification: { ...spec.verification, timeoutSeconds: 0.1 } }));
      const running = start("switch");
      await until(() => existsSync(join(proxy.folder, "director.lock.holder")), "it has the lock");
      running.child.kill("SIGSTOP");
      const { stderr, exitCode, stdout } = await rollback("--reason", "why").ended;
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
      expect(stderr).toContain(
        `the running director hangs: it did not stop within 5.2 s (switch 2, process ${running.child.pid} on `,
      );
      running.child.kill("SIGKILL");
      const { ran } = await moved(rollback("--reason", "why").ended);
      expect(ran.exitCode).toBe(0);
    });

    test("without a reason, or with one that is too long, changes nothing: exit 2", async () => {
      await promoted();
      expect((await directors.run("switch", directors.second)).code).toBe(0);
      const before = readFileSync(join(proxy.folder, "state.json"), "utf8");
      for (const args of [[], ["--reason", "  "], ["--reason", "x".repeat(201)]]) {
        const { exitCode, stdout, stderr } = await rollback(...args).ended;
        expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
        expect(stderr).toMatch(/^director: [^\n]*reason[^\n]*\n$/);
      }
      expect(readFileSync(join(proxy.folder, "state.json"), "utf8")).toBe(before);
    });

    test("uses what the proxy stored; without it a given spec, and without that it is refused", async () => {
      await promoted();
      expect((await directors.run("switch", directors.second)).code).toBe(0);
      rmSync(join(proxy.folder, "spec.json"));
      const refused = await rollback("--reason", "why").ended;
      expect({ code: refused.exitCode, said: refused.stderr }).toEqual({
        code: 3,
        said: expect.stringMatching(
          /^director: spec\.json is not in .*: deploy the base stack, which stores it\n$/,
        ),
      });
      const { ran } = await moved(rollback("--reason", "why", "--spec", encodeSpec(proxy.spec)).ended);
      expect(ran.exitCode).toBe(0);
    });

    function rewriteSpec(change: (spec: ProxyUnderTest["spec"]) => unknown): void {
      const file = join(proxy.folder, "spec.json");
      const spec = JSON.parse(readFileSync(file, "utf8")) as ProxyUnderTest["spec"];
      writeFileSync(file, JSON.stringify(change(spec)));
    }
  });
});
