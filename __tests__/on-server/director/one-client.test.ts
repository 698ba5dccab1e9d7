/** One client does not decide about a release, many clients do: from counts alone. */
import * as fc from "fast-check";
import { judgeErrors, judgeLatency, together } from "../../../on-server/director/analysis";
import type { Judgement, Sample } from "../../../on-server/director/analysis";
import type { ClientCounts, SlotCounts } from "../../../on-server/director/drivers/driver";
import { judgeWithoutOneClient, sharedAddress } from "../../../on-server/director/one-client";
import { Strategy } from "../../../release/schedule";

const { analysis } = Strategy.canary({
  analysis: { minimumRequests: 20, maxErrorRatio: 0.02, maxLatencyRatio: 2, latencySlackMs: 10 },
});

const { minimumRequests } = analysis;

type Clients = Readonly<Record<string, ClientCounts>>;
interface Site {
  readonly candidate: Clients;
  readonly stable: Clients;
}

const answers = (requests: number, errors = 0, milliseconds = 5): ClientCounts => ({
  requests,
  errors,
  latency: { [milliseconds]: requests },
});

/** As a driver counts a slot: all answers, and the same by client. */
const sampleOf = (clients: Clients): Sample => ({ ...together(...Object.values(clients)), clients });
const countsOf = (clients: Clients): SlotCounts => ({ ...sampleOf(clients), inFlight: 0, endpoints: [] });

const judgedBy =
  (rule: typeof judgeErrors) =>
  ({ candidate, stable }: Site): Judgement => {
    const shared = sharedAddress([countsOf(candidate), countsOf(stable)], minimumRequests);
    return judgeWithoutOneClient(
      { candidate: sampleOf(candidate), stable: sampleOf(stable) },
      (one, other) => rule(one, other, analysis),
      { shared, minimumRequests },
    );
  };
const errors = judgedBy(judgeErrors);
const latency = judgedBy(judgeLatency);

const office = (count: number, each: ClientCounts, from = 0): Clients =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`127.0.0.1|${from + index}`, each]));
const visitors = (count: number, each: ClientCounts): Clients =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`127.0.1.${index}|${index % 100}`, each]));
const spread = (count: number, each: ClientCounts): Clients =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`127.9.9.9|${index % 100}`, each]));

test.each<[string, Site, string]>([
  [
    "one visitor with a URL that fails in both releases",
    {
      candidate: { ...visitors(11, answers(1)), "127.9.9.9|3": answers(3, 3) },
      stable: visitors(200, answers(1)),
    },
    "pass",
  ],
  [
    "the same visitor, who drops the cookie and gets every bucket",
    {
      candidate: { ...visitors(30, answers(1)), ...spread(90, answers(1, 1)) },
      stable: visitors(60, answers(1)),
    },
    "pass",
  ],
  [
    "the only visitor of the candidate, beside many of stable",
    { candidate: { "127.9.9.9|3": answers(50, 50) }, stable: visitors(200, answers(1)) },
    "pass",
  ],
  [
    "a visitor with a /64 of IPv6 addresses",
    {
      candidate: {
        ...visitors(30, answers(1)),
        "2001:db8:0:7::1|3": answers(1, 1),
        "2001:db8::7:dead:beef:0:1|3": answers(2, 2),
        "2001:0db8:0000:0007:a:b:c:d|4": answers(9, 9),
      },
      stable: visitors(200, answers(1)),
    },
    "pass",
  ],
  [
    "an IPv4 address in both notations",
    {
      candidate: {
        ...visitors(30, answers(1)),
        "::ffff:127.9.9.9|3": answers(5, 5),
        "127.9.9.9|3": answers(5, 5),
      },
      stable: visitors(200, answers(1)),
    },
    "pass",
  ],
  [
    "two visitors",
    {
      candidate: { ...visitors(11, answers(1)), "127.9.9.9|3": answers(3, 3), "127.9.9.8|3": answers(3, 3) },
      stable: visitors(200, answers(1)),
    },
    "fail",
  ],
  [
    "an office, where one person's page fails",
    {
      candidate: { ...office(5, answers(9)), "127.0.0.1|9": answers(9, 9) },
      stable: office(95, answers(9), 10),
    },
    "pass",
  ],
  [
    "an office, where everybody's page fails",
    { candidate: office(5, answers(9, 3)), stable: office(95, answers(9), 5) },
    "fail",
  ],
  [
    "an office whose candidate has a single bucket",
    { candidate: office(1, answers(90, 30)), stable: office(99, answers(9), 1) },
    "fail",
  ],
  ["a site with one visitor", { candidate: { "127.0.0.1|3": answers(9, 9) }, stable: {} }, "fail"],
  [
    "one visitor whose good answers hide that the others' fail",
    {
      candidate: { ...visitors(50, answers(1, 1)), "127.9.9.9|3": answers(9_000) },
      stable: visitors(200, answers(1)),
    },
    "fail",
  ],
  [
    "one visitor whose failed answers make stable look bad",
    {
      candidate: visitors(50, answers(4, 1)),
      stable: { ...visitors(200, answers(1)), "127.9.9.9|3": answers(900, 900) },
    },
    "fail",
  ],
])("errors: %s", (_, site, verdict) => {
  expect(errors(site).verdict).toBe(verdict);
});

test.each<[string, Site, string]>([
  [
    "one visitor of a slow page",
    {
      candidate: { ...visitors(40, answers(1)), "127.9.9.9|3": answers(20, 0, 992) },
      stable: visitors(90, answers(1)),
    },
    "pass",
  ],
  [
    "nearly only a visitor of a slow page",
    {
      candidate: { ...visitors(3, answers(1)), "127.9.9.9|3": answers(20, 0, 992) },
      stable: visitors(90, answers(1)),
    },
    "inconclusive",
  ],
  [
    "slow pages of many",
    { candidate: visitors(40, answers(1, 0, 992)), stable: visitors(90, answers(1)) },
    "fail",
  ],
])("latency: %s", (_, site, verdict) => {
  expect(latency(site).verdict).toBe(verdict);
});

test("without clients today's rule applies", () => {
  const bad = { requests: 14, errors: 3, latency: {} };
  const good = { requests: 200, errors: 0, latency: {} };
  const options = { shared: null, minimumRequests };
  const judged = judgeWithoutOneClient(
    { candidate: bad, stable: good },
    (one, other) => judgeErrors(one, other, analysis),
    options,
  );
  expect(judged).toEqual(judgeErrors(bad, good, analysis));
});

test("the reason has the figures without the worst client, and no address", () => {
  const candidate = { ...visitors(40, answers(1, 1)), "127.9.9.9|3": answers(60, 60) };
  expect(errors({ candidate, stable: visitors(200, answers(1)) })).toMatchObject({
    verdict: "fail",
    reason:
      "40 of 40 answers failed (100.0 %), stable 0.0 %, allowed 2.0 % more; one client's 60 failures were left out",
    leftOut: 60,
  });
});

test("a pass names what it left out", () => {
  const candidate = { ...visitors(11, answers(1)), "127.9.9.9|3": answers(3, 3) };
  expect(errors({ candidate, stable: visitors(200, answers(1)) })).toEqual({ verdict: "pass", leftOut: 3 });
});

const bucket = fc.integer({ min: 0, max: 99 });
const counted = (most: number) =>
  fc
    .tuple(
      fc.integer({ min: 1, max: most }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 3000 }),
    )
    .map(([requests, part, milliseconds]) => answers(requests, Math.round(requests * part), milliseconds));
const rarelyBad = (most: number) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: most }).map((each) => answers(each)) },
    { weight: 1, arbitrary: counted(most) },
  );

const others = (least: number) =>
  fc
    .array(fc.tuple(fc.integer({ min: 0, max: 40 }), bucket, rarelyBad(40)), {
      minLength: least,
      maxLength: 60,
    })
    .map((each) =>
      Object.fromEntries(each.map(([host, at, counts]) => [`127.0.1.${host}|${at}`, counts] as const)),
    );
const oneClient = fc
  .array(fc.tuple(bucket, counted(5_000)), { maxLength: 100 })
  .map((each) => Object.fromEntries(each.map(([at, counts]) => [`127.9.9.9|${at}`, counts] as const)));

const requestsOf = (clients: Clients): number => together(...Object.values(clients)).requests;
const byAddress = (clients: Clients): Map<string, number> => {
  const all = new Map<string, number>();
  for (const [key, { requests }] of Object.entries(clients)) {
    const address = key.split("|")[0]!;
    all.set(address, (all.get(address) ?? 0) + requests);
  }
  return all;
};
/** At least two addresses, none of which has most requests of a side, with enough answers on both. */
const isOrdinary = (clients: Clients): boolean =>
  requestsOf(clients) >= minimumRequests &&
  [...byAddress(clients).values()].every((each) => 2 * each <= requestsOf(clients));

test.each([
  ["errors", judgeErrors, errors],
  ["latency", judgeLatency, latency],
] as const)("one more client, whatever it does, never turns a pass into a failure: %s", (_, rule, judge) => {
  let failsWithIt = 0;
  fc.assert(
    fc.property(others(2), others(2), oneClient, oneClient, (candidate, stable, there, here) => {
      fc.pre(isOrdinary(candidate) && isOrdinary(stable));
      fc.pre(rule(sampleOf(candidate), sampleOf(stable), analysis).verdict === "pass");
      const site = { candidate: { ...candidate, ...there }, stable: { ...stable, ...here } };
      if (rule(sampleOf(site.candidate), sampleOf(site.stable), analysis).verdict === "fail")
        failsWithIt += 1;
      expect(judge(site).verdict).not.toBe("fail");
    }),
    { numRuns: 300, seed: 24 },
  );
  // Without the rule these clients do veto.
  expect(failsWithIt).toBeGreaterThan(20);
});

test("a release that is bad for a part of many clients fails, whatever one more client does", () => {
  const badPart = fc.integer({ min: 10, max: 100 });
  fc.assert(
    fc.property(
      badPart,
      fc.integer({ min: 60, max: 250 }),
      oneClient,
      oneClient,
      (percent, count, there, here) => {
        const candidate = Object.fromEntries(
          Array.from({ length: count }, (_, index) => {
            const failed = (index * percent) % 100 < percent ? 2 : 0;
            return [`127.0.1.${index}|${index % 100}`, answers(2, failed)] as const;
          }),
        );
        const stable = visitors(200, answers(2));
        const site = { candidate: { ...candidate, ...there }, stable: { ...stable, ...here } };
        const clients = requestsOf(there) > requestsOf(candidate) || requestsOf(here) > requestsOf(stable);
        // Below that it only dilutes, as any ordinary user does.
        fc.pre(clients || requestsOf(there) + requestsOf(here) === 0);
        expect(errors(site).verdict).toBe("fail");
        expect(errors({ candidate, stable }).verdict).toBe("fail");
      },
    ),
    { numRuns: 200, seed: 24 },
  );
});
