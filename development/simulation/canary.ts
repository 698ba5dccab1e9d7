/** Releases a candidate on a simulated site with the director's real steps, and tells how it ended. */
import { stepSpec } from "../../configuration/director-spec";
import type { DirectorSpec } from "../../configuration/director-spec";
import { parseEnvironment } from "../../configuration/environment-file";
import { Director } from "../../on-server/director/director";
import { NEVER_LIVE } from "../../on-server/director/state";
import type { State } from "../../on-server/director/state";
import { begin } from "../../on-server/director/steps/begin";
import { switchTraffic } from "../../on-server/director/steps/switch";
import { emptyRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { ScheduleChoice } from "../../release/schedule";
import { release } from "../../release/transitions";
import { Random } from "./random";
import { SimulatedSite } from "./site";
import type { Conditions } from "./site";

/** How long stable is watched before the candidate: between begin and the first weight. */
const BEFORE_SECONDS = 60;

export interface Ending {
  readonly promoted: boolean;
  readonly reason: string;
  /** From the candidate's first weight to the end. */
  readonly seconds: number;
  /** Users' failed answers from the candidate. */
  readonly failed: number;
}

export const CANARY: ScheduleChoice = { strategy: "canary", drainSeconds: 0 };
export const BLUE_GREEN: ScheduleChoice = { strategy: "blueGreen", drainSeconds: 0 };

const records = new Map<string, readonly DirectorSpec[]>();

export async function simulate(conditions: Conditions, seed: number, schedule = CANARY): Promise<Ending> {
  const [first, second] = specs(schedule);
  const { steps, stepSeconds, bakeSeconds } = second!.schedule;
  const site = new SimulatedSite(
    conditions,
    new Random(seed),
    (steps.length - 1) * stepSeconds + bakeSeconds,
  );
  let state: State = NEVER_LIVE;
  const director = (spec: DirectorSpec) =>
    new Director({
      spec,
      driver: site.driver,
      probe: async (place, expected) => {
        const { server } = place as { readonly server: string };
        const fails = site.ownFails(server === "web-1" ? "blue" : "green");
        const slot = server === "web-1" ? "blue" : "green";
        const problem = fails && spec === second ? "status 503, expected 200" : "";
        const releaseId = expected ?? spec.slots[slot]?.releaseId ?? null;
        return { healthy: problem === "", releaseId, problem, milliseconds: 3 };
      },
      attempt: async () => ({ problem: "", milliseconds: 3 }),
      look: async () => ({ status: 200, kind: "text/html", isEmpty: false, problem: "" }),
      store: { load: () => state, save: (next) => void (state = next) },
      clock: { now: () => site.now, sleep: async (milliseconds) => site.advance(milliseconds) },
      interruption: { check: () => undefined },
      logEvent: () => undefined,
    });
  await begin(director(first!));
  await switchTraffic(director(first!));
  await begin(director(second!));
  site.advance(1000 * BEFORE_SECONDS);
  const startedAt = site.now;
  const ending = (promoted: boolean, reason: string): Ending => {
    const seconds = (site.now - startedAt) / 1000;
    return { promoted, reason, seconds, failed: site.failed };
  };
  try {
    const { outcome, reason } = await switchTraffic(director(second!));
    return ending(outcome === "promoted", reason);
  } catch (error) {
    return ending(false, (error as Error).message);
  }
}

function specs(schedule: ScheduleChoice): readonly DirectorSpec[] {
  const key = JSON.stringify(schedule);
  const known = records.get(key);
  if (known !== undefined) return known;
  const environment = parseEnvironment(
    JSON.stringify({
      ...{ formatVersion: 1, application: "demo", name: "simulated", record: "release.json" },
      ...{
        platform: { kind: "local" },
        topology: "split",
        servers: { count: 2 },
        start: ["node", "server.js"],
      },
      ...{ verification: { successes: 1, intervalSeconds: 0.1, deadlineSeconds: 5 }, schedule },
    }),
    "simulated.json",
  );
  const artifact = (version: string) => ({
    version,
    artifact: {
      url: `https://example.com/${version}.zip`,
      sha256: version
        .repeat(22)
        .replace(/[^0-9]/g, "")
        .padEnd(64, "0")
        .slice(0, 64),
    },
  });
  const never = { live: null, releaseId: null, serving: [] };
  const first: ReleaseRecord = release(emptyRecord("demo"), artifact("1.0.0"), never, {
    goal: "live",
    environmentSchedule: environment.schedule,
  });
  const observed = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] } as const;
  const second = release(first, artifact("1.1.0"), observed, {
    goal: "live",
    environmentSchedule: environment.schedule,
  });
  const made = [stepSpec(environment, first, 0), stepSpec(environment, second, 0)];
  records.set(key, made);
  return made;
}
