/**
 * The users of a form, sent to the real sample application: with sessions in the memory of two processes, and something in
 * front that chooses one of them for each request.
 */
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { socialGoalPlan } from "../../../cli/load/socialgoal-plan";
import type { LoadPlanInput } from "../../../cli/load/plan";
import type { Load } from "../../../cli/load/load";
import { endSites, startSite, unpackedRelease } from "../../examples/socialgoal-site";
import type { Site } from "../../examples/socialgoal-site";
import { newLoad, until } from "./application";

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Passes each request to the instance that `choose` names; null: the test answers itself. */
class Front {
  asked = 0;
  readonly addresses = new Set<unknown>();
  choose: (asked: Asked) => Site | null = () => null;
  private readonly server: Server = createServer((request, response) => this.pass({ request, response }));

  listen(): Promise<void> {
    return new Promise((done) => this.server.listen(0, "127.0.0.1", done));
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private pass(asked: Asked): void {
    const { request: incoming, response } = asked;
    this.asked += 1;
    this.addresses.add(incoming.headers["x-forwarded-for"]);
    const site = this.choose(asked);
    if (site === null) return;
    const { method, url: path, headers } = incoming;
    const outgoing = request({ port: site.port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  }
}

let workplace: string;
let instances: readonly [Site, Site];
let front: Front;
let load: Load;

beforeAll(() => void (workplace = mkdtempSync(join(tmpdir(), "bluegreen-forms-"))));
beforeEach(async () => {
  const releaseFolder = await unpackedRelease(workplace, "1.0.0");
  const dataFolder = mkdtempSync(join(workplace, "data-"));
  mkdirSync(join(dataFolder, "goals"));
  const start = (release: string) =>
    startSite(releaseFolder, { DATA_FOLDER: dataFolder, BLUEGREEN_RELEASE_ID: release });
  instances = await Promise.all([start("1.0.0-1"), start("1.0.0-2")]);
  front = new Front();
  await front.listen();
  load = newLoad();
});
afterEach(async () => {
  await load.kill();
  front.close();
  await endSites();
});
afterAll(() => rmSync(workplace, { recursive: true }));

/** Users who think for a fifth of a second. */
function quick(rate = 100): LoadPlanInput {
  const plan = socialGoalPlan(front.origin, rate);
  return { ...plan, form: { ...plan.form!, thinkSeconds: 0.2 } };
}

const requests = async (count: number): Promise<void> => {
  const enough = front.asked + count;
  await until(() => front.asked >= enough);
};

test("with one instance no session is lost, and all that was filled in is found", async () => {
  front.choose = () => instances[0];
  await load.start(quick());
  await load.beginStep("rest");
  await requests(500);
  const { sent, durationMs, sessions } = await load.endStep();
  const totals = await load.stop();
  expect(totals).toMatchObject({ failed: 0, failures: {}, missing: [] });
  expect(totals.sessions!.lost).toBe(0);
  expect(totals.sessions!.completed).toBeGreaterThan(20);
  expect(totals.sessions!.begun).toBeLessThanOrEqual(totals.sessions!.completed + 9);
  expect(sessions!.completed).toBeLessThanOrEqual(totals.sessions!.completed);
  // The requests of forms are part of the rate, but for one of each user at the end of a step.
  expect(sent / (durationMs / 1000)).toBeLessThan(105);
  // 20 of 100 requests post a goal, and each form saves one.
  expect(totals.acknowledged).toBe(totals.found);
  expect(totals.acknowledged).toBeGreaterThan(totals.sessions!.completed + 40);
  // Users come and go, each from an address of its own.
  expect(front.addresses.size).toBeGreaterThan(totals.sessions!.begun);
});

test("if each request may meet another instance, sessions are lost: its own figure, no failed request", async () => {
  front.choose = () => instances[front.asked % 2]!;
  await load.start(quick());
  await requests(500);
  const totals = await load.stop();
  expect(totals).toMatchObject({ failed: 0, failures: {}, missing: [], badAnswers: {} });
  expect(totals.sessions!.lost).toBeGreaterThan(20);
  expect(totals.sessions!.lost).toBeGreaterThan(2 * totals.sessions!.completed);
});

test("sessions that a switch costs are counted in the step of the switch, also by users who still think", async () => {
  front.choose = () => instances[0];
  const plan = quick();
  await load.start({ ...plan, form: { ...plan.form!, thinkSeconds: 3 } });
  await load.beginStep("before");
  await until(() => front.asked >= 600);
  const before = await load.endStep();
  await load.beginStep("switch");
  front.choose = () => instances[1];
  // What the other instance was asked before is answered by then.
  await requests(60);
  const at = await load.endStep();
  await load.beginStep("after");
  await requests(300);
  const steps = [before, at, await load.endStep()];
  expect(steps.map(({ failed }) => failed)).toEqual([0, 0, 0]);
  const [first, second, third] = steps.map(({ sessions }) => sessions!.lost);
  expect([first, third]).toEqual([0, 0]);
  // Nine users, and not all of them are past the title.
  expect(second).toBeGreaterThan(0);
  expect(second).toBeLessThanOrEqual(9);
  expect((await load.stop()).sessions!.lost).toBe(second);
});

test("sessions that end with the load are counted, too", async () => {
  front.choose = () => instances[0];
  const plan = quick();
  await load.start({ ...plan, form: { ...plan.form!, thinkSeconds: 2 } });
  await until(() => front.asked >= 500);
  front.choose = () => instances[1];
  expect((await load.stop()).sessions!.lost).toBeGreaterThan(0);
});

test("users whose request failed do the step again: failed requests, and no lost session", async () => {
  let refusals = 60;
  front.choose = ({ request, response }) => {
    if (!request.url!.startsWith("/goals/new") || (refusals -= 1) < 0) return instances[0];
    request.resume();
    response.writeHead(503, { "x-release-id": "1.0.0-1" }).end();
    return null;
  };
  await load.start(quick());
  await until(() => refusals < 0);
  await requests(300);
  const totals = await load.stop();
  expect(totals).toMatchObject({ failed: 60, failures: { "status 503": 60 }, missing: [] });
  expect(totals.sessions!.lost).toBe(0);
  expect(totals.sessions!.completed).toBeGreaterThan(0);
});

test("a page with what another user wrote is a failed request", async () => {
  front.choose = ({ request }) => {
    // As a cache would: everybody gets one session.
    if (request.headers.cookie !== undefined && shared !== undefined) {
      request.headers.cookie = request.headers.cookie.replace(/socialgoal_memory=[^;]*/, shared);
    }
    shared ??= /socialgoal_memory=[^;]*/.exec(request.headers.cookie ?? "")?.[0];
    return instances[0];
  };
  let shared: string | undefined;
  await load.start(quick());
  await requests(300);
  const { failures } = await load.stop();
  expect(failures["body"]).toBeGreaterThan(0);
});
