/**
 * The director's journal of one sequence, for its receipt: how it grows, what is left out where there is no room, and
 * what of it did not come true. Pure.
 */
import type { JournalEntry } from "../../release/journal";
import { sameTraffic } from "./drivers/driver";
import type { Traffic } from "./drivers/driver";
import type { State } from "./state";

const KEEP_ENTRIES = 60;

type WithoutTime<Entry> = Entry extends unknown ? Omit<Entry, "at"> : never;
/** An entry before the clock was asked. */
export type Happening = WithoutTime<JournalEntry>;

export function extended(journal: readonly JournalEntry[], entry: JournalEntry): JournalEntry[] {
  const all = [...journal, entry];
  return all.length > KEEP_ENTRIES ? thinned(all) : all;
}

/** One entry less. Least is lost with a weight that went well, then with an early change; the end is kept longest. */
export function thinned(journal: readonly JournalEntry[]): JournalEntry[] {
  const lastTraffic = journal.findLastIndex(({ event }) => event === "traffic");
  const wentWell = journal.findIndex(
    (entry) => entry.event === "judged" && entry.verdict === "pass" && entry.comparison.weight < 100,
  );
  const early = journal.findIndex(({ event }, index) => event === "traffic" && index !== lastTraffic);
  const least = [wentWell, early, 0].find((index) => index >= 0);
  return journal.filter((_, index) => index !== least);
}

/** What users notice of a traffic value, and a journal tells. */
export function differs(one: Traffic, other: Traffic): boolean {
  return one.live !== other.live || one.weight !== other.weight || one.mode !== other.mode;
}

/**
 * A change is noted together with the intention, so that none is missing after a crash. Where the proxy still does what
 * it did before, the last one never came to be.
 */
export function cameTrue({ journal, traffic }: State, observed: Traffic): JournalEntry[] {
  const { intended, before } = traffic;
  const happened = !sameTraffic(observed, before) || !differs(intended, before);
  const last = journal.findLastIndex(({ event }) => event === "traffic");
  const entry = journal[last];
  const tellsIntention =
    entry?.event === "traffic" &&
    entry.live === intended.live &&
    entry.weight === intended.weight &&
    entry.mode === intended.mode;
  return happened || !tellsIntention ? journal : journal.filter((_, index) => index !== last);
}
