/** A load that goes well: its counts against what the server saw, steps, versions, cookies and connections. */
import { Application, newLoad, plan, until } from "./application";
import type { Load } from "../../../cli/load/load";
import { TimelinePoint } from "../../../release/receipt";

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

test("counts exactly what the server saw, and finds every acknowledged POST", async () => {
  await load.start(plan(application.origin));
  await until(() => application.seen.length >= 400);
  const totals = await load.stop();

  expect(totals).toMatchObject({ failed: 0, failures: {}, badAnswers: {}, missing: [], failedRequests: [] });
  expect(totals.sent).toBe(application.load.length);
  expect(totals.versions).toEqual({ "1.0.0-1": totals.sent });
  expect(totals.acknowledged).toBe(application.posts.length);
  expect(totals.found).toBe(application.rows.size);
  expect(totals.acknowledged).toBe(totals.found);
  expect(totals.acknowledged / totals.sent).toBeGreaterThan(0.1);
  expect(totals.acknowledged / totals.sent).toBeLessThan(0.3);
});

test("arrives at the rate of the plan", async () => {
  await load.start(plan(application.origin, { rate: 300 }));
  await load.beginStep("idle");
  const before = application.seen.length;
  await until(() => application.seen.length >= before + 450);
  const step = await load.endStep();
  expect(step.sent / (step.durationMs / 1000)).toBeGreaterThan(295);
  expect(step.sent / (step.durationMs / 1000)).toBeLessThan(305);
});

test("keeps few connections and uses them again", async () => {
  await load.start(plan(application.origin));
  // Where this machine stands still for a moment, many requests are due at once, each over a connection of its own.
  await until(() => application.seen.length >= 400 && application.connections < application.seen.length / 4);
  expect(application.connections).toBeLessThan((await load.stop()).sent / 4);
});

test("sends every POST once, each with a marker of its own", async () => {
  await load.start(plan(application.origin, { postShare: 1 }));
  await until(() => application.posts.length >= 200);
  const totals = await load.stop();
  expect(new Set(application.posts.map(({ title }) => title)).size).toBe(application.posts.length);
  expect(totals.sent).toBe(application.posts.length);
});

test("a request belongs to the step in which it was due, however late its answer", async () => {
  const held: (() => void)[] = [];
  await load.start(plan(application.origin, { rate: 100 }));
  await until(() => application.seen.length >= 50);
  await load.beginStep("paused");
  const begun = application.seen.length;
  await until(() => application.seen.length >= begun + 10);
  application.intercept = (_request, response, { method, title, path }) => {
    if (held.length >= 20) return false;
    held.push(() => {
      application.release = "late-0";
      if (method === "POST" && title !== undefined) {
        application.rows.set(`late-${title}`, title);
        application.reply(response, 201, { id: `late-${title}` });
      } else application.reply(response, 200, { path });
      application.release = "2.0.0-2";
    });
    return true;
  };
  await until(() => held.length === 20);

  const ending = load.endStep();
  await load.beginStep("next");
  application.release = "2.0.0-2";
  let hasEnded = false;
  void ending.then(() => (hasEnded = true));
  const arrived = application.seen.length;
  await until(() => application.seen.length >= arrived + 50);
  expect(hasEnded).toBe(false);
  for (const answer of held) answer();

  const first = await ending;
  const second = await load.endStep();
  const totals = await load.stop();
  expect(first.versions["late-0"]).toBe(20);
  expect(second.versions).toEqual({ "2.0.0-2": second.sent });
  expect(first.durationMs).toBeLessThan(first.latencyMs.max + 1000);
  expect(totals).toMatchObject({ failed: 0, acknowledged: totals.found });
  expect(totals.sent).toBe(application.load.length);
});

test("steps one after another count every request once", async () => {
  await load.start(plan(application.origin));
  const steps = [];
  for (const name of ["a", "b", "c", "d"]) {
    await load.beginStep(name);
    application.release = name;
    const before = application.seen.length;
    await until(() => application.seen.length >= before + 40);
    steps.push(load.endStep());
  }
  const counts = await Promise.all(steps);
  const totals = await load.stop();
  const inSteps = counts.reduce((sum, { sent }) => sum + sent, 0);
  expect(inSteps).toBeLessThanOrEqual(totals.sent);
  // Between an end and the next begin there is one message: hardly time for more than a few requests.
  expect(inSteps).toBeGreaterThan(totals.sent - 60);
  for (const step of counts) {
    expect(Object.values(step.versions).reduce((sum, count) => sum + count, 0)).toBe(step.sent);
  }
});

test("versions are counted as they change", async () => {
  await load.start(plan(application.origin));
  await load.beginStep("shift");
  await until(() => application.seen.length >= 100);
  application.release = "1.1.0-2";
  const atShift = application.seen.length;
  await until(() => application.seen.length >= atShift + 100);
  const step = await load.endStep();
  expect(Object.keys(step.versions)).toEqual(["1.0.0-1", "1.1.0-2"]);
  expect(step.versions["1.1.0-2"]).toBeGreaterThanOrEqual(100);
  await until(() => Object.keys(load.snapshot().lastSecond?.versions ?? {}).join() === "1.1.0-2");
  expect(load.snapshot().lastSecond?.sent).toBeGreaterThan(150);
  expect(load.snapshot()).toMatchObject({ failed: 0, lastSecond: { failed: 0 } });
});

test("half of the users keep the cookie that the first answer gave them", async () => {
  let given = 0;
  application.intercept = (_request, response, { cookie }) => {
    if (cookie === undefined) response.setHeader("set-cookie", `bucket=${(given += 1)}; Path=/; HttpOnly`);
    return false;
  };
  // No more than one at a time, so that a user's first answer is there before its second request.
  await load.start(plan(application.origin, { users: 10, rate: 100 }));
  await until(() => application.seen.length >= 300);
  await load.stop();

  const cookies = application.load.map(({ cookie }) => cookie);
  const steady = cookies.slice(100);
  const distinct = new Set(steady.filter((cookie) => cookie !== undefined));
  expect(distinct.size).toBe(5);
  const weight = steady.filter((cookie) => cookie !== undefined).length / steady.length;
  expect(weight).toBeGreaterThan(0.3);
  expect(weight).toBeLessThan(0.7);
});

test("a plan without POSTs only reads", async () => {
  const { post: _post, find: _find, ...readsOnly } = plan(application.origin);
  await load.start(readsOnly);
  await until(() => application.seen.length >= 100);
  expect(await load.stop()).toMatchObject({ failed: 0, acknowledged: 0, found: 0, missing: [] });
  expect(application.posts).toEqual([]);
});

test("an application that names no release is measured without versions", async () => {
  application.intercept = (_request, response, { method }) => {
    response.writeHead(method === "POST" ? 201 : 200).end(`{"id":"1"}`);
    return true;
  };
  await load.start(plan(application.origin, { releaseHeader: null, postShare: 0 }));
  await until(() => application.seen.length >= 50);
  expect(await load.stop()).toMatchObject({ failed: 0, versions: {}, badAnswers: {} });
});

test("a header of its name is not looked at where the plan names none", async () => {
  await load.start(plan(application.origin, { releaseHeader: null, postShare: 0 }));
  await until(() => application.seen.length >= 50);
  expect(await load.stop()).toMatchObject({ failed: 0, versions: {} });
});

test("headers of the plan are sent with every request, a fixed Host among them", async () => {
  const hosts = new Set<unknown>();
  application.intercept = (request) => {
    hosts.add([request.headers.host, request.headers["x-probe"], request.headers["user-agent"]].join(" "));
    return false;
  };
  await load.start(plan(application.origin, { headers: { Host: "shop.example.com", "X-Probe": "yes" } }));
  await until(() => application.posts.length >= 10);
  expect(await load.stop()).toMatchObject({ failed: 0, missing: [] });
  expect([...hosts]).toEqual(["shop.example.com yes bluegreen-load"]);
});

test("the timeline tells every second of the load, and adds up to its totals", async () => {
  await load.start(plan(application.origin));
  await until(() => application.seen.length >= 250);
  application.release = "1.1.0-2";
  await until(() => Object.keys(load.snapshot().lastSecond?.versions ?? {}).join() === "1.1.0-2");
  const totals = await load.stop();
  const timeline = load.timeline();

  const sum = (of: (point: TimelinePoint) => number): number =>
    timeline.reduce((total, point) => total + of(point), 0);
  expect(sum(({ sent }) => sent)).toBe(totals.sent);
  expect(sum(({ versions }) => versions["1.0.0-1"] ?? 0)).toBe(totals.versions["1.0.0-1"]);
  expect(sum(({ versions }) => versions["1.1.0-2"] ?? 0)).toBe(totals.versions["1.1.0-2"]);
  expect(Math.max(...timeline.map(({ latencyMs }) => latencyMs.max))).toBe(totals.latencyMs.max);
  expect(sum(({ seconds }) => seconds) * 1000).toBeGreaterThanOrEqual(totals.durationMs - 1);
  for (const [index, point] of timeline.entries()) {
    expect(TimelinePoint.safeParse(point).error).toBeUndefined();
    const next = timeline[index + 1];
    if (next === undefined) continue;
    // Without holes: each begins where the one before ended.
    expect(Math.abs(Date.parse(point.at) + point.seconds * 1000 - Date.parse(next.at))).toBeLessThan(3);
  }
});

test("a period without answers is a point with requests and without answers", async () => {
  await load.start(plan(application.origin, { timeLimitMs: 20_000 }));
  await until(() => application.seen.length >= 50);
  const waiting: (() => void)[] = [];
  application.intercept = (_request, response, { method, title, path }) => {
    waiting.push(() => application.reply(response, method === "POST" ? 201 : 200, { id: title, path }));
    return true;
  };
  const silent = ({ sent, versions, latencyMs }: TimelinePoint): boolean =>
    sent > 0 && Object.keys(versions).length === 0 && latencyMs.max === 0;
  await until(() => load.timeline().some(silent));
  application.intercept = () => false;
  for (const answer of waiting) answer();
  const totals = await load.stop();
  expect(load.timeline().filter(silent)[0]).toMatchObject({ failed: 0, sent: expect.any(Number) });
  expect(totals.failed).toBe(0);
});
