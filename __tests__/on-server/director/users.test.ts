/**
 * A candidate that harms stable by starting gets no user, and what users got during a sequence is noted beside what they
 * got before: with real directors, real proxies, and users who ask all the time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { JournalEntry } from "../../../release/journal";
import type { ScheduleChoice } from "../../../release/schedule";
import { DirectorProcesses } from "./director-process";
import { describeWith, embedded, haproxy, nginx } from "./proxy-kinds";
import type { ProxyKind } from "./proxy-kinds";
import { Backend, ProxyUnderTest } from "./proxy-under-test";

const schedule: ScheduleChoice = {
  ...{ strategy: "canary", steps: [50, 100], stepSeconds: 1, bakeSeconds: 1, drainSeconds: 1 },
  analysis: { intervalSeconds: 1, minimumRequests: 5 },
};

/** What the last release left, an hour ago, of a site that fails by chance. The proxy has restarted since. */
const USUAL = { answers: 5_000, failed: 100, seconds: 250, latency: {} };

/** Some 20 requests a second of many users. */
function startUsers(proxy: ProxyUnderTest): () => Promise<void> {
  let ended = false;
  const pending = new Set<Promise<unknown>>();
  const asking = (async () => {
    for (let user = 0; !ended; user += 1) {
      const one = proxy
        .ask({ from: `127.0.1.${user % 200}` })
        .catch(() => undefined)
        .finally(() => pending.delete(one));
      pending.add(one);
      await sleep(50);
    }
  })();
  return async () => {
    ended = true;
    await asking;
    await Promise.all(pending);
  };
}

/** Answers every fifth request of a user with 500 while it is harmed, and one of fifty at all times. */
class HarmedBackend extends Backend {
  static harmed = false;
  private turn = 0;

  protected override async answer(...[asked, response]: Parameters<Backend["answer"]>): Promise<void> {
    const isUser = asked.url !== "/health";
    if (isUser) this.turn += 1;
    const fails = this.turn % 50 === 7 || (HarmedBackend.harmed && this.turn % 5 === 0);
    this.trouble = isUser && fails ? { status: 500 } : {};
    return super.answer(asked, response);
  }
}

type UsersEntry = Extract<JournalEntry, { event: "users" }>;

describe.each([embedded, haproxy, nginx])("$name", (kind: ProxyKind) => {
  describeWith(kind)("users of a site that fails by chance", () => {
    let proxy: ProxyUnderTest;
    let director: DirectorProcesses;
    let stopUsers: (() => Promise<void>) | undefined;
    beforeAll(async () => {
      proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new HarmedBackend(slot, port));
      director = new DirectorProcesses(proxy, schedule);
    });
    beforeEach(async () => {
      HarmedBackend.harmed = false;
      stopUsers = startUsers(proxy);
      await director.begin();
    });
    afterEach(() => stopUsers?.());
    afterAll(() => proxy.close());

    const users = (): readonly UsersEntry[] =>
      director.state.journal.filter((entry) => entry.event === "users");

    test("are counted from begin on, and before", async () => {
      const { watched } = director.state;
      expect(watched).toMatchObject({ sequence: 2, before: { answers: expect.any(Number) } });
      await sleep(2_000);
      expect(await director.run("switch", director.second)).toEqual({ code: 0, said: "" });
      const [entry, ...more] = users();
      expect(more).toEqual([]);
      expect(entry).toMatchObject({ worse: false, before: watched!.before });
      // What users got while the release was installed counts, although another process saw it.
      expect(entry!.answers).toBeGreaterThan(15 * entry!.seconds);
      expect(entry!.answers).toBeLessThan(21 * entry!.seconds);
      expect(entry!.seconds).toBeGreaterThan(4);
      const { usual, watched: after } = director.state;
      expect(after).toBeUndefined();
      expect(usual!.answers).toBeGreaterThan(20);
      expect(Object.keys(usual!.latency)).not.toEqual([]);
    });

    test.each([
      ["is installed", 1_000, /got more failed answers from when it was installed, between .*/],
      ["is verified", 600, /got more failed answers from when it was (installed|verified), .*/],
    ])("keep stable alone where it fails since the candidate %s", async (_, milliseconds, reason) => {
      await director.beginAgain(USUAL);
      expect(director.state.watched!.before!.age).toBeGreaterThan(3_000);
      await sleep(1_000);
      HarmedBackend.harmed = true;
      const since = Date.now();
      await sleep(milliseconds);
      const { code, said } = await director.run("switch", director.second);
      expect(Date.now() - since).toBeLessThan(6_500);
      expect(said).toMatch(reason);
      expect(said).toMatch(
        /: \d+ of \d+ \(\d+(\.\d+)? %, before \d+(\.\d+)? %\); 1\.0\.0-1 keeps all requests/,
      );
      expect(said).toContain("1.1.0-2 still runs in green and may still do harm. Next: `bluegreen abort`");
      expect(code).toBe(4);
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0 });
      expect(director.state.journal.filter(({ event }) => event === "traffic")).toEqual([]);
      expect(users()).toMatchObject([{ worse: true }]);
      // What a harmful candidate did is not what users usually get; and its artifact may be released again.
      expect(director.state).toMatchObject({ usual: { answers: 0 }, failedDigests: [] });
    });

    test("don't stop a release where they fail already when it begins", async () => {
      HarmedBackend.harmed = true;
      await sleep(500);
      await director.beginAgain(USUAL);
      const { before } = director.state.watched!;
      expect(before!.failed / before!.answers).toBeGreaterThan(0.1);
      await sleep(1_000);
      const { code } = await director.run("switch", director.second);
      expect(code).not.toBe(4);
      expect(director.state.journal.map(({ event }) => event)).toContain("verified");
    });

    test("are counted once, also where begin runs again", async () => {
      const { watched } = director.state;
      await sleep(500);
      expect(await director.run("begin", director.second)).toEqual({ code: 0, said: "" });
      expect(director.state.watched).toEqual(watched);
      expect(await director.run("abort", director.second)).toEqual({ code: 0, said: "" });
      expect(users()).toHaveLength(1);
      expect(await director.run("abort", director.second)).toEqual({ code: 0, said: "" });
      expect(users()).toHaveLength(1);
    });
  });
});
