/**
 * The sample application's form of several steps at rest, two servers a slot, sent as the rehearsal's load sends it: without
 * affinity to a server users lose their sessions, with it none does, and both servers serve.
 */
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { BALANCERS, AFFINITY } from "../../cli/rehearsal/sessions";
import { Load } from "../../cli/load/load";
import type { LoadTotals } from "../../cli/load/messages";
import { socialGoalPlan } from "../../cli/load/socialgoal-plan";
import type { DriverName } from "../../configuration/drivers";
import { describeEndToEnd, REPOSITORY, until, World } from "./world";

const RATE = 100;
/** Twelve seconds: three forms of each user. */
const REQUESTS = 12 * RATE;

async function load(world: World): Promise<LoadTotals> {
  const sent = new Load({
    workerEntry: join(REPOSITORY, "cli/load/worker.ts"),
    execArgv: ["--import", pathToFileURL(require.resolve("tsx")).href],
  });
  try {
    await sent.start(socialGoalPlan(world.origin(), RATE));
    await until(() => sent.snapshot().sent >= REQUESTS, "the users had time for some forms");
    return await sent.stop();
  } finally {
    await sent.kill();
  }
}

/** The servers that answer users from many addresses, each without a cookie. */
async function servers(world: World): Promise<string[]> {
  const answers = Array.from({ length: 40 }, async (_, index) => {
    const headers = { "x-forwarded-for": `10.1.0.${index + 1}` };
    const answer = await fetch(`${world.origin()}/version`, { headers });
    return ((await answer.json()) as { server: string }).server;
  });
  return [...new Set(await Promise.all(answers))].sort();
}

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describe.each([
    { title: "without affinity", sessions: { affinity: "none" }, isLost: true },
    { title: "with affinity to a server", sessions: AFFINITY, isLost: false },
  ])("$title", ({ sessions, isLost }) => {
    describeEndToEnd("users who fill in a form at rest", () => {
      let world: World;
      beforeAll(async () => {
        const proxies = { driver, http: { trusted: BALANCERS } };
        world = await World.create({ environment: { proxies, sessions } });
        expect(await world.release("1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
      });
      afterAll(async () => expect(await world.end()).toEqual([]));

      it(isLost ? "lose their sessions" : "lose no session, and both servers serve", async () => {
        const totals = await load(world);
        expect(totals).toMatchObject({ failed: 0, failures: {}, missing: [] });
        const { begun, completed, lost } = totals.sessions!;
        expect(begun).toBeGreaterThan(15);
        expect(totals.found).toBe(totals.acknowledged);
        expect(await servers(world)).toEqual(["web-1", "web-2"]);
        if (isLost) expect(lost).toBeGreaterThan(completed);
        else expect({ lost, enough: completed > 10 }).toEqual({ lost: 0, enough: true });
      });
    });
  });
});
