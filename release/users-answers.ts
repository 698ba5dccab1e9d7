/**
 * What all users got during a sequence, from the proxies' journals: the basis of the headline of a receipt. The command's
 * few requests a second of its own can't show what users got.
 */
import type { JournalEntry } from "./journal";
import { percent, thousands } from "./percent";

type UsersEntry = Extract<JournalEntry, { event: "users" }>;

/** The sums of all proxies that counted. */
export interface UsersAnswers {
  readonly answers: number;
  readonly failed: number;
  readonly seconds: number;
  /** The same before the sequence; null unless each proxy that counted answers has it. `age` is in seconds. */
  readonly before: NonNullable<UsersEntry["before"]> | null;
  /** Whether failed answers rose on any proxy. */
  readonly worse: boolean;
  /** Whether a candidate was found worse on any proxy: users that got it noticed, however few they are of all. */
  readonly foundWorse: boolean;
  /** Proxies that did not count, so that their users may have got anything. */
  readonly uncounted: readonly string[];
}

export interface ProxyJournal {
  readonly proxy: string;
  readonly journal: readonly JournalEntry[];
}

/** @returns null if no proxy counted: directors of version 0.1.0 don't. */
export function usersAnswers(proxies: readonly ProxyJournal[]): UsersAnswers | null {
  const each = proxies.map(({ proxy, journal }) => ({
    proxy,
    // A step that was cut off and ran again counts once more, from the beginning.
    entries: journal.filter((entry) => entry.event === "users"),
  }));
  const last = each.flatMap(({ entries }) => entries.at(-1) ?? []);
  if (last.length === 0) return null;
  const busy = last.filter(({ answers }) => answers > 0);
  const before = busy.flatMap(({ before: one }) => (one === null || one.answers <= 0 ? [] : [one]));
  return {
    answers: sum(last, "answers"),
    failed: sum(last, "failed"),
    seconds: Math.max(...last.map(({ seconds }) => seconds)),
    before:
      before.length === 0 || before.length < busy.length
        ? null
        : {
            answers: sum(before, "answers"),
            failed: sum(before, "failed"),
            seconds: Math.max(...before.map(({ seconds }) => seconds)),
            age: Math.max(...before.map(({ age }) => age)),
          },
    worse: each.some(({ entries }) => entries.some(({ worse }) => worse)),
    foundWorse: proxies.some(({ journal }) =>
      journal.some((entry) => entry.event === "judged" && entry.verdict === "fail"),
    ),
    uncounted: each.filter(({ entries }) => entries.length === 0).map(({ proxy }) => proxy),
  };
}

/** Whether it is known that users' failed answers did not rise, on any proxy. Where none failed, they did not. */
export function didNotRise(users: UsersAnswers | null): boolean {
  if (users === null || users.worse || users.foundWorse) return false;
  if (users.answers <= 0 || users.uncounted.length > 0) return false;
  return users.failed === 0 || users.before !== null;
}

/** In one sentence without a full stop, for a headline, a receipt or a closing line. */
export function describeUsersAnswers(users: UsersAnswers | null): string {
  if (users === null) return "users' answers were not counted";
  const { answers, failed, seconds, worse, uncounted } = users;
  const rest = uncounted.length === 0 ? "" : `; not counted on ${uncounted.join(", ")}`;
  const time = `in ${seconds.toFixed(0)} s`;
  if (answers <= 0) return `no answers to users were counted ${time}${rest}`;
  const figures = `${thousands(failed)} of ${thousands(answers)}`;
  const ratio = `${time} (${percent(failed / answers)})${comparedWith(users)}${rest}`;
  return worse
    ? `users' failed answers rose: ${figures} ${ratio}`
    : `${figures} answers to users failed ${ratio}`;
}

function comparedWith({ failed, before }: UsersAnswers): string {
  if (before !== null) return `, before ${percent(before.failed / before.answers)}${ageOf(before.age)}`;
  return failed === 0 ? "" : "; how many failed before is not known";
}

/** Figures of an earlier release stand in where nothing was counted right before this one. */
function ageOf(seconds: number): string {
  if (seconds < 60) return "";
  if (seconds < 7_200) return `, ${Math.round(seconds / 60)} min earlier`;
  if (seconds < 172_800) return `, ${Math.round(seconds / 3_600)} h earlier`;
  return `, ${Math.round(seconds / 86_400)} days earlier`;
}

function sum<Key extends string>(all: readonly Readonly<Record<Key, number>>[], key: Key): number {
  return all.reduce((total, each) => total + each[key], 0);
}
