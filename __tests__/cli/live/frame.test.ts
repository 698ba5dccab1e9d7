/** What the live view shows: the moments of a release, as somebody at a terminal sees them. */
import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { frame } from "../../../cli/live/frame";
import type { Snapshot } from "../../../cli/live/snapshot";
import { emptyRecord } from "../../../release/record";
import { BAKING, endpoints, moment, NOW, PROMOTED, seen, SHIFTING, status } from "./snapshots";

const PLAIN = pc.createColors(false);
const WIDE = { columns: 80, rows: 40 };

/** Times of day are the reader's own. */
const show = (of: Snapshot, size = WIDE): string[] =>
  frame(of, size, PLAIN).map((line) => line.replace(/^ {2}\d\d:\d\d:\d\d/, "  hh:mm:ss"));

const FIGURES = { requests: 400, errors: 0, p95Ms: 12 };
const POINT = {
  ...{ at: new Date(NOW).toISOString(), seconds: 1, sent: 100, failed: 0 },
  latencyMs: { p50: 1, p95: 2, p99: 3, max: 4 },
};
const rates = {
  blue: { perSecond: 182.4, errorRatio: 0 },
  green: { perSecond: 61.1, errorRatio: 0.0164 },
};
const shifting = moment({ proxies: [seen(status(SHIFTING), rates)] });

describe("at 80 columns", () => {
  test("a weight of 25 %: where the requests go, what comes next, and how long it takes", () => {
    expect(show(shifting)).toEqual([
      "socialgoal production  record 17: 1.4.0-17 in green, goal live",
      "3:42 left by the schedule; next 50 %, 100 %",
      "",
      "proxy-1  25 % to green, for another 0:42",
      "  blue   ██████████████████████████████░░░░░░░░░░  75 %  1.3.0-16  stable",
      "         182/s, 0 % errors  web-1 ✔  web-2 ✔",
      "  green  ██████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  25 %  1.4.0-17  candidate",
      "         61/s, 1.6 % errors  web-1 ✔  web-2 ✔",
      "",
      "  hh:mm:ss  1.4.0-17 verified in green: 2 endpoints in 1.2 s",
      "  hh:mm:ss  5 % of the requests go to green",
      "  hh:mm:ss  5 % went well: candidate 0 of 40 failed, p95 12 ms; stable 0 of 760…",
      "  hh:mm:ss  25 % of the requests go to green",
    ]);
  });

  test("before the traffic: installing, then verifying, with the whole schedule ahead", () => {
    const installing = status({}, { endpoints: { blue: endpoints("1.3.0-16"), green: endpoints(null) } });
    expect(show(moment({ proxies: [seen(installing)] })).slice(1)).toEqual([
      "5:00 left by the schedule; next 5 %, 25 %, 50 %, 100 %",
      "",
      "proxy-1  installing 1.4.0-17 in green",
      "  blue   ████████████████████████████████████████ 100 %  1.3.0-16  stable",
      "         web-1 ✔  web-2 ✔",
      "  green  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0 %  empty",
    ]);
    expect(show(moment())[3]).toBe("proxy-1  verifying 1.4.0-17 in green");
  });

  test("baking, and a weight whose time is over without enough answers", () => {
    const baking = show(moment({ proxies: [seen(status(BAKING))] }));
    expect(baking.slice(1, 4)).toEqual([
      "1:30 left by the schedule",
      "",
      "proxy-1  baking: all requests to green, for another 1:30",
    ]);
    const late = show(moment({ now: NOW + 43_000, proxies: [seen(status(SHIFTING))] }));
    expect(late[3]).toBe("proxy-1  25 % to green, until there are enough requests to analyse");
  });

  test("draining: the release is promoted, its director waits for what still runs", () => {
    const comparison = { candidate: FIGURES, stable: FIGURES, weight: 100, seconds: 120 };
    const draining = status({
      ...{ ...PROMOTED, result: { ...PROMOTED.result!, step: "begin" } },
      journal: [
        { at: NOW, event: "judged", verdict: "pass", comparison },
        { at: NOW, event: "traffic", live: "green", weight: 0, mode: "serve" },
      ],
    });
    expect(show(moment({ proxies: [seen(draining)] }))[2]).toBe("proxy-1  draining blue");
  });

  test("idle: what is live, what its last step said, and nothing of time", () => {
    const reason = "web-1 has 1.4.0-17 again";
    const live = status(
      { ...PROMOTED, result: { ...PROMOTED.result!, reason } },
      { traffic: { live: "green", weight: 0, mode: "serve", offset: 0, fallback: false } },
    );
    expect(show(moment({ proxies: [seen(live)] }))).toEqual([
      "socialgoal production  record 17: 1.4.0-17 in green, goal live",
      "",
      "proxy-1  1.4.0-17 is live in green",
      "  last: web-1 has 1.4.0-17 again",
      "  blue   ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0 %  1.3.0-16",
      "         web-1 ✔  web-2 ✔",
      "  green  ████████████████████████████████████████ 100 %  1.4.0-17  stable",
      "         web-1 ✔  web-2 ✔",
    ]);
  });

  test("staged, and paused at a weight", () => {
    const { candidate } = SHIFTING;
    const staged = status({ finished: true, phase: "staged", candidate: candidate! });
    expect(show(moment({ proxies: [seen(staged)] }))[2]).toBe(
      "proxy-1  1.4.0-17 is staged in green: promote or abort it",
    );
    const traffic = { live: "blue", weight: 25, mode: "serve", offset: 0, fallback: true } as const;
    const paused = status({ ...SHIFTING, finished: true, deadline: null, journal: [] }, { traffic });
    expect(show(moment({ proxies: [seen(paused)] }))[2]).toBe(
      "proxy-1  1.4.0-17 is paused at 25 %: promote or abort it",
    );
  });

  test("frozen: why, on as many lines as that takes, up to three", () => {
    const reason =
      "1.4.0-17: 40 of 312 answers failed (12.8 %), stable 0.0 %, allowed 2.0 % more; traffic stays as it is (25 % to green, the rest to blue). Next: `bluegreen abort`, `bluegreen retry` or a new release";
    const result = { ...PROMOTED.result!, exitCode: 6, outcome: "frozen" as const, reason };
    const frozen = status({ ...SHIFTING, phase: "frozen", finished: true, result });
    expect(show(moment({ proxies: [seen(frozen)] })).slice(2, 6)).toEqual([
      "proxy-1  frozen: a person decides",
      "  last: 1.4.0-17: 40 of 312 answers failed (12.8 %), stable 0.0 %, allowed 2.0 %",
      "  more; traffic stays as it is (25 % to green, the rest to blue). Next:",
      "  `bluegreen abort`, `bluegreen retry` or a new release",
    ]);
  });

  test("servers that are down, answer as another release, or get no requests, are named", () => {
    const odd = status(SHIFTING, {
      endpoints: {
        blue: endpoints("1.3.0-16", {}, { healthy: false, releaseId: null }),
        green: endpoints("1.4.0-17", { releaseId: "1.2.0-9", inRotation: false }, {}),
      },
    });
    const lines = show(moment({ proxies: [seen(odd)] }));
    expect(lines).toContain("         web-1 ✔  web-2 ✘ down");
    expect(lines.some((line) => line.includes("web-1 ✔") && line.includes("out of rotation"))).toBe(true);
  });

  test("nothing is live", () => {
    const closed = status(
      { sequence: 0, finished: true, stable: null },
      {
        ...{ traffic: { live: null, weight: 0, mode: "serve", offset: 0, fallback: false }, serving: [] },
        endpoints: { blue: endpoints(null), green: endpoints(null) },
      },
    );
    expect(show(moment({ record: emptyRecord("socialgoal"), proxies: [seen(closed)] }))).toEqual([
      "socialgoal production  record 0: nothing in blue, goal live",
      "",
      "proxy-1  nothing is live yet",
      "  blue   ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0 %  empty",
      "  green  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0 %  empty",
    ]);
  });

  test("two proxies that disagree, each with what it serves", () => {
    const first = status(PROMOTED, {
      traffic: { live: "green", weight: 0, mode: "serve", offset: 0, fallback: false },
    });
    const second = status({ phase: "frozen", finished: true }, { proxy: "proxy-2" });
    const lines = show(moment({ proxies: [seen(first), seen(second)] }));
    expect(lines.slice(1, 5)).toEqual([
      "the proxies disagree: proxy-1 serves 1.4.0-17, proxy-2 serves 1.3.0-16; run",
      "`bluegreen retry` or `bluegreen rollback`",
      "",
      "proxy-1  1.4.0-17 is live in green",
    ]);
    expect(lines).toContain("proxy-2  frozen: a person decides");
  });

  test("two proxies, one of them at its turn: the other's bake still counts, and the journal says whose it is", () => {
    const second = status({}, { proxy: "proxy-2" });
    const lines = show(moment({ proxies: [seen(status(SHIFTING)), seen(second)] }));
    expect(lines[1]).toBe("5:42 left by the schedule; next 50 %, 100 %");
    expect(lines.at(-1)).toBe("  hh:mm:ss  proxy-1: 25 % of the requests go to green");
  });

  test("a proxy that can't be queried hides nothing of the other, and no time left is made up", () => {
    const problem = "proxy-2 can't be queried: the embedded proxy can't be reached on admin.sock: ENOENT";
    const unreachable = { proxy: "proxy-2", status: null, problem, rates: null };
    const lines = show(moment({ proxies: [seen(status(SHIFTING)), unreachable] }));
    expect(lines[2]).toBe("proxy-1  25 % to green, for another 0:42");
    expect(lines).toEqual(
      expect.arrayContaining([
        "proxy-2  can't be queried: the embedded proxy can't be reached on admin.sock:",
        "         ENOENT",
      ]),
    );
    expect(lines.join("\n")).not.toContain("left by the schedule");
  });

  test("what was said from afar, and how long ago", () => {
    const at = new Date(NOW - 40_000).toISOString();
    expect(show(moment({ proxies: [seen(status(SHIFTING, { at }))] }))[3]).toBe(
      "proxy-1  25 % to green, for another 0:42  reported 40 s ago",
    );
    const old = new Date(NOW - 3_723_000).toISOString();
    expect(show(moment({ proxies: [seen(status(PROMOTED, { at: old }))] }))[2]).toBe(
      "proxy-1  1.4.0-17 is live in green  reported 1:02:03 ago",
    );
  });

  test("the command's own requests", () => {
    const lastSecond = { ...POINT, versions: { "1.3.0-16": 75, "1.4.0-17": 25 } };
    const measured = { sent: 12_345, failed: 0, inFlight: 3, lastSecond };
    expect(show({ ...shifting, measured })[2]).toBe(
      "measured: 12,345 sent, 0 failed; last second 75 1.3.0-16, 25 1.4.0-17",
    );
    expect(show({ ...shifting, measured: { ...measured, lastSecond: null } })[2]).toBe(
      "measured: 12,345 sent, 0 failed",
    );
  });

  test("before anything was seen, and where reading fails", () => {
    expect(show(moment({ proxies: [] }))).toEqual([
      "socialgoal production  record 17: 1.4.0-17 in green, goal live",
    ]);
    expect(show(moment({ problem: "release.json is not JSON" }))[2]).toBe("release.json is not JSON");
  });
});

describe("any terminal", () => {
  const reason = `answers with a body \u001b[2J\u0007\n${"x".repeat(300)}`;
  const hostile = status(
    { ...SHIFTING, phase: "frozen", finished: true, result: { ...PROMOTED.result!, reason } },
    { traffic: { live: "blue", weight: 25, mode: "serve", offset: 0, fallback: false } },
  );
  const moments = { shifting, hostile: moment({ proxies: [seen(hostile)] }) };

  test.each(
    [40, 80, 120].flatMap((columns) => Object.entries(moments).map(([name, of]) => ({ columns, name, of }))),
  )("$columns columns: no line is longer ($name)", ({ columns, of }) => {
    for (const colours of [PLAIN, pc.createColors(true)]) {
      const lines = frame(of, { columns, rows: 40 }, colours).map((line) => stripVTControlCharacters(line));
      expect(lines.filter((line) => [...line].length > columns)).toEqual([]);

      expect(lines.filter((line) => /[\u0000-\u001f]/.test(line))).toEqual([]);
      expect(lines.join("\n")).toMatch(/blue .*75 % {2}1\.3\.0-16/);
    }
  });

  test("40 columns: the bars make room for what they show", () => {
    expect(show(shifting, { columns: 40, rows: 40 }).slice(3, 9)).toEqual([
      "proxy-1  25 % to green, for another 0:42",
      "  blue   ███████████░░░░  75 %  1.3.0-16",
      "         182/s, 0 % errors  web-1 ✔",
      "         web-2 ✔",
      "  green  ████░░░░░░░░░░░  25 %  1.4.0-17",
      "         61/s, 1.6 % errors  web-1 ✔",
    ]);
  });

  test("120 columns: a judgement is shown whole", () => {
    expect(show(shifting, { columns: 120, rows: 40 })).toContain(
      "  hh:mm:ss  5 % went well: candidate 0 of 40 failed, p95 12 ms; stable 0 of 760 failed, p95 12 ms",
    );
  });

  test.each([1, 5, 8, 10, 12])("%i rows: the oldest events go first, and never a line too many", (rows) => {
    const lines = show(shifting, { columns: 80, rows });
    expect(lines.length).toBeLessThanOrEqual(rows);
    expect(lines[0]).toContain("record 17");
    if (rows === 10) expect(lines.at(-1)).toBe("  hh:mm:ss  25 % of the requests go to green");
  });

  test("slots are blue and green where there are colours", () => {
    const lines = frame(shifting, WIDE, pc.createColors(true));
    expect(lines.find((line) => line.includes("1.3.0-16  stable"))).toContain("\u001b[34m");
    expect(lines.find((line) => line.includes("1.4.0-17  candidate"))).toContain("\u001b[32m");
  });
});
