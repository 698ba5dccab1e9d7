/** A load that meets failures: each is counted by kind, once, and none is hidden by a retry. */
import { Application, newLoad, plan, until } from "./application";
import type { Load } from "../../../cli/load/load";

let application: Application;
let load: Load;

beforeEach(async () => {
  application = await Application.listen();
  load = newLoad();
});

afterEach(async () => {
  await load.kill();
  await application.close();
});

test("a server that stalls for a second is still sent what is due, and all of it waited", async () => {
  await load.start(plan(application.origin, { rate: 200 }));
  await until(() => application.seen.length >= 50);
  await load.beginStep("stall");
  const waiting: (() => void)[] = [];
  const begin = Date.now();
  let arrivedInStall = 0;
  application.intercept = (_request, response, { method, path, title }) => {
    waiting.push(() => {
      if (method === "POST" && title !== undefined) {
        application.rows.set(title, title);
        application.reply(response, 201, { id: title });
      } else application.reply(response, 200, { path });
    });
    return true;
  };
  await until(() => Date.now() - begin >= 1000);
  arrivedInStall = waiting.length;
  application.intercept = () => false;
  for (const answer of waiting) answer();
  const stalledMs = Date.now() - begin;
  const after = application.seen.length;
  await until(() => application.seen.length >= after + 40);
  const step = await load.endStep();

  expect(arrivedInStall).toBeGreaterThan(170);
  expect(step.failed).toBe(0);
  expect(step.longestGapMs).toBeGreaterThan(900);
  expect(step.longestGapMs).toBeLessThan(stalledMs + 300);
  expect(step.latencyMs.max).toBeGreaterThan(900);
  // Due evenly through the stall: the middle one waited for half of it.
  expect(step.latencyMs.p50).toBeGreaterThan(250);
  const totals = await load.stop();
  expect(totals).toMatchObject({ failed: 0, missing: [] });
  expect(totals.acknowledged).toBe(totals.found);
});

test("waiting for one of too few connections counts as latency", async () => {
  await load.start(plan(application.origin, { rate: 100, connections: 1 }));
  await load.beginStep("one connection");
  let release: (() => void) | undefined;
  application.intercept = (_request, response, { method, path, title }) => {
    application.intercept = () => false;
    release = () => application.reply(response, method === "POST" ? 201 : 200, { id: title, path });
    return true;
  };
  await until(() => release !== undefined);
  const begin = Date.now();
  await until(() => Date.now() - begin >= 500);
  release?.();
  const before = application.seen.length;
  await until(() => application.seen.length >= before + 60);
  const step = await load.endStep();
  expect(application.connections).toBe(1);
  expect(step.failed).toBe(0);
  expect(step.latencyMs.max).toBeGreaterThan(450);
  expect(step.latencyMs.p95).toBeGreaterThan(300);
});

test("reset connections fail once each, and are not tried again", async () => {
  let resets = 0;
  application.intercept = (request) => {
    if (application.seen.length % 10 !== 0) return false;
    resets += 1;
    request.socket.resetAndDestroy();
    return true;
  };
  await load.start(plan(application.origin));
  await until(() => resets >= 20);
  const totals = await load.stop();

  expect(totals.sent).toBe(application.load.length);
  expect(totals.failures).toEqual({ "connection ECONNRESET": totals.failed });
  const lookedFor = application.seen.length - application.load.length;
  expect(totals.failed).toBe(application.load.filter((_, index) => (index + 1) % 10 === 0).length);
  expect(lookedFor).toBeGreaterThanOrEqual(totals.acknowledged);
  const titles = application.posts.map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
  expect(totals.missing).toEqual([]);
  expect(totals.failedRequests[0]).toEqual({
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    step: null,
    method: expect.stringMatching(/^(GET|POST)$/),
    path: expect.stringMatching(/^\//),
    kind: "connection ECONNRESET",
    status: null,
    code: "ECONNRESET",
    releaseId: null,
  });
});

test("a connection that is closed in the middle of an answer fails", async () => {
  application.intercept = (_request, response) => {
    response.writeHead(200, { "x-release-id": "1.0.0-1", "content-length": "1000" });
    response.write("half", () => response.destroy());
    return true;
  };
  await load.start(plan(application.origin, { postShare: 0 }));
  await until(() => application.seen.length >= 20);
  const totals = await load.stop();
  expect(totals.failed).toBe(totals.sent);
  expect(Object.keys(totals.failures).every((kind) => kind.startsWith("connection "))).toBe(true);
});

test("nobody listening is counted, not a reason to stop", async () => {
  const { origin } = application;
  await application.close();
  await load.start(plan(origin));
  await load.beginStep("down");
  await until(() => load.snapshot().failed >= 100);
  const step = await load.endStep();
  expect(step.failures).toEqual({ "connection ECONNREFUSED": step.sent });
  expect(step.longestGapMs).toBe(step.durationMs);
  expect(step.latencyMs.max).toBe(0);
  expect(await load.stop()).toMatchObject({ acknowledged: 0, found: 0, missing: [] });
  application = await Application.listen();
});

test("a wrong status is a bad answer of the release that gave it; a redirect is not followed", async () => {
  application.intercept = (_request, response, { path }) => {
    if (path === "/moved") {
      response.writeHead(302, { location: "/elsewhere", "x-release-id": "1.1.0-2" }).end();
      return true;
    }
    if (path === "/broken") {
      response.writeHead(500, { "x-release-id": "1.1.0-2" }).end();
      return true;
    }
    if (path === "/proxy") {
      response.writeHead(503).end("no server is available");
      return true;
    }
    return false;
  };
  const gets = ["/moved", "/broken", "/proxy", "/"].map((path) => ({ path }));
  await load.start(plan(application.origin, { gets }));
  await load.beginStep("bad release");
  await until(() => application.seen.length >= 200);
  const step = await load.endStep();
  await load.stop();

  const {
    "status 302": moved = 0,
    "status 500": broken = 0,
    "status 503": proxy = 0,
    ...others
  } = step.failures;
  expect([moved > 0, broken > 0, proxy > 0, others]).toEqual([true, true, true, {}]);
  expect(step.failed).toBe(moved + broken + proxy);
  expect(step.badAnswers).toEqual({ "1.1.0-2": moved + broken, unknown: proxy });
  expect(step.versions).toEqual({ "1.0.0-1": step.sent - step.failed, "1.1.0-2": moved + broken });
  expect(application.seen.some(({ path }) => path === "/elsewhere")).toBe(false);
});

test("an answer without a release id, with a malformed one, or with another text fails", async () => {
  application.intercept = (_request, response, { path }) => {
    if (path === "/nameless") response.writeHead(200).end("Welcome");
    else if (path === "/malformed") response.writeHead(200, { "x-release-id": "a, b" }).end("Welcome");
    else if (path === "/other") response.writeHead(200, { "x-release-id": "1.0.0-1" }).end("It works!");
    else response.writeHead(200, { "x-release-id": "1.0.0-1" }).end("Welcome");
    return true;
  };
  const gets = ["/nameless", "/malformed", "/other", "/"].map((path) => ({ path, bodyIncludes: "Welcome" }));
  await load.start(plan(application.origin, { gets, postShare: 0 }));
  await until(() => application.seen.length >= 100);
  const totals = await load.stop();
  const seen = (path: string): number => application.seen.filter((request) => request.path === path).length;
  expect(totals.failures).toEqual({
    "release id missing": seen("/nameless"),
    "release id malformed": seen("/malformed"),
    body: seen("/other"),
  });
  expect(totals.badAnswers).toEqual({
    unknown: seen("/nameless") + seen("/malformed"),
    "1.0.0-1": seen("/other"),
  });
});

test("a POST that is answered 201 without an id is not acknowledged, and fails", async () => {
  application.intercept = (_request, response) => {
    response.writeHead(201, { "x-release-id": "1.0.0-1" }).end("<html>");
    return true;
  };
  await load.start(plan(application.origin, { postShare: 1 }));
  await until(() => application.seen.length >= 20);
  const totals = await load.stop();
  expect(totals).toMatchObject({ failures: { body: totals.sent }, acknowledged: 0, found: 0 });
});

test("an acknowledged POST that is gone is missing, and so is one whose id another row has now", async () => {
  await load.start(plan(application.origin));
  await until(() => application.posts.length >= 30);
  application.intercept = (_request, response, { path }) => {
    if (path === "/api/goals/7") application.reply(response, 404, {});
    else if (path === "/api/goals/9") application.reply(response, 200, { id: "9", title: "seed row" });
    else return false;
    return true;
  };
  const totals = await load.stop();
  expect(totals).toMatchObject({ failed: 0, missing: ["7", "9"], found: totals.acknowledged - 2 });
  expect(totals.acknowledged).toBe(application.posts.length);
});

test("a database that was lost is missed row for row, of which 20 are named", async () => {
  await load.start(plan(application.origin));
  await until(() => application.posts.length >= 30);
  application.intercept = (_request, _response, { path }) => {
    if (path.startsWith("/api/goals/")) application.rows.clear();
    return false;
  };
  const totals = await load.stop();
  expect(totals.found).toBe(0);
  expect(totals.acknowledged).toBeGreaterThanOrEqual(30);
  expect(totals.missing).toHaveLength(20);
});

test("a POST whose answer was lost is not acknowledged, even if the row is there", async () => {
  let lost = 0;
  application.intercept = (request, _response, { method, title }) => {
    if (method !== "POST" || title === undefined || lost >= 3) return false;
    lost += 1;
    application.rows.set(`unanswered-${lost}`, title);
    request.socket.resetAndDestroy();
    return true;
  };
  await load.start(plan(application.origin));
  await until(() => application.posts.length >= 20);
  const totals = await load.stop();
  expect(totals.failures).toEqual({ "connection ECONNRESET": 3 });
  expect(totals.acknowledged).toBe(application.posts.length - 3);
  expect(totals.found).toBe(totals.acknowledged);
});

test("a request without an answer within the time limit fails, and does not hold up the end of its step", async () => {
  await load.start(plan(application.origin, { timeLimitMs: 300 }));
  await until(() => application.seen.length >= 50);
  await load.beginStep("hung");
  const begun = application.seen.length;
  await until(() => application.seen.length >= begun + 10);
  application.intercept = () => true;
  const before = application.seen.length;
  await until(() => application.seen.length >= before + 50);
  const step = await load.endStep();
  expect(step.failed).toBeGreaterThan(10);
  expect(step.failures).toEqual({ "time limit": step.failed });
  expect(step.latencyMs.max).toBeGreaterThanOrEqual(300);
  expect(step.latencyMs.max).toBeLessThan(1000);
});

test("what becomes due above the in-flight cap is not sent, and has failed", async () => {
  application.intercept = () => true;
  await load.start(plan(application.origin, { inFlightCap: 10, timeLimitMs: 60_000 }));
  await load.beginStep("hung");
  await until(() => load.snapshot().failed >= 100);
  expect(load.snapshot().inFlight).toBe(10);
  expect(application.seen).toHaveLength(10);
});

test("the first 200 failures are kept in detail, with their step; all are counted", async () => {
  application.intercept = (_request, response) => {
    application.reply(response, 500, {});
    return true;
  };
  await load.start(plan(application.origin, { rate: 500 }));
  await load.beginStep("broken");
  await until(() => application.seen.length >= 300);
  const totals = await load.stop();
  expect(totals.failed).toBe(totals.sent);
  expect(totals.failedRequests).toHaveLength(200);
  expect(totals.failedRequests.at(-1)).toMatchObject({
    step: "broken",
    kind: "status 500",
    status: 500,
    code: null,
    releaseId: "1.0.0-1",
  });
});
