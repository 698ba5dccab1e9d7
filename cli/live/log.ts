/**
 * What directors do while a release of ours runs, as lines of a log: where nothing can be drawn, a pipeline's page shall
 * not stand still for the minutes of a canary.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describeEntry } from "../../release/journal-words";
import type { ReleaseRecord } from "../../release/record";
import type { Proxies } from "../proxies/proxies";
import { clean } from "./lines";

/** A release that is over before costs no look. */
const INTERVAL_SECONDS = 5;

/** Until `signal` says so. Nothing that it meets stops it: what went wrong, the step's result tells. */
export async function logDirectors(
  proxies: Proxies,
  record: ReleaseRecord,
  say: (line: string) => void,
  signal: AbortSignal,
  intervalSeconds = INTERVAL_SECONDS,
): Promise<void> {
  const told = new Map<string, number>();
  for (;;) {
    await sleep(1000 * intervalSeconds, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const sightings = await proxies.look(record).catch(() => []);
    if (signal.aborted) return;
    for (const { proxy, status } of sightings) {
      if (status?.state.sequence !== record.sequence) continue;
      const { journal } = status.state;
      for (const entry of journal.slice(told.get(proxy) ?? 0))
        say(clean(`${proxy}: ${describeEntry(entry)}`));
      told.set(proxy, journal.length);
    }
  }
}
