/** What a log is told of a proxy, and the figures that the live view makes of its counts. */
import { RequestRates } from "../../../cli/live/request-rates";
import { summary } from "../../../cli/live/summary";
import type { JournalEntry } from "../../../release/journal";
import { describeEntry } from "../../../release/journal-words";
import { endpoints, NOW, PROMOTED, RECORD, seen, SHIFTING, status } from "./snapshots";

describe("a line in a log", () => {
  it("says what users get, and nothing that changes by itself", () => {
    const line = "proxy-1: record 17, 25 % to green; blue 75 % 1.3.0-16, green 25 % 1.4.0-17";
    expect(summary(seen(status(SHIFTING)), { record: RECORD })).toBe(line);
    const later = { ...SHIFTING, deadline: NOW + 1 };
    const rate = { perSecond: 12, errorRatio: 0 };
    expect(summary(seen(status(later), { blue: rate, green: rate }), { record: RECORD })).toBe(line);
  });

  it("names what is odd", () => {
    const odd = status(PROMOTED, {
      traffic: { live: "green", weight: 0, mode: "serve", offset: 0, fallback: false },
      endpoints: {
        blue: endpoints(null),
        green: endpoints("1.4.0-17", {}, { healthy: false, releaseId: null }),
      },
    });
    expect(summary(seen(odd), { record: RECORD })).toBe(
      "proxy-1: record 17, 1.4.0-17 is live in green; blue 0 % nothing, green 100 % 1.4.0-17 (web-2 down)",
    );
    const lost = { proxy: "proxy-1", status: null, problem: "no answer in time", rates: null };
    expect(summary(lost, { record: RECORD })).toBe("proxy-1: no answer in time");
  });

  const at = NOW;
  const figures = { requests: 312, errors: 40, p95Ms: null };
  it.each<[JournalEntry, string]>([
    [
      { at, event: "verified", slot: "green", releaseId: "1.4.0-17", endpoints: 1, seconds: 0.2 },
      "1.4.0-17 verified in green: 1 endpoint in 0.2 s",
    ],
    [{ at, event: "traffic", live: null, weight: 0, mode: "serve" }, "nothing is live: users get a 503 page"],
    [{ at, event: "traffic", live: "blue", weight: 0, mode: "serve" }, "all requests go to blue"],
    [{ at, event: "traffic", live: "blue", weight: 0, mode: "hold" }, "requests of blue wait"],
    [{ at, event: "traffic", live: "blue", weight: 0, mode: "page" }, "blue: users get a 503 page"],
    [
      {
        ...{ at, event: "judged", verdict: "fail" },
        comparison: { candidate: figures, stable: { ...figures, errors: 0 }, weight: 5, seconds: 4 },
      },
      "5 % went badly: candidate 40 of 312 failed; stable 0 of 312 failed",
    ],
    [{ at, event: "drained", slot: "blue", running: 0, cut: false }, "blue is drained"],
    [
      { at, event: "drained", slot: "blue", running: 2, cut: true },
      "blue: 2 requests took longer than the time to drain and were cut",
    ],
  ])("tells %j", (entry, words) => {
    expect(describeEntry(entry)).toBe(words);
  });
});

describe("request rates", () => {
  const counts = (blue: number, errors = 0) => ({
    blue: { requests: blue, errors, inFlight: 0 },
    green: { requests: 0, errors: 0, inFlight: 0 },
  });

  it("are differences of counts, over the last five seconds", () => {
    const rates = new RequestRates();
    expect(rates.add("proxy-1", 0, counts(1_000))).toBeNull();
    expect(rates.add("proxy-1", 1_000, counts(1_100, 10))?.blue).toEqual({ perSecond: 100, errorRatio: 0.1 });
    for (let second = 2; second <= 10; second += 1) rates.add("proxy-1", 1000 * second, counts(1_100, 10));
    expect(rates.add("proxy-1", 11_000, counts(1_150, 10))?.blue).toEqual({ perSecond: 10, errorRatio: 0 });
    expect(rates.add("proxy-2", 11_000, counts(5))).toBeNull();
  });

  it("are over all of the time between two looks that are far apart", () => {
    const rates = new RequestRates();
    rates.add("proxy-1", 0, counts(0));
    expect(rates.add("proxy-1", 60_000, counts(600))?.blue.perSecond).toBe(10);
  });

  it("begin anew with a proxy that started anew", () => {
    const rates = new RequestRates();
    rates.add("proxy-1", 0, counts(1_000));
    expect(rates.add("proxy-1", 1_000, counts(10))).toBeNull();
    expect(rates.add("proxy-1", 2_000, counts(30))?.blue.perSecond).toBe(20);
  });
});
