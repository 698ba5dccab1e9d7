/** Describes journal entries of a director: the same text on screen, in logs, receipts and reports. */
import { describeKnown } from "./comparison-words";
import type { Figures, JournalEntry } from "./journal";
import { otherSlot } from "./slot";
import { describeUsersAnswers, usersAnswers } from "./users-answers";

type Entry<Event extends JournalEntry["event"]> = Extract<JournalEntry, { event: Event }>;

export function describeEntry(entry: JournalEntry): string {
  switch (entry.event) {
    case "verified":
      return `${entry.releaseId} verified in ${entry.slot}: ${count(entry.endpoints, "endpoint")} in ${entry.seconds.toFixed(1)} s${comparedPages(entry)}`;
    case "traffic":
      return describeTraffic(entry);
    case "judged": {
      const { candidate, stable } = entry.comparison;
      const counted = `candidate ${figures(candidate)}; stable ${figures(stable)}`;
      const known = describeKnown(entry.comparison, counted).join("; ");
      return `${describeVerdict(entry)}${entry.comparison.notJudged === undefined ? ":" : ";"} ${known}`;
    }
    case "byHand":
      return `an operator moved users from ${entry.from} to ${entry.releaseId} in ${entry.slot}: ${entry.reason}`;
    case "sessions":
      return describeSessions(entry);
    case "users":
      return describeUsersAnswers(usersAnswers([{ proxy: "", journal: [entry] }]));
    case "drained":
      if (entry.running === 0) return `${entry.slot} is drained`;
      return `${entry.slot}: ${count(entry.running, "request")} took longer than the time to drain${entry.cut ? " and were cut" : ""}`;
  }
}

function describeSessions({ clients, slot, releaseId, idleSeconds }: Entry<"sessions">): string {
  if (clients === "stay") return `clients of ${releaseId} stay in ${slot} while they are active`;
  const last = idleSeconds === undefined ? "" : `, the last request was ${idleSeconds} s before`;
  return `sessions of ${releaseId} in ${slot} ended${last}`;
}

function comparedPages({ pages, changed = [] }: Entry<"verified">): string {
  const same = pages === undefined ? "" : `, ${count(pages, "page")} as in stable`;
  return changed.length === 0 ? same : `${same}; changed as expected: ${changed.join("; ")}`;
}

/** A judgement without its figures. */
export function describeVerdict({ verdict, comparison }: Entry<"judged">): string {
  const { weight, notJudged } = comparison;
  if (notJudged === undefined) return `${weight} % went ${verdict === "pass" ? "well" : "badly"}`;
  return `${weight} % ${verdict === "pass" ? "was not judged" : "ended, as it can't be judged"}: ${notJudged}`;
}

function describeTraffic({ live, weight, mode, ofNewClients }: Entry<"traffic">): string {
  if (live === null) return "nothing is live: users get a 503 page";
  if (mode !== "serve") return mode === "hold" ? `requests of ${live} wait` : `${live}: users get a 503 page`;
  if (weight === 0) return `all requests go to ${live}`;
  const share = ofNewClients && weight < 100 ? "new clients" : "the requests";
  return `${weight} % of ${share} go to ${otherSlot(live)}`;
}

function figures({ requests, errors, p95Ms }: Figures): string {
  const slow = p95Ms === null ? "" : `, p95 ${p95Ms} ms`;
  return `${errors} of ${requests} failed${slow}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
