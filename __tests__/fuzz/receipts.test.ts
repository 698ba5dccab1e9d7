/** Receipts that somebody wrote or damaged: a page of text, lines of text, or one line that says why not. */
import * as fc from "fast-check";
import { formatHistory, formatReceiptInFull } from "../../cli/receipts/history";
import { renderReceiptReport } from "../../cli/report/receipt-report";
import { renderMeasureReport } from "../../cli/report/measure-report";
import { out } from "../../cli/terminal/colours";
import type { JournalEntry } from "../../release/journal";
import { MeasureReceipt, Receipt } from "../../release/receipt";
import { parseFile } from "../../release/validation";
import { BEGIN, JOURNAL, receiptOf, requestsOf, timelineOf, usersEntry } from "../cli/report/examples";
import { everyTextChanged, mutated, readOrRefused, runs } from "./hostile";

const JUDGED: JournalEntry = {
  ...{ at: BEGIN + 60_000, event: "judged", verdict: "pass" },
  comparison: {
    candidate: { requests: 900, errors: 31, p95Ms: 12 },
    stable: { requests: 2_700, errors: 9, p95Ms: 11 },
    ...{ weight: 25, seconds: 60, failed: { estimate: 0.031, low: 0.018, high: 0.049 }, confidence: 0.9 },
    ...{ gathered: "29 of 31 failed answers came from web-2", notJudged: "only 12 answers" },
  },
};
const SHORT = receiptOf({
  requests: requestsOf({ timeline: timelineOf().slice(20, 30) }),
  proxies: [{ proxy: "proxy-1", journal: [...JOURNAL.slice(0, 3), JUDGED, usersEntry()] }],
});
const MEASURED: MeasureReceipt = {
  formatVersion: 1,
  action: "measure",
  application: "socialgoal",
  environment: "local",
  who: SHORT.who,
  command: ["make", "deploy"],
  startedAt: SHORT.startedAt,
  endedAt: SHORT.endedAt,
  seconds: 92,
  commandExitCode: 0,
  allowedFailures: 0,
  outcome: "unnoticed",
  exitCode: 0,
  reason: "nobody noticed",
  requests: SHORT.requests,
  notMeasured: null,
};

/** What the report's own templates are made of. */
const KNOWN_TAGS = new Set(
  (
    "!doctype html head meta title style body header main footer section p span strong small i b em code pre h1 h2 h3 " +
    "dl dt dd div ul ol li table thead tbody tr th td details summary figure figcaption " +
    "svg g path text tspan rect defs clippath line polyline polygon circle"
  ).split(" "),
);
const nameOf = (tag: string): string => /^<\/?([^\s/>]*)/.exec(tag)![1]!.toLowerCase();

function expectOnlyText(page: string): void {
  const tags = page.replace(/<style>[^]*?<\/style>/, "").match(/<[^>]*>/g)!;
  expect(tags.filter((tag) => !KNOWN_TAGS.has(nameOf(tag)))).toEqual([]);
  expect(
    tags.filter((tag) =>
      /\s(on\w+|src|href|xlink:href|srcset|action)\s*=/i.test(tag.replace(/"[^"]*"/g, '""')),
    ),
  ).toEqual([]);
  expect(page.match(/<h1>/g)).toHaveLength(1);
  expect(page.match(/<\/title>/g)).toHaveLength(1);
  expect(page).not.toMatch(/[\u0000\u001b\u202e\u2028]/);
  expect(page).not.toMatch(/\b(NaN|undefined)\b/);
}

/** A terminal shows it, and does nothing else. */
function expectOnlyLines(text: string): void {
  expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
}

function read(document: unknown): Receipt | null {
  return readOrRefused(() => parseFile(Receipt, JSON.stringify(document), "1.json"));
}

function expectShown(document: unknown): void {
  const receipt = read(document);
  if (receipt === null) return;
  expectOnlyText(renderReceiptReport(receipt));
  const lines = formatHistory([receipt, receipt], out).split("\n");
  expect(lines).toHaveLength(2);
  lines.forEach(expectOnlyLines);
  expectOnlyLines(formatReceiptInFull(receipt, out));
}

test("what is changed here is shown before", () => expectShown(SHORT));

test("a proxy's clock that says no time", () => {
  const [entry] = SHORT.proxies[0]!.journal;
  const proxies = [{ proxy: "proxy-1", journal: [{ ...entry!, at: 1e300 }] }];
  expect(formatReceiptInFull({ ...SHORT, proxies }, out)).toContain("proxy-1   invalid time ");
});

test("a receipt with changes", () => {
  fc.assert(fc.property(mutated(fc.constant(SHORT)), expectShown), runs(1));
});

test("any one text of a receipt, in the lines of `history`", () => {
  const small = { ...SHORT, requests: requestsOf({ timeline: [] }), plan: null };
  const full = formatReceiptInFull(small, out).split("\n").length;
  for (const document of everyTextChanged(small)) {
    const receipt = read(document);
    if (receipt === null) continue;
    expect(formatHistory([receipt], out).split("\n")).toHaveLength(1);
    const text = formatReceiptInFull(receipt, out);
    expectOnlyLines(text);
    expect(text.split("\n")).toHaveLength(full);
  }
});

test("a measurement's receipt with changes", () => {
  fc.assert(
    fc.property(mutated(fc.constant(MEASURED)), (document) => {
      const receipt = readOrRefused(() => parseFile(MeasureReceipt, JSON.stringify(document), "m.json"));
      if (receipt !== null) expectOnlyText(renderMeasureReport(receipt));
    }),
    runs(0.7),
  );
});
