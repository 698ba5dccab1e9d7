/** Before any weight, the pages that users ask most must answer as stable's do: in a simulated world, and the rule alone. */
import { EXIT } from "../../../release/exit-code";
import { analysisSettings } from "../../../release/schedule";
import { agree, kindOf } from "../../../on-server/director/look";
import type { Look } from "../../../on-server/director/look";
import { pageOf } from "../../../on-server/director/drivers/popular-pages";
import { judgePage } from "../../../on-server/director/same-pages";
import { HTML } from "./simulated-world";
import type { AskedPage, SimulatedWorld } from "./simulated-world";
import { CANARY, liveWorld, weights } from "./steps/worlds";

const NOT_FOUND: Look = { ...HTML, status: 404 };
const FAILS: Look = { ...HTML, status: 500 };
const SILENT: Look = { status: null, kind: "", isEmpty: true, problem: "no answer within 5 s" };
const LOGIN: Look = { status: 302, kind: "", isEmpty: true, problem: "" };
const EMPTY: Look = { ...HTML, isEmpty: true };
const JSON_PAGE: Look = { ...HTML, kind: "application/json" };
const PAGES = Array.from({ length: 10 }, (_, index) => `/page/${index}`);

/** What 1.1.0 answers, instead of 1.0.0's HTML. */
const candidate =
  (look: Look, differs: (path: string) => boolean = () => true) =>
  ({ version, path }: AskedPage): Look =>
    version === "1.1.0" && differs(path) ? look : HTML;

function facts({ events }: SimulatedWorld): Readonly<Record<string, unknown>> {
  return events.findLast(({ event }) => event === "pages")!.facts;
}

describe("a release", () => {
  test.each([
    ["are not found", NOT_FOUND, "404, not 200 text/html: /"],
    ["redirect to the login", LOGIN, "302, not 200 text/html: /"],
    ["are empty", EMPTY, "200 empty, not 200 text/html: /"],
    ["always fail", FAILS, "500, not 200 text/html: /"],
    ["never answer", SILENT, "no answer (no answer within 5 s), not 200 text/html: /"],
    ["are of another kind", JSON_PAGE, "200 application/json, not 200 text/html: /"],
  ])("whose pages %s gets no request", async (_, look, answers) => {
    const { world, operator } = await liveWorld(CANARY);
    world.look = candidate(look);
    const { result } = await operator.release("1.1.0");
    expect(result).toEqual({
      exitCode: EXIT.rejected,
      outcome: "failed",
      reason:
        `1.1.0-2 got no requests: a page that users ask for answered otherwise than in 1.0.0-1 (${answers}); if it ` +
        "should, retry it with --expect-change; 1.0.0-1 keeps all requests. Next: a fixed release, or `bluegreen retry`",
      trafficChanges: 0,
      saves: expect.any(Number) as number,
    });
    expect(world.state).toMatchObject({ finished: true, failedDigests: [], candidate: null });
    expect((await operator.retry()).result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
  });

  test("that lacks one of ten pages that users ask gets no request", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.popularPages = PAGES;
    world.look = candidate(NOT_FOUND, (path) => path === "/page/7");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
    expect(result?.reason).toContain("a page that users ask for answered otherwise");
    expect(result?.reason).toContain("(404, not 200 text/html: /page/7)");
    expect(facts(world)).toMatchObject({
      agreed: 9,
      different: [{ path: "/page/7", only: null }],
      skipped: {},
    });
  });

  test("with one server that answers otherwise gets no request, and the server is named", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.look = ({ server }) => (server === "web-4" ? NOT_FOUND : HTML);
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected });
    expect(result?.reason).toMatch(/404, not 200 text\/html, on web-4 \([\d.]+:\d+\): \//);
  });

  test("that answers alike is asked for each page once, without files of the build, and goes live", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.popularPages = ["/", "/app.js", "/health", "/_next/data/x7Gk29aPq1/index.json", "/about"];
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
    const once = ["1.0.0 /", "1.0.0 /about", "1.1.0 /", "1.1.0 /", "1.1.0 /about", "1.1.0 /about"];
    expect([...world.looked].sort()).toEqual(once);
    expect(world.state.journal).toContainEqual(expect.objectContaining({ event: "verified", pages: 2 }));
  });

  test("that means to change its pages is released with a report", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.popularPages = PAGES;
    world.look = candidate(LOGIN, (path) => path !== "/page/0");
    const schedule = { ...CANARY, analysis: { expectChange: true } };
    const { result } = await operator.release("1.1.0", { schedule });
    expect(result).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
    const changed = [`302, not 200 text/html: ${PAGES.slice(1).join(" ")}`];
    expect(world.state.journal).toContainEqual(expect.objectContaining({ pages: 1, changed }));
    expect(facts(world)).toMatchObject({ expected: true, agreed: 1 });
  });

  test("that is staged is compared then, and again when it is promoted", async () => {
    const { world, operator } = await liveWorld(CANARY);
    expect((await operator.release("1.1.0", { goal: "staged" })).result).toMatchObject({ outcome: "staged" });
    world.look = candidate(NOT_FOUND);
    expect((await operator.promote()).result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
  });

  test("can be aborted meanwhile", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.look = candidate(NOT_FOUND);
    world.abortAfterMs = 600;
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.aborted, trafficChanges: 0 });
    expect(result?.reason).toContain("1.1.0-2 got no requests: aborted by an operator");
  });

  test("is compared until the deadline only, the popular pages first", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.popularPages = Array.from({ length: 20 }, (_, index) => `/page/${index}`);
    world.look = candidate(SILENT);
    // Each round of four pages takes that for each of twelve answers.
    world.lookMs = 20;
    const before = world.now;
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected });
    expect(result?.reason).toContain("4 pages that users ask for");
    expect(result?.reason).toContain(": /page/0 /page/1 /page/2 /page/3)");
    expect(world.now - before).toBeLessThan(3_000);
    expect(facts(world)["skipped"]).toMatchObject({ "/page/19": "there was no time" });
  });
});

describe("what may not stop a release", () => {
  const skipped = async (look: (page: AskedPage) => Look) => {
    const { world, operator } = await liveWorld(CANARY);
    world.look = look;
    expect((await operator.release("1.1.0")).result).toMatchObject({ exitCode: EXIT.done });
    return facts(world)["skipped"];
  };

  test("stable has no such page", async () => {
    expect(await skipped(({ version }) => (version === "1.0.0" ? NOT_FOUND : HTML))).toEqual({
      "/": "stable answers 404",
    });
  });

  test("stable fails: this release may be the fix", async () => {
    expect(await skipped(({ version }) => (version === "1.0.0" ? FAILS : LOGIN))).toEqual({
      "/": "stable fails",
    });
  });

  test("stable answers differently each time", async () => {
    let asked = 0;
    const look = ({ version }: AskedPage) => (version === "1.1.0" || (asked += 1) % 2 ? LOGIN : HTML);
    const slow = ({ version, ...rest }: AskedPage) =>
      version === "1.1.0" ? EMPTY : look({ version, ...rest });
    expect(await skipped(slow)).toEqual({ "/": "stable answers differently each time" });
  });

  test("a rollback: its pages may differ, and it is not delayed", async () => {
    const { world, operator } = await liveWorld({ ...CANARY, retainSeconds: 600 });
    await operator.release("1.1.0");
    world.history.length = 0;
    world.looked.length = 0;
    world.look = ({ version }) => (version === "1.0.0" ? NOT_FOUND : HTML);
    expect((await operator.rollback()).result).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
    expect(weights(world)).toEqual([100, 0]);
    expect(world.looked).toEqual([]);
    expect(analysisSettings(operator.record.schedule!.analysis as never).expectChange).toBe(true);
  });

  test("an application that fails 2 % by chance, here or there: 300 equal releases with 20 pages", async () => {
    const random = generator(25);
    for (let run = 0; run < 300; run += 1) {
      const { world, operator } = await liveWorld({ ...CANARY, steps: [100], bakeSeconds: 0 });
      world.popularPages = Array.from({ length: 20 }, (_, index) => `/page/${index}`);
      world.look = () => (random() < 0.02 ? (random() < 0.5 ? FAILS : SILENT) : HTML);
      expect((await operator.release("1.1.0", { goal: "staged" })).result).toMatchObject({
        outcome: "staged",
      });
      expect(facts(world)).toMatchObject({ agreed: 20, different: [] });
    }
  });
});

describe("the rule", () => {
  const page = (stable: Look[], ...candidates: Look[][]) => ({
    rounds: stable.length,
    stable,
    candidate: candidates,
  });
  const times = (count: number, look: Look): Look[] => Array.from({ length: count }, () => look);

  test.each([
    ["one agreement", page([HTML], [HTML]), "same"],
    ["no agreement yet", page([HTML], [NOT_FOUND]), "open"],
    ["an endpoint without one", page([HTML], [HTML], [FAILS]), "open"],
    ["an agreement with an earlier answer", page([HTML, FAILS], [NOT_FOUND, HTML]), "same"],
    ["both fail", page(times(2, FAILS), times(2, FAILS)), "open"],
    ["never an agreement", page(times(10, HTML), times(10, NOT_FOUND)), "different"],
    [
      "... although stable failed at times",
      page([FAILS, ...times(9, HTML)], times(10, NOT_FOUND)),
      "different",
    ],
    [
      "stable fails mostly",
      page([HTML, ...times(9, FAILS)], times(10, NOT_FOUND)),
      { skipped: "stable fails too often" },
    ],
    ["stable has redirects", page(times(2, LOGIN), [{ ...LOGIN, status: 307, kind: "text/plain" }]), "same"],
  ] as const)("%s", (_, answers, verdict) => {
    expect(judgePage(answers, 10)).toEqual(verdict);
  });

  test("where a change is expected, two failures of stable in three rounds hide nothing", () => {
    const after = (rounds: number) =>
      judgePage(page([FAILS, FAILS, ...times(rounds - 2, HTML)], times(rounds, NOT_FOUND)), 3);
    expect([3, 4, 5].map(after)).toEqual(["open", "open", "different"]);
  });

  test.each([
    ["text/html; charset=utf-8", "TEXT/HTML", true],
    ["application/javascript", "text/javascript", true],
    ["image/png", "image/webp", true],
    ["text/html", "application/json", false],
    ["text/html", undefined, false],
    ["no type", "", true],
  ])("%s and %s: %s", (one, other, same) => {
    expect(agree({ ...HTML, kind: kindOf(one) }, { ...HTML, kind: kindOf(other) })).toBe(same);
  });

  test.each([
    ["/", true],
    ["/products/42", true],
    ["/about-us.html", true],
    ["/blog/a-rather-long-title", true],
    ["/events/20261130", true],
    ["/main.js", false],
    ["/assets/index-BxK3d9aQ", false],
    ["/_next/data/x7Gk29aPq1/index.json", false],
    ["/logo.PNG", false],
    ["/%D0%BF%D1%80%D0%B8", true],
    ["/q'|`", true],
    ["/a b", false],
    ["/a\tb", false],
    ["no-path", false],
  ])("a page of users: %s is %s", (path, expected) => {
    expect(pageOf(path)).toBe(expected ? path : null);
  });
});

/** Numbers from 0 to 1, the same for a seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}
