/** A load that goes well: its counts against what the server saw, steps, versions, cookies and connections. */
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
  await until(() => application.seen.length >= 400);
  const totals = await load.stop();
  expect(application.connections).toBeLessThan(totals.sent / 4);
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
  await load.beginStep("held");
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
  await until(() => Object.keys(load.snapshot().lastSecond.versions).join() === "1.1.0-2");
  expect(load.snapshot().lastSecond.sent).toBeGreaterThan(150);
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
  const share = steady.filter((cookie) => cookie !== undefined).length / steady.length;
  expect(share).toBeGreaterThan(0.3);
  expect(share).toBeLessThan(0.7);
});
