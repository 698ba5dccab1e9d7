/** What a pipeline's page is told of a canary while it runs. */
import type { Proxies } from "../../../cli/proxies/proxies";
import { logDirectors } from "../../../cli/live/log";
import type { JournalEntry } from "../../../release/journal";
import { NOW, RECORD, seen, SHIFTING, status } from "./snapshots";

const TRAFFIC: JournalEntry = { at: NOW, event: "traffic", live: "blue", weight: 50, mode: "serve" };

/** Looks are answered one after another; the last one ends the log. */
async function logOf(...looks: (() => ReturnType<Proxies["look"]>)[]): Promise<string[]> {
  const ended = new AbortController();
  const lines: string[] = [];
  const proxies = {
    look: () => {
      const look = looks.shift();
      if (look !== undefined) return look();
      ended.abort();
      return Promise.resolve([]);
    },
  } as Partial<Proxies> as Proxies;
  await logDirectors(proxies, RECORD, (line) => lines.push(line), ended.signal, 0.001);
  return lines;
}

const answer = (...journal: readonly JournalEntry[]) =>
  Promise.resolve([seen(status({ ...SHIFTING, journal: [...(SHIFTING.journal ?? []), ...journal] }))]);

it("has a line for each event, once, whatever a look meets meanwhile", async () => {
  const lines = await logOf(
    () => answer(),
    () => Promise.reject(new Error("nobody answers")),
    () => answer(TRAFFIC),
    () => answer(TRAFFIC),
  );
  expect(lines).toEqual([
    "proxy-1: 1.4.0-17 verified in green: 2 endpoints in 1.2 s",
    "proxy-1: 5 % of the requests go to green",
    "proxy-1: 5 % went well: candidate 0 of 40 failed, p95 12 ms; stable 0 of 760 failed, p95 12 ms",
    "proxy-1: 25 % of the requests go to green",
    "proxy-1: 50 % of the requests go to green",
  ]);
});

it("says nothing of another record than the one that is applied", async () => {
  expect(await logOf(() => Promise.resolve([seen(status({ ...SHIFTING, sequence: 16 }))]))).toEqual([]);
});
