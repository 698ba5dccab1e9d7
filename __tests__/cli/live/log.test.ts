/** The log lines of a canary in a pipeline. */
import type { Proxies } from "../../../cli/proxies/proxies";
import { logDirectors } from "../../../cli/live/log";
import type { JournalEntry } from "../../../release/journal";
import { NOW, RECORD, seen, SHIFTING, status } from "./snapshots";

const TRAFFIC: JournalEntry = { at: NOW, event: "traffic", live: "blue", weight: 50, mode: "serve" };

/** Polls are answered one after another; the last one ends the log. */
async function logOf(...polls: (() => ReturnType<Proxies["poll"]>)[]): Promise<string[]> {
  const ended = new AbortController();
  const lines: string[] = [];
  const proxies = {
    poll: () => {
      const poll = polls.shift();
      if (poll !== undefined) return poll();
      ended.abort();
      return Promise.resolve([]);
    },
  } as Partial<Proxies> as Proxies;
  await logDirectors(proxies, RECORD, (line) => lines.push(line), ended.signal, 0.001);
  return lines;
}

const answer = (...journal: readonly JournalEntry[]) =>
  Promise.resolve([seen(status({ ...SHIFTING, journal: [...(SHIFTING.journal ?? []), ...journal] }))]);

it("has a line for each event, once, even if a poll fails", async () => {
  const lines = await logOf(
    () => answer(),
    () => Promise.reject(new Error("no answer")),
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

it("calls a weight what it is with affinity: the share of new clients, until all move", async () => {
  const lines = await logOf(() =>
    answer({ ...TRAFFIC, ofNewClients: true }, { ...TRAFFIC, weight: 100, ofNewClients: true }),
  );
  expect(lines.slice(-2)).toEqual([
    "proxy-1: 50 % of new clients go to green",
    "proxy-1: 100 % of the requests go to green",
  ]);
});

it("ignores records other than the applied one", async () => {
  expect(await logOf(() => Promise.resolve([seen(status({ ...SHIFTING, sequence: 16 }))]))).toEqual([]);
});
