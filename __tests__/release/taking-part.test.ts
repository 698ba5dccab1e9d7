/** Which proxies take part in a sequence: all, unless one is away, behind, or came back with an old state. */
import type { ProxyStatus } from "../../release/director-status";
import { emptyRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { behindOf, takingPart, withProxies } from "../../release/taking-part";
import type { Demands } from "../../release/taking-part";
import { Refusal } from "../../release/failure";

const NAMES = ["proxy-1", "proxy-2", "proxy-3"];
const NO_ANSWER = { proxy: "proxy-2", problem: "proxy-2 can't be queried: no answer" };
const RECORD: ReleaseRecord = { ...emptyRecord("socialgoal"), sequence: 7 };
const ALL: Demands = { without: [], leavesOut: "none", heals: [] };
const ANY: Demands = { ...ALL, leavesOut: "silent" };

function at(proxy: string, sequence: number, releaseId = "1.0.0-1", step = "switch"): ProxyStatus {
  const result = { step, sequence, exitCode: 0, outcome: "promoted", reason: "", comparison: null };
  return {
    proxy,
    state: { sequence, stable: { slot: "blue", releaseId }, result: sequence === 0 ? null : result },
  } as unknown as ProxyStatus;
}

function complaint(ask: () => unknown): string {
  try {
    ask();
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal);
    return (error as Refusal).message;
  }
  throw new Error("it was not refused");
}

const EVERYONE = NAMES.map((proxy) => at(proxy, 7));

test("all take part when all answer with the same state, and the record remembers it", () => {
  const part = takingPart(RECORD, NAMES, { statuses: EVERYONE, silent: [] }, ALL);
  expect(part).toEqual({ current: EVERYONE, behind: [], leftOut: [], follows: 7 });
  expect(withProxies({ ...RECORD, sequence: 8 }, part, { release: "1.0.0-1" })).toEqual({
    ...RECORD,
    ...{ sequence: 8, follows: 7 },
  });
});

test("after `down` all start anew, and nothing can be older", () => {
  const fresh = NAMES.map((proxy) => at(proxy, 0));
  for (const statuses of [[], fresh]) {
    const part = takingPart({ ...RECORD, follows: 7 }, NAMES, { statuses, silent: [] }, ALL);
    expect(part).toEqual({ current: statuses, behind: [], leftOut: [], follows: 0 });
  }
});

test("a release is refused while one does not answer; a rollback leaves it out", () => {
  const survey = { statuses: [EVERYONE[0]!, EVERYONE[2]!], silent: [NO_ANSWER] };
  expect(complaint(() => takingPart(RECORD, NAMES, survey, ALL))).toBe(
    "proxy-2 can't be queried: no answer; nothing was changed. Start proxy-2 again; `bluegreen rollback` and `abort` go on without it, and `bluegreen retry --without proxy-2` leaves it out",
  );
  const part = takingPart(RECORD, NAMES, survey, ANY);
  expect(part).toMatchObject({ leftOut: ["proxy-2"], behind: [], follows: 7 });
  expect(withProxies(RECORD, part, { release: "1.0.0-1" })).toMatchObject({ leftOut: ["proxy-2"] });
});

test("a retry leaves out what was left out before, and nothing else by itself", () => {
  const survey = { statuses: [EVERYONE[0]!, EVERYONE[2]!], silent: [NO_ANSWER] };
  const retry: Demands = { ...ALL, leavesOut: "leftOut" };
  expect(takingPart({ ...RECORD, leftOut: ["proxy-2"] }, NAMES, survey, retry).leftOut).toEqual(["proxy-2"]);
  expect(() => takingPart(RECORD, NAMES, survey, retry)).toThrow(/--without proxy-2/);
  const named = { ...retry, without: ["proxy-2"] };
  expect(takingPart(RECORD, NAMES, survey, named).leftOut).toEqual(["proxy-2"]);
});

test("one that was left out catches up, and does not count for what users get, until it has", () => {
  const back = [at("proxy-1", 7), at("proxy-2", 5, "1.1.0-5"), at("proxy-3", 7)];
  const left = { ...RECORD, leftOut: ["proxy-2"] };
  const part = takingPart(left, NAMES, { statuses: back, silent: [] }, ALL);
  expect(part.behind).toEqual(["proxy-2"]);
  expect(part.current.map(({ proxy }) => proxy)).toEqual(["proxy-1", "proxy-3"]);
  expect(behindOf(left, back)).toEqual(["proxy-2"]);
  const next = withProxies({ ...left, sequence: 8 }, part, { release: "1.0.0-1" });
  expect(next).toMatchObject({ catchUp: { proxies: ["proxy-2"], release: "1.0.0-1" } });
  expect(next.leftOut).toBeUndefined();

  // Its begin failed: still behind in the sequence after it. Then it has caught up.
  const failed = [at("proxy-1", 8), at("proxy-2", 5, "1.1.0-5"), at("proxy-3", 8)];
  expect(takingPart(next, NAMES, { statuses: failed, silent: [] }, ALL).behind).toEqual(["proxy-2"]);
  const caughtUp = NAMES.map((proxy) => at(proxy, 8));
  expect(takingPart(next, NAMES, { statuses: caughtUp, silent: [] }, ALL).behind).toEqual([]);
});

test("one with an old state is refused, unless it is healed or everyone is rolled back", () => {
  const restored = [at("proxy-1", 7), at("proxy-2", 4, "1.1.0-4"), at("proxy-3", 7)];
  const survey = { statuses: restored, silent: [] };
  expect(complaint(() => takingPart(RECORD, NAMES, survey, ALL))).toBe(
    "proxy-2 is at record 4 with 1.1.0-4, but record 7 was applied here: it came back with an old state. `bluegreen heal proxy-2` verifies what the others serve and moves its users there",
  );
  expect(takingPart(RECORD, NAMES, survey, { ...ALL, heals: ["proxy-2"] }).behind).toEqual(["proxy-2"]);
  expect(takingPart(RECORD, NAMES, survey, ANY).behind).toEqual(["proxy-2"]);
  expect(behindOf(RECORD, restored)).toEqual(["proxy-2"]);
});

test("a new one, which has served nobody, catches up without a word", () => {
  const grown = [at("proxy-1", 7), at("proxy-2", 0), at("proxy-3", 7)];
  expect(takingPart(RECORD, NAMES, { statuses: grown, silent: [] }, ALL).behind).toEqual(["proxy-2"]);
  // On Azure it has no report at all.
  const reports = { statuses: [at("proxy-1", 7), at("proxy-3", 7)], silent: [] };
  expect(takingPart(RECORD, NAMES, reports, ALL).behind).toEqual(["proxy-2"]);
});

test("a sequence that began on some only makes none of them old", () => {
  const partly = [at("proxy-1", 8, "1.0.0-1", "begin"), at("proxy-2", 7), at("proxy-3", 7)];
  const part = takingPart(
    { ...RECORD, sequence: 8, follows: 7 },
    NAMES,
    { statuses: partly, silent: [] },
    ALL,
  );
  expect(part).toMatchObject({ behind: [], follows: 7 });
});

test("where only one that is behind answers, nothing shows what users should get", () => {
  const survey = {
    statuses: [at("proxy-2", 5)],
    silent: [{ proxy: "proxy-1", problem: "proxy-1: no answer" }],
  };
  const left = { ...RECORD, leftOut: ["proxy-2"] };
  expect(() => takingPart(left, ["proxy-1", "proxy-2"], survey, ANY)).toThrow(/start proxy-1 again first/);
  const silent = ["proxy-1", "proxy-2"].map((proxy) => ({ proxy, problem: `${proxy}: no answer` }));
  expect(() => takingPart(RECORD, ["proxy-1", "proxy-2"], { statuses: [], silent }, ANY)).toThrow(
    /^no proxy answers: proxy-1: no answer; proxy-2: no answer/,
  );
});
