/** What the report of a release says, and that nothing in a receipt can change what it is. */
import * as fc from "fast-check";
import { renderReceiptReport } from "../../../cli/report/receipt-report";
import type { JournalEntry } from "../../../release/journal";
import { Receipt } from "../../../release/receipt";
import { parseFile } from "../../../release/validation";
import { BEGIN, JOURNAL, receiptOf, requestsOf, timelineOf, usersEntry } from "./examples";

const headlineOf = (page: string): string =>
  /<h1>(.*?)<\/h1>/.exec(page)![1]!.replaceAll("&#39;", "'").replaceAll("&lt;", "<");
const tagsOf = (page: string): string[] => page.match(/<[^>]*>/g)!;
const textOf = (page: string): string =>
  page
    .replace(/<[^>]*>/g, " ")
    .replaceAll("&#39;", "'")
    .replace(/\s+/g, " ");

const HOSTILE = `</title><script>alert("1")</script><img src=x onerror='alert(2)'>&amp;\u202e`;

test("the example is a receipt", () => {
  expect(() => parseFile(Receipt, JSON.stringify(receiptOf()), "example")).not.toThrow();
});

describe("the headline answers whether users noticed", () => {
  test.each([
    ["None of 13,800 measured requests failed; users' answers were not counted.", {}],
    ["3 of 13,800 requests failed.", { failed: 3 }],
    ["No request failed, but 2 rows were lost.", { found: 2_758 }],
    ["1 of 13,800 requests failed, and 1 row was lost.", { failed: 1, found: 2_759 }],
    ["No request failed, but 4 sessions were lost.", { sessions: { begun: 90, completed: 80, lost: 4 } }],
    [
      "1 of 13,800 requests failed, and 1 row and 1 session were lost.",
      { failed: 1, found: 2_759, sessions: { begun: 90, completed: 80, lost: 1 } },
    ],
    [
      "None of 13,800 measured requests failed; users' answers were not counted.",
      { sessions: { begun: 90, completed: 80, lost: 0 } },
    ],
    ["No request failed, but there was no answer for 4.2\u00a0s.", { longestGapMs: 4_200 }],
    ["No request was sent: nothing is known.", { sent: 0, timeline: [] }],
  ])("%s", (headline, changes) => {
    expect(headlineOf(renderReceiptReport(receiptOf({ requests: requestsOf(changes) })))).toBe(headline);
  });

  const proxies = (...entries: readonly (JournalEntry | null)[]) =>
    entries.map((entry, index) => ({
      proxy: `proxy-${index + 1}`,
      journal: [...JOURNAL, ...(entry === null ? [] : [entry])],
    }));
  const rose = usersEntry({ answers: 2_076, failed: 1_222, worse: true });

  test.each<[string, Partial<Receipt>]>([
    ["Users noticed nothing.", { proxies: proxies(usersEntry()) }],
    ["Users noticed nothing.", { proxies: proxies(usersEntry(), usersEntry()) }],
    [
      "Users' failed answers rose: 1,222 of 2,076 in 92 s (58.9 %), before 0.31 %.",
      { proxies: proxies(rose) },
    ],
    [
      "Users' failed answers rose: 1,253 of 12,418 in 92 s (10.1 %), before 0.31 %.",
      { proxies: proxies(usersEntry(), rose), requests: requestsOf({ failed: 3 }) },
    ],
    [
      "None of 13,800 measured requests failed; 31 of 10,342 answers to users failed in 92 s (0.3 %), before 0.31 %; not counted on proxy-2.",
      { proxies: proxies(usersEntry(), null) },
    ],
    [
      "None of 13,800 measured requests failed; 31 of 10,342 answers to users failed in 92 s (0.3 %); how many failed before is not known.",
      { proxies: proxies(usersEntry({ before: null })) },
    ],
    ["3 of 13,800 requests failed.", { proxies: proxies(usersEntry()), requests: requestsOf({ failed: 3 }) }],
    [
      "31 of 10,342 answers to users failed in 92 s (0.3 %), before 0.31 %. Nothing else was measured.",
      { proxies: proxies(usersEntry()), requests: null },
    ],
  ])("by all users' answers: %s", (headline, changes) => {
    expect(headlineOf(renderReceiptReport(receiptOf(changes)))).toBe(headline);
  });

  test("the lines below it have all users' figures, and a rise is a mark in the chart", () => {
    expect(textOf(renderReceiptReport(receiptOf({ proxies: proxies(usersEntry()) })))).toContain(
      "All users: 31 of 10,342 answers to users failed in 92 s (0.3 %), before 0.31 %.",
    );
    const page = renderReceiptReport(receiptOf({ proxies: proxies(rose) }));
    expect(page).toMatch(/<path[^>]*stroke="var\(--bad\)"/);
  });

  test("where nothing was measured it says so, and why", () => {
    const page = renderReceiptReport(
      receiptOf({ requests: null, notMeasured: "the site is not reachable from here" }),
    );
    expect(headlineOf(page)).toBe("Not measured: unknown whether users noticed anything.");
    expect(textOf(page)).toContain("Nothing was measured: the site is not reachable from here.");
    expect(page).not.toContain("<svg");
  });
});

test("gates and decisions are numbered in the order of time, with both sides' figures", () => {
  const [verified, ...others] = JOURNAL;
  const page = renderReceiptReport(
    receiptOf({
      proxies: [
        { proxy: "proxy-1", journal: [...others] },
        { proxy: "proxy-2", journal: [verified!] },
      ],
    }),
  );
  const text = textOf(page);
  expect(text).toContain("1 0:24 proxy-2 2.0.0-2 verified in green: 2 endpoints in ");
  expect(text).toMatch(
    /3 0:45 proxy-1 5.% went well , over 19.s 0 errors of 143, p95 6.9.ms 0 errors of 2,708/,
  );
  expect(text).toContain("10 1:31 proxy-1 Blue is drained");
});

test("failures of one client that did not count are in the verdict's row", () => {
  const comparison = {
    candidate: { requests: 40, errors: 12, p95Ms: 5 },
    stable: { requests: 400, errors: 0, p95Ms: 5 },
    ...{ weight: 10, seconds: 20, leftOut: 12 },
  };
  const judged = { at: BEGIN + 40_000, event: "judged", verdict: "pass", comparison } as const;
  const page = renderReceiptReport(receiptOf({ proxies: [{ proxy: "proxy-1", journal: [judged] }] }));
  expect(textOf(page)).toContain(", without 12 errors of one client");
});

test("a verdict's row has the estimate, how sure it is, and where failed answers gather", () => {
  const comparison = {
    candidate: { requests: 900, errors: 31, p95Ms: 12 },
    stable: { requests: 2_700, errors: 9, p95Ms: 11 },
    ...{ weight: 25, seconds: 60, failed: { estimate: 0.031, low: 0.018, high: 0.049 } },
    ...{ confidence: 0.9987, gathered: "29 of 31 failed answers came from <web-2>" },
  };
  const bad = { at: BEGIN + 40_000, event: "judged", verdict: "fail", comparison } as const;
  const page = renderReceiptReport(receiptOf({ proxies: [{ proxy: "proxy-1", journal: [bad] }] }));
  expect(textOf(page)).toContain(
    "3.1 % more failed answers than stable (1.8 % to 4.9 %); 99.8 % sure that it is worse; 29 of 31 failed answers came from &lt;web-2&gt;",
  );
});

test("a step that was not judged is shown so, and not as a success", () => {
  const comparison = {
    candidate: { requests: 12, errors: 0, p95Ms: 12 },
    stable: { requests: 230, errors: 0, p95Ms: 11 },
    ...{ weight: 5, seconds: 60, notJudged: "only 12 answers" },
  };
  const passed = { at: BEGIN + 40_000, event: "judged", verdict: "pass", comparison } as const;
  const page = renderReceiptReport(receiptOf({ proxies: [{ proxy: "proxy-1", journal: [passed] }] }));
  expect(page).toContain('<span class="warn">5 % was not judged: only 12 answers</span>');
});

test("a candidate that was judged bad is said to be, and its mark is another colour", () => {
  const comparison = {
    candidate: { requests: 40, errors: 12, p95Ms: null },
    stable: { requests: 400, errors: 0, p95Ms: 5 },
    weight: 10,
    seconds: 2,
  };
  const bad = { at: BEGIN + 40_000, event: "judged", verdict: "fail", comparison } as const;
  const page = renderReceiptReport(receiptOf({ proxies: [{ proxy: "proxy-1", journal: [bad] }] }));
  expect(textOf(page)).toMatch(/1 0:40 10 % went badly , over 2.s 12 errors of 40 0 errors of 400, p95 5.ms/);
  expect(page).toMatch(/<path[^>]*stroke="var\(--bad\)"/);
});

test("a proxy's clock that is far off moves no mark to a wrong place", () => {
  const journal = JOURNAL.map((entry) => ({ ...entry, at: entry.at + 3_600_000 }));
  const page = renderReceiptReport(receiptOf({ proxies: [{ proxy: "proxy-1", journal }] }));
  expect(page).not.toContain("stroke-dasharray");
  expect(textOf(page)).toContain("1 1:00:24 2.0.0-2 verified");
});

test("a time that is none is shown as such", () => {
  const journal = [{ ...JOURNAL[0]!, at: 1e300 }];
  expect(() => renderReceiptReport(receiptOf({ proxies: [{ proxy: "proxy-1", journal }] }))).not.toThrow();
});

test("failures are told by kind, and drawn", () => {
  const timeline = timelineOf({ 50: 3 });
  const requests = requestsOf({
    failed: 3,
    failures: { "status 503": 2, "connection ECONNRESET": 1 },
    timeline,
  });
  const page = renderReceiptReport(receiptOf({ requests }));
  expect(textOf(page)).toMatch(/status 503: 2 \(67.%\) connection ECONNRESET: 1 \(33.%\)/);
  expect(page).toContain('id="release-failed-wide-c0"');
  expect(textOf(page)).toContain("failed, no release answered , 3");
});

test("requests that wait while the site is recreated are no failures", () => {
  const held = timelineOf().map((point, second) =>
    second === 50 ? { ...point, versions: {}, latencyMs: { p50: 0, p95: 0, p99: 0, max: 0 } } : point,
  );
  const page = renderReceiptReport(receiptOf({ requests: requestsOf({ timeline: held }) }));
  expect(textOf(page)).toContain("None, at any time.");
  expect(page).not.toContain("no release answered");
});

test("where the application names no release, the answers are drawn without", () => {
  const timeline = timelineOf().map((point) => ({ ...point, versions: {} }));
  const page = renderReceiptReport(receiptOf({ requests: requestsOf({ versions: {}, timeline }) }));
  expect(textOf(page)).toContain("good, release unknown , 13,800");
});

test("releases have the colour of their slot", () => {
  const page = renderReceiptReport(receiptOf());
  expect(page).toMatch(/--blue-1\)"><\/span\s*><span\s*><code>1\.0\.0-1/);
  expect(page).toMatch(/--green-1\)"><\/span\s*><span\s*><code>2\.0\.0-2/);
});

describe("the file", () => {
  const page = renderReceiptReport(receiptOf());

  test("is the same for the same receipt", () => {
    expect(renderReceiptReport(receiptOf())).toBe(page);
  });

  test("forbids to load or run anything, and brings nothing of the kind", () => {
    expect(page).toContain(`<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;`);
    expect(tagsOf(page).filter((tag) => /^<(script|link|img|iframe|object|embed|base)\b/i.test(tag))).toEqual(
      [],
    );
    expect(tagsOf(page).filter((tag) => /\s(on\w+|src|href)=/i.test(tag))).toEqual([]);
    expect(page.match(/url\((?!#)/g)).toBeNull();
  });

  test("has each id once", () => {
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("is for phones, for the dark and for paper", () => {
    expect(page).toContain('name="viewport"');
    expect(page).toContain("@media screen and (max-width:");
    expect(page).toContain("@media screen and (prefers-color-scheme: dark)");
    expect(page).toContain("@media print");
  });

  test("has a heading each section, and says in words what a chart shows", () => {
    const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    levels.slice(1).forEach((level, index) => expect(level - levels[index]!).toBeLessThanOrEqual(1));
    expect(page).toMatch(
      /role="img" aria-label="The release: answers per second by release over 1.min 32.s\. Of all answers 1\.0\.0-1 75.%, 2\.0\.0-2 25.%\."/,
    );
  });
});

/** Every text of a receipt that its format leaves free. */
function withTexts(text: string): Receipt {
  return receiptOf({
    environment: text,
    who: { user: text, host: text, ci: { name: text, run: text } },
    from: text,
    to: `${text}2`,
    outcome: text,
    reason: text,
    plan: { live: "blue", proof: text, changes: [{ address: text, actions: [text] }], token: text },
    proxies: [{ proxy: text, journal: [{ ...JOURNAL[0]!, releaseId: text } as (typeof JOURNAL)[number]] }],
    hooks: [{ when: text, name: text, exitCode: 1, seconds: 1, lastLine: text }],
    warnings: [text],
    freezeOverride: { window: text, reason: text },
  });
}

test("whatever a receipt says, it is text: no tag comes of it", () => {
  const withoutAttributes = (page: string): string[] =>
    tagsOf(page).map((tag) => tag.replace(/"[^"]*"/g, '""'));
  const render = (text: string): string[] =>
    withoutAttributes(renderReceiptReport({ ...withTexts(text), requests: null, notMeasured: text }));
  const expected = render("x");
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.constant(HOSTILE)), (text) => {
      expect(render(text)).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("a release's name in a chart's legend and label is text too", () => {
  const timeline = timelineOf().map((point) => ({
    ...point,
    versions: { [HOSTILE]: 149, ["__proto__"]: 1 },
  }));
  const page = renderReceiptReport({
    ...withTexts(HOSTILE),
    requests: requestsOf({
      origin: HOSTILE,
      failures: { [HOSTILE]: 1 },
      versions: { [HOSTILE]: 1 },
      timeline,
    }),
  });
  expect(page).not.toMatch(/<script|<img|\u202e/);
  expect(page.match(/<\/title>/g)).toHaveLength(1);
  expect(page).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
  expect(textOf(page)).toContain("__proto__ , 92");
});
