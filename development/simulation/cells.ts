/** The cells of the simulation: equal releases, which should pass, and worse ones, which should not. */
import type { ScheduleChoice } from "../../release/schedule";
import { BLUE_GREEN, CANARY } from "./canary";
import { Random } from "./random";
import type { Behaviour, Conditions } from "./site";

export interface Cell {
  readonly name: string;
  /** `limit`: equal, but beyond what the verdict promises (docs/traffic.md). */
  readonly kind: "equal" | "worse" | "limit";
  readonly conditions: Conditions;
  readonly schedule: ScheduleChoice;
}

const logNormal = (median: number, sigma: number) => (random: Random) =>
  median * Math.exp(sigma * random.normal());
/** A cache answers most requests, the rest takes long. */
const twoHumps = (random: Random) =>
  random.next() < 0.9 ? logNormal(10, 0.5)(random) : logNormal(400, 0.5)(random);
/** Three times slower, then less each second. */
const coldCache = (random: Random, secondsOld: number) =>
  logNormal(100, 0.8)(random) * (secondsOld < 4 ? 3 : 1);

/** Some users' answers always take longer, as those of large accounts do. */
const byClient = (random: Random, _: number, client: number) =>
  logNormal(100, 0.5)(random) * Math.exp(0.8 * new Random(client).normal());

const equal = (
  name: string,
  each: Behaviour,
  conditions: Omit<Conditions, "stable" | "candidate">,
  schedule = CANARY,
): Cell => ({
  name: `equal, ${conditions.requestsPerSecond}/s, ${name}`,
  kind: "equal",
  conditions: { ...conditions, stable: each, candidate: each },
  schedule,
});
const worse = (name: string, requestsPerSecond: number, stable: Behaviour, candidate: Behaviour): Cell => ({
  name: `worse, ${requestsPerSecond}/s, ${name}`,
  kind: "worse",
  conditions: { requestsPerSecond, stable, candidate },
  schedule: CANARY,
});

export const CELLS: readonly Cell[] = [
  ...[5, 20, 100, 400].flatMap((requestsPerSecond) =>
    [0.002, 0.005, 0.01, 0.02, 0.1].map((errors) =>
      equal(`${100 * errors} % errors`, { errors }, { requestsPerSecond }),
    ),
  ),
  ...[1, 1000].map((requestsPerSecond) => equal("1 % errors", { errors: 0.01 }, { requestsPerSecond })),
  ...[5, 20, 100].flatMap((requestsPerSecond) => [
    ...[
      [50, 0.8],
      [100, 1],
      [100, 1.5],
    ].map(([median, sigma]) =>
      equal(
        `latency of ${median} ms, sigma ${sigma}`,
        { errors: 0, latency: logNormal(median!, sigma!) },
        { requestsPerSecond },
      ),
    ),
    equal("two-humped latency", { errors: 0, latency: twoHumps }, { requestsPerSecond }),
    equal("slow answers of some users", { errors: 0, latency: byClient }, { requestsPerSecond }),
    equal("a cold cache", { errors: 0, latency: coldCache }, { requestsPerSecond }),
  ]),
  ...[20, 100].flatMap((requestsPerSecond) => {
    const one = { errors: 0.01 };
    return [
      ...[5, 10].map((runs) =>
        equal(`errors in runs of ${runs}`, { errors: 0.005 }, { requestsPerSecond, runs }),
      ),
      {
        ...equal("errors in runs of 5, clients unknown", one, { requestsPerSecond, runs: 5, clients: false }),
        kind: "limit" as const,
      },
      equal("an outage of 20 s", one, { requestsPerSecond, outageSeconds: 20 }),
      equal("the proxy restarts", one, { requestsPerSecond, restarts: true }),
      equal("blue/green", one, { requestsPerSecond }, BLUE_GREEN),
      equal("blue/green, an outage of 20 s", one, { requestsPerSecond, outageSeconds: 20 }, BLUE_GREEN),
    ];
  }),
  ...[20, 100].flatMap((rate) => [
    worse("0.1 to 1 % errors", rate, { errors: 0.001 }, { errors: 0.01 }),
    worse("1 to 10 % errors", rate, { errors: 0.01 }, { errors: 0.1 }),
    worse("always failing", rate, { errors: 0 }, { errors: 1 }),
    worse("all redirects", rate, { errors: 0.01 }, { errors: 0.01, redirects: 1 }),
    worse("every tenth answer is 404", rate, { errors: 0.01 }, { errors: 0.01, refusals: 0.1 }),
    ...[0.3, 0.8, 1].map((sigma) =>
      worse(
        `three times slower, sigma ${sigma}`,
        rate,
        { errors: 0, latency: logNormal(100, sigma) },
        { errors: 0, latency: logNormal(300, sigma) },
      ),
    ),
  ]),
];
