/** How many requests a site gets, and how many of stable's answers fail, from the receipts of the last releases. Pure. */
import type { SiteTraffic } from "./detectable";
import type { JournalEntry } from "./journal";
import type { Receipt } from "./receipt";

/** Traffic differs from hour to hour: so many releases have some of it. */
const RECEIPTS = 3;

interface Counted {
  /** All answers while the release ran, which took so long. */
  readonly answers: number;
  readonly seconds: number;
  /** Of stable alone. */
  readonly stable: { readonly answers: number; readonly failed: number };
}

/**
 * @param receipts newest first; no more of them are read than needed.
 * @param proxy the one whose traffic moves in steps.
 * @returns null if no release counted users' answers.
 */
export function measuredTraffic(
  receipts: Iterable<Pick<Receipt, "proxies">>,
  proxy: string,
): SiteTraffic | null {
  const all: Counted[] = [];
  for (const { proxies } of receipts) {
    const journal = proxies.find((each) => each.proxy === proxy)?.journal ?? [];
    all.push(...journal.flatMap(countedIn).slice(-1));
    if (all.length === RECEIPTS) break;
  }
  if (all.length === 0) return null;
  const sum = (of: (each: Counted) => number): number => all.reduce((total, each) => total + of(each), 0);
  return {
    requestsPerSecond: sum(({ answers }) => answers) / sum(({ seconds }) => seconds),
    errorRatio: sum(({ stable }) => stable.failed) / sum(({ stable }) => stable.answers),
  };
}

/** Nothing if too little was counted. */
function countedIn(entry: JournalEntry): Counted[] {
  return [fromEntry(entry)].filter(
    (each) => each !== null && each.seconds > 0 && each.answers > 0 && each.stable.answers > 0,
  ) as Counted[];
}

function fromEntry(entry: JournalEntry): Counted | null {
  if (entry.event === "users" && entry.before !== null) return { ...entry, stable: entry.before };
  // Receipts of version 0.1.0 have what stable answered beside a candidate.
  if (entry.event !== "judged" || entry.comparison.weight === 100) return null;
  const { stable, seconds, weight } = entry.comparison;
  const answers = (100 * stable.requests) / (100 - weight);
  return { answers, seconds, stable: { answers: stable.requests, failed: stable.errors } };
}
