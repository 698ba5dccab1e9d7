/**
 * The director's journal of one sequence, for its receipt: how it grows, which entries go if there is no room, and
 * which one did not take effect. Pure.
 */
import type { JournalEntry } from "../../release/journal";
import { sameTraffic } from "./drivers/driver";
import type { Traffic } from "./drivers/driver";
import type { State } from "./state";

const KEEP_ENTRIES = 60;

type WithoutTime<Entry> = Entry extends unknown ? Omit<Entry, "at"> : never;
/** An entry without its time. */
export type NewEntry = WithoutTime<JournalEntry>;

export function extended(journal: readonly JournalEntry[], entry: JournalEntry): JournalEntry[] {
  const all = [...journal, entry];
  return all.length > KEEP_ENTRIES ? thinned(all) : all;
}

/** Removes the least important entry: first a weight that passed, then an early change. The end is kept longest. */
export function thinned(journal: readonly JournalEntry[]): JournalEntry[] {
  const lastTraffic = journal.findLastIndex(({ event }) => event === "traffic");
  const wentWell = journal.findIndex(
    (entry) => entry.event === "judged" && entry.verdict === "pass" && entry.comparison.weight < 100,
  );
  const early = journal.findIndex(({ event }, index) => event === "traffic" && index !== lastTraffic);
  const least = [wentWell, early, 0].find((index) => index >= 0);
  return journal.filter((_, index) => index !== least);
}

/** Whether users notice the difference. The journal records only such changes. */
export function differs(one: Traffic, other: Traffic): boolean {
  return one.live !== other.live || one.weight !== other.weight || one.mode !== other.mode;
}

/**
 * The journal without a change that did not take effect. A change is recorded with the intention, so that none is
 * missing after a crash. If the proxy still has the traffic from before, the last change did not happen.
 */
export function appliedEntries({ journal, traffic }: State, observed: Traffic): JournalEntry[] {
  const { intended, before } = traffic;
  const happened = !sameTraffic(observed, before) || !differs(intended, before);
  const last = journal.findLastIndex(({ event }) => event === "traffic");
  const entry = journal[last];
  const isIntention =
    entry?.event === "traffic" &&
    entry.live === intended.live &&
    entry.weight === intended.weight &&
    entry.mode === intended.mode;
  return happened || !isIntention ? journal : journal.filter((_, index) => index !== last);
}
