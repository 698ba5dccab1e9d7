/** How a candidate under traffic is judged, on a site whose users, latencies and errors are given. */
import { NOTHING } from "../../../on-server/director/analysis";
import { Director } from "../../../on-server/director/director";
import { latencyClass } from "../../../on-server/director/drivers/driver";
import type { Driver } from "../../../on-server/director/drivers/driver";
import { ALL_MEASURED, LatencySampling } from "../../../on-server/director/drivers/haproxy/latency-sampling";
import { NEVER_LIVE } from "../../../on-server/director/state";
import { CandidateWatch } from "../../../on-server/director/watch";
import type { Analysis } from "../../../release/schedule";
import { Strategy } from "../../../release/schedule";
import type { Slot } from "../../../release/slot";
import { proxySpec } from "./proxy-under-test";

const INTERVAL = 2;

/** Green is the candidate. */
class Site {
  now = 1_700_000_000_000;
  readonly start = this.now;
  perSecond: Record<Slot, number> = { blue: 95, green: 5 };
  badRatio: Record<Slot, number> = { blue: 0, green: 0 };
  milliseconds: Record<Slot, number> = { blue: 20, green: 20 };
  /** What happens at a moment, in seconds from the start. */
  turn: { readonly at: number; readonly what: () => void } | null = null;
  /** What the director's own requests get. */
  own = { problem: "", milliseconds: 3 };
  ownRequests: Record<Slot, number> = { blue: 0, green: 0 };
  /** As HAProxy's driver does it. */
  readonly sampling = new LatencySampling({ minimumRequests: 20, intervalSeconds: INTERVAL });
  readonly events: Readonly<Record<string, unknown>>[] = [];
  /** Users who come from many addresses, and one who asks the candidate for a URL that fails in both releases. */
  clients: { readonly addresses: number; badPerSecond: number } | null = null;
  private bad = 0;
  private readonly counted = {
    blue: { requests: 0, errors: 0, latency: {} as Record<number, number> },
    green: { requests: 0, errors: 0, latency: {} as Record<number, number> },
  };

  watch(analysis: Partial<Analysis> = {}): CandidateWatch {
    const spec = {
      ...proxySpec({ driver: "embedded", topology: "split", servers: 2 }),
      schedule: Strategy.canary({ analysis: { intervalSeconds: INTERVAL, ...analysis } }),
    };
    const own = (slot: Slot) => {
      this.ownRequests[slot] += 1;
      const answer = slot === "green" ? this.own : { ...this.own, problem: "" };
      return { ...answer, healthy: answer.problem === "", releaseId: "1.1.0-2" };
    };
    const director = new Director({
      spec,
      driver: { counts: async () => this.counts() } as unknown as Driver,
      probe: async ({ server }) => own(server === "web-1" ? "blue" : "green"),
      attempt: async () => this.own,
      look: async () => ({ status: 200, kind: "text/html", isEmpty: false, problem: "" }),
      store: { load: () => NEVER_LIVE, save: () => undefined },
      clock: { now: () => this.now, sleep: async (milliseconds) => this.advance(milliseconds) },
      interruption: { check: () => undefined },
      logEvent: (event, facts = {}) => void this.events.push({ event, ...facts }),
    });
    return new CandidateWatch(director, "green", "1.1.0-2", NOTHING);
  }

  /** Watches for so many seconds. @returns how long it took, and how it ended. */
  async judge(seconds: number, analysis: Partial<Analysis> = {}) {
    const verdict = await this.watch(analysis).until(this.start + 1000 * seconds);
    return { ...verdict, seconds: (this.now - this.start) / 1000 };
  }

  private counts() {
    const slot = (each: Slot) => {
      const { requests, errors, latency } = this.counted[each];
      const floored = Object.entries(latency).map(([key, count]) => [key, Math.floor(count)]);
      const latencies = Object.fromEntries(floored) as Record<number, number>;
      const bad = each === "green" ? Math.floor(this.bad) : 0;
      const clients = this.clients && this.countedBy(this.clients.addresses, requests, errors);
      if (bad > 0) Object.assign(clients!, { "127.9.9.9|7": { requests: bad, errors: bad, latency: {} } });
      return {
        requests: Math.floor(requests) + bad,
        errors: Math.floor(errors) + bad,
        ...(clients && { clients }),
        latency: latencies,
        inFlight: 0,
        endpoints: [],
      };
    };
    const counts = { blue: slot("blue"), green: slot("green") };
    this.sampling.follow(this.now, counts.blue.requests + counts.green.requests);
    return counts;
  }

  /** The slot's answers, one after the other to each address. */
  private countedBy(addresses: number, requests: number, errors: number) {
    const share = (all: number, index: number) => Math.floor((Math.floor(all) + index) / addresses);
    const client = (index: number) => ({
      requests: share(requests, index),
      errors: share(errors, index),
      latency: {},
    });
    return Object.fromEntries(
      Array.from({ length: addresses }, (_, index) => [`127.0.1.${index}|${index % 100}`, client(index)]),
    );
  }

  private advance(milliseconds: number): void {
    this.now += milliseconds;
    this.bad += ((this.clients?.badPerSecond ?? 0) * milliseconds) / 1000;
    if (this.turn !== null && this.now >= this.start + 1000 * this.turn.at) this.turn.what();
    for (const slot of ["blue", "green"] as const) {
      const more = (this.perSecond[slot] * milliseconds) / 1000;
      const { latency } = this.counted[slot];
      const key = latencyClass(this.milliseconds[slot]);
      this.counted[slot].requests += more;
      this.counted[slot].errors += more * this.badRatio[slot];
      latency[key] = (latency[key] ?? 0) + (more * this.sampling.buckets) / ALL_MEASURED;
    }
  }
}

test("a good candidate passes when its time is over", async () => {
  expect(await new Site().judge(10)).toEqual({ passed: true, seconds: 10 });
});

test.each<[string, (site: Site) => void]>([
  ["answers with errors", (site) => (site.badRatio.green = 0.5)],
  ["answers with errors now and then", (site) => (site.badRatio.green = 0.15)],
  ["becomes slow", (site) => (site.milliseconds.green = 500)],
  ["goes away", (site) => (site.own = { problem: "ECONNREFUSED", milliseconds: 0 })],
])("a candidate with 5 per cent that %s is taken back within two intervals", async (_, turnsBad) => {
  for (const at of [10, 10.3, 11, 11.7, 12]) {
    const site = new Site();
    site.perSecond = { blue: 190, green: 10 };
    site.turn = { at, what: () => turnsBad(site) };
    const { passed, seconds } = await site.judge(60, { minimumRequests: 10 });
    expect(passed).toBe(false);
    expect(seconds).toBeGreaterThanOrEqual(at);
    expect(seconds).toBeLessThanOrEqual(at + 2 * INTERVAL);
  }
});

test("one visitor's failing URL is no reason, and the report has the number of its failures", async () => {
  const site = new Site();
  site.clients = { addresses: 40, badPerSecond: 0 };
  // Stable's users are known by then.
  site.turn = { at: 1, what: () => (site.clients!.badPerSecond = 8) };
  expect(await site.judge(20)).toEqual({ passed: true, seconds: 20 });
  expect(site.events.at(-1)).toMatchObject({ event: "analysis", verdict: "pass" });
  expect(site.events.at(-1)!["leftOut"]).toBeGreaterThan(100);
  expect(JSON.stringify(site.events)).not.toContain("127.");
});

test("a bad candidate is rolled back as fast beside such a visitor", async () => {
  for (const badPerSecond of [0, 8, 200]) {
    const site = new Site();
    site.clients = { addresses: 40, badPerSecond };
    site.perSecond = { blue: 190, green: 10 };
    site.turn = { at: 10, what: () => (site.badRatio.green = 0.5) };
    const { passed, seconds, ...verdict } = await site.judge(60, { minimumRequests: 10 });
    expect(passed).toBe(false);
    expect(seconds).toBeGreaterThanOrEqual(10);
    expect(seconds).toBeLessThanOrEqual(10 + 2 * INTERVAL);
    expect(JSON.stringify([verdict, site.events])).not.toContain("127.");
  }
});

test("the reason and the figures say why", async () => {
  const site = new Site();
  site.badRatio.green = 1;
  const verdict = await site.judge(60);
  expect(verdict).toMatchObject({
    reason: "1.1.0-2: all of its 3 answers failed",
  });
  expect(site.events.at(-1)).toMatchObject({
    event: "analysis",
    verdict: "fail",
    candidate: { errors: 3, p95Ms: 20 },
    stable: { errors: 0, p95Ms: 20 },
  });
});

test("a candidate that is no worse than a bad stable passes", async () => {
  const site = new Site();
  site.badRatio = { blue: 0.3, green: 0.3 };
  site.milliseconds = { blue: 900, green: 900 };
  expect(await site.judge(20)).toMatchObject({ passed: true });
});

test("one slow moment is not enough", async () => {
  const site = new Site();
  site.turn = { at: 5, what: () => (site.milliseconds.green = site.now < site.start + 5_500 ? 500 : 20) };
  expect(await site.judge(20, { minimumRequests: 50 })).toMatchObject({ passed: true });
});

test("a candidate that goes away just before the time is over does not pass", async () => {
  const site = new Site();
  site.turn = { at: 9.8, what: () => (site.own = { problem: "ECONNREFUSED", milliseconds: 0 }) };
  const { passed, seconds } = await site.judge(10);
  expect(passed).toBe(false);
  expect(seconds).toBeLessThanOrEqual(11);
});

test("one answer that fails at the end is asked again, and then passes", async () => {
  const site = new Site();
  const problem = () => (site.now < site.start + 10_100 ? "no answer in time" : "");
  site.turn = { at: 9.9, what: () => (site.own = { problem: problem(), milliseconds: 3 }) };
  expect(await site.judge(10)).toMatchObject({ passed: true, seconds: 10.25 });
});

test("on a quiet site the director asks by itself, of stable as well", async () => {
  const site = new Site();
  site.perSecond = { blue: 0, green: 0 };
  expect(await site.judge(10)).toMatchObject({ passed: true, seconds: 10 });
  expect(site.ownRequests.green).toBeGreaterThanOrEqual(20);
  expect(site.ownRequests.blue).toBeGreaterThanOrEqual(20);
});

test("a step without time lasts until there were enough answers", async () => {
  const site = new Site();
  site.perSecond = { blue: 0, green: 0 };
  const verdict = await site.judge(0);
  expect(verdict.passed).toBe(true);
  expect(site.ownRequests.green).toBe(20);
});

test("too few answers are no success, however long it takes", async () => {
  const site = new Site();
  site.perSecond = { blue: 0, green: 0 };
  const verdict = await site.judge(1, { minimumRequests: 100_000 });
  expect(verdict).toMatchObject({
    passed: false,
    reason: expect.stringMatching(/only \d+ answers, minimumRequests is 100000/) as string,
  });
});

test("at 100 per cent the candidate is compared with what stable was like before", async () => {
  const site = new Site();
  const watch = site.watch();
  site.perSecond = { blue: 50, green: 50 };
  expect(await watch.until(site.start + 10_000)).toEqual({ passed: true });
  site.perSecond = { blue: 0, green: 100 };
  site.milliseconds.green = 400;
  expect(await watch.until(site.start + 60_000)).toMatchObject({
    passed: false,
    reason: expect.stringContaining("stable's was 20 ms") as string,
  });
});

test.each([
  ["a usual site", { blue: 85, green: 15 }, 50],
  ["a busy one", { blue: 900, green: 100 }, 10],
  ["a very busy one", { blue: 27_000, green: 3_000 }, 2],
])("on %s as many answers are measured as a judgement needs", async (_, perSecond, expected) => {
  const site = new Site();
  site.perSecond = perSecond;
  expect(await site.judge(10)).toMatchObject({ passed: true });
  expect(site.sampling.buckets).toBe(expected);
  site.milliseconds.green = 500;
  expect(await site.judge(30)).toMatchObject({ passed: false });
});

test("where users go away, more of their answers are measured again", async () => {
  const site = new Site();
  site.perSecond = { blue: 27_000, green: 3_000 };
  site.turn = { at: 5, what: () => (site.perSecond = { blue: 90, green: 10 }) };
  expect(await site.judge(12)).toMatchObject({ passed: true });
  expect(site.sampling.buckets).toBe(50);
});
