/** How many requests a site gets, and how many of stable's answers fail, from the receipts of the last releases. Pure. */
import type { SiteTraffic } from "./detectable";
import type { JournalEntry } from "./journal";
import type { Receipt } from "./receipt";

/** Traffic differs from hour to hour: so many releases have some of it. */
const RECEIPTS = 3;

interface Counted {
  readonly answers: number;
  readonly failed: number;
  readonly seconds: number;
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
  let [answers, failed, seconds, found] = [0, 0, 0, 0];
  for (const { proxies } of receipts) {
    const counted = countedIn(proxies.find((each) => each.proxy === proxy)?.journal ?? []);
    if (counted === null) continue;
    answers += counted.answers;
    failed += counted.failed;
    seconds += counted.seconds;
    found += 1;
    if (found === RECEIPTS) break;
  }
  return found === 0 ? null : { requestsPerSecond: answers / seconds, errorRatio: failed / answers };
}

/** Before the release, when only stable served users; else what stable served beside a candidate. */
function countedIn(journal: readonly JournalEntry[]): Counted | null {
  const before = journal.flatMap((entry) => (entry.event === "users" ? (entry.before ?? []) : []));
  const beside = journal.flatMap((entry): Counted[] => {
    if (entry.event !== "judged" || entry.comparison.weight === 100) return [];
    const { stable, seconds, weight } = entry.comparison;
    return [{ answers: stable.requests, failed: stable.errors, seconds: (seconds * (100 - weight)) / 100 }];
  });
  return [...before, ...beside].find(({ answers, seconds }) => answers > 0 && seconds > 0) ?? null;
}
