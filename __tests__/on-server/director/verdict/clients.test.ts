/** One client does not decide about a release, many clients do: from counts alone. */
import * as fc from "fast-check";
import { NOTHING, together } from "../../../../on-server/director/analysis";
import type { Sample } from "../../../../on-server/director/analysis";
import type { ClientCounts, SlotCounts } from "../../../../on-server/director/drivers/driver";
import { CandidateVerdict } from "../../../../on-server/director/verdict/candidate-verdict";
import { clientName, sharedAddress } from "../../../../on-server/director/verdict/clients";
import { analysisSettings, Strategy } from "../../../../release/schedule";
import { OF_USERS } from "../../../../release/sequential-test";

const analysis = analysisSettings(Strategy.canary().analysis);

type Clients = Readonly<Record<string, ClientCounts>>;
interface Site {
  readonly candidate: Clients;
  readonly stable: Clients;
}

const NONE = { interval: NOTHING, oldest: NOTHING, newest: NOTHING };

const answers = (requests: number, errors = 0): ClientCounts => ({ requests, errors, latency: {} });

/** As a driver counts a slot: all answers, and the same by client. */
const sampleOf = (clients: Clients): Sample => ({ ...together(...Object.values(clients)), clients });
const countsOf = (clients: Clients): SlotCounts => ({ ...sampleOf(clients), inFlight: 0, endpoints: [] });

/** The verdict on one look. */
function verdictOn({ candidate, stable }: Site, weight = 5): CandidateVerdict {
  const shared = sharedAddress([countsOf(candidate), countsOf(stable)], analysis.minimumRequests);
  const verdict = new CandidateVerdict(analysis, OF_USERS, (key) => clientName(key, shared, weight));
  verdict.add({ at: 0, weight, candidate: sampleOf(candidate), stable: sampleOf(stable) });
  return verdict;
}
const fails = (site: Site, weight?: number) => verdictOn(site, weight).finding(() => NONE) !== null;

const office = (count: number, each: ClientCounts, from = 0): Clients =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`127.0.0.1|${from + index}`, each]));
const visitors = (count: number, each: ClientCounts): Clients =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`127.0.1.${index}|${index % 100}`, each]));
const spread = (count: number, each: ClientCounts): Clients =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`127.9.9.9|${index % 100}`, each]));

test.each<[string, Site, boolean]>([
  [
    "one visitor with a URL that fails in both releases",
    {
      candidate: { ...visitors(11, answers(1)), "127.9.9.9|3": answers(30, 30) },
      stable: visitors(200, answers(1)),
    },
    false,
  ],
  [
    "the same visitor, who drops the cookie and gets every bucket",
    {
      candidate: { ...visitors(30, answers(1)), ...spread(90, answers(1, 1)) },
      stable: visitors(60, answers(1)),
    },
    false,
  ],
  [
    "the only visitor of the candidate, beside many of stable",
    { candidate: { "127.9.9.9|3": answers(50, 50) }, stable: visitors(200, answers(1)) },
    false,
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
    false,
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
    false,
  ],
  [
    "a few visitors of a site that has failed for none",
    {
      candidate: {
        ...visitors(11, answers(1)),
        ...Object.fromEntries([5, 6, 7, 8, 9].map((host) => [`127.9.9.${host}|3`, answers(3, 3)])),
      },
      stable: visitors(200, answers(1)),
    },
    true,
  ],
  [
    "an office, where one person's page fails",
    {
      candidate: { ...office(5, answers(9)), "127.0.0.1|9": answers(9, 9) },
      stable: office(95, answers(9), 10),
    },
    false,
  ],
  [
    "an office, where everybody's page fails",
    { candidate: office(5, answers(9, 3)), stable: office(95, answers(9), 5) },
    true,
  ],
  [
    "one visitor whose good answers hide that the others' fail",
    {
      candidate: { ...visitors(50, answers(1, 1)), "127.9.9.9|3": answers(9_000) },
      stable: visitors(200, answers(1)),
    },
    true,
  ],
  [
    "one visitor whose failed answers make stable look bad",
    {
      candidate: visitors(50, answers(4, 1)),
      stable: { ...visitors(200, answers(1)), "127.9.9.9|3": answers(900, 900) },
    },
    true,
  ],
])("%s", (_, site, expected) => {
  expect(fails(site)).toBe(expected);
});

test("an office whose candidate has a single bucket, at a weight of 1 %: its failed answers count", () => {
  expect(fails({ candidate: office(1, answers(90, 30)), stable: office(99, answers(9), 1) }, 1)).toBe(true);
});

test("what is left out is reported, without an address", () => {
  const candidate = { ...visitors(40, answers(1, 1)), "127.9.9.9|3": answers(60, 60) };
  const verdict = verdictOn({ candidate, stable: visitors(200, answers(1)) });
  expect(verdict.finding(() => NONE)?.reason).toMatch(/^all of its 100 answers failed/);
  expect(verdict.leftOut).toBe(60);
});

test("a client that fails again counts once in half a minute, and its good answers meanwhile don't either", () => {
  const verdict = new CandidateVerdict(analysis);
  const repeats = {
    "127.9.9.1|1": answers(1, 1),
    "127.9.9.2|1": answers(1, 1),
    "127.9.9.3|1": answers(1, 1),
  };
  const look = (at: number) =>
    verdict.add({
      at,
      weight: 5,
      candidate: sampleOf({ ...visitors(3, answers(1)), ...repeats }),
      stable: sampleOf(visitors(57, answers(1))),
    });
  for (let at = 0; at < 29_000; at += 250) look(at);
  expect(verdict.finding(() => NONE)).toBeNull();
  for (let at = 29_000; at < 65_000; at += 250) look(at);
  expect(verdict.finding(() => NONE)).not.toBeNull();
});

const bucket = fc.integer({ min: 0, max: 99 });
const badClient = fc
  .array(fc.tuple(bucket, fc.integer({ min: 1, max: 5_000 }), fc.double({ min: 0, max: 1, noNaN: true })), {
    maxLength: 100,
  })
  .map((each) =>
    Object.fromEntries(
      each.map(([at, requests, part]) => [`127.9.9.9|${at}`, answers(requests, Math.round(requests * part))]),
    ),
  );

test("one more client, whatever it gets, never turns a pass into a failure", () => {
  const usual = (most: number) => fc.array(fc.boolean(), { minLength: 40, maxLength: most });
  const clients = (each: boolean[]) =>
    Object.fromEntries(
      each.map((isBad, index) => [`127.0.1.${index}|${index % 100}`, answers(3, isBad ? 1 : 0)]),
    );
  let alike = 0;
  fc.assert(
    fc.property(usual(60), usual(200), badClient, (candidate, stable, there) => {
      const site = { candidate: clients(candidate), stable: clients(stable) };
      fc.pre(!fails(site));
      alike += 1;
      expect(fails({ ...site, candidate: { ...site.candidate, ...there } })).toBe(false);
    }),
    { numRuns: 300, seed: 24 },
  );
  expect(alike).toBeGreaterThan(200);
});
