/** The directors' journal entries as log lines while a release runs, for example in a pipeline. */
import { setTimeout as sleep } from "node:timers/promises";
import { describeEntry } from "../../release/journal-words";
import type { ReleaseRecord } from "../../release/record";
import type { Proxies } from "../proxies/proxies";
import { clean } from "./lines";

/** A shorter release needs no poll. */
const INTERVAL_SECONDS = 5;

/** Runs until `signal` aborts. Errors don't stop it: the step's result reports failures. */
export async function logDirectors(
  proxies: Proxies,
  record: ReleaseRecord,
  print: (line: string) => void,
  signal: AbortSignal,
  intervalSeconds = INTERVAL_SECONDS,
): Promise<void> {
  const printed = new Map<string, number>();
  for (;;) {
    await sleep(1000 * intervalSeconds, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const results = await proxies.poll(record).catch(() => []);
    if (signal.aborted) return;
    for (const { proxy, status } of results) {
      if (status?.state.sequence !== record.sequence) continue;
      const { journal } = status.state;
      for (const entry of journal.slice(printed.get(proxy) ?? 0))
        print(clean(`${proxy}: ${describeEntry(entry)}`));
      printed.set(proxy, journal.length);
    }
  }
}
