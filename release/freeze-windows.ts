/**
 * Times without releases: Friday afternoons, holidays, a sale. A window stops what changes the release for users (release,
 * stage, promote, retry, resolve). Rollback, abort and heal still work, and a recorded reason overrides the window.
 */
import * as z from "zod/mini";
import type { Action } from "./receipt";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const WEEKLY = /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([01]\d|2[0-3]):([0-5]\d)$/;

const WeekTime = z.string().check(z.regex(WEEKLY, `is not a time of the week, as in "Fri 15:00"`));
const Moment = z.iso.datetime({
  offset: true,
  error: () => `is not a time with an offset, as in "2026-12-20T18:00:00+01:00"`,
});
const Reason = z.string().check(z.minLength(1), z.maxLength(200));
const TimeZone = z
  .string()
  .check(z.refine(isTimeZone, { error: () => `is not a known time zone, as in "Europe/Berlin"` }));

export const FreezeWindow = z.union(
  [
    z.strictObject({
      /** Shown when an action is refused. */
      reason: Reason,
      /** Every week, from one day and time to another, possibly in the next week. */
      weekly: z.strictObject({ from: WeekTime, to: WeekTime }),
      /** The zone of `from` and `to`. @default "UTC" */
      timeZone: z._default(TimeZone, "UTC"),
    }),
    z.strictObject({ reason: Reason, from: Moment, to: Moment }),
  ],
  {
    error: () =>
      `must have "reason" and either "weekly": { "from": "Fri 15:00", "to": "Mon 06:00" } (and "timeZone"), or "from" and "to" as times with an offset`,
  },
);
export type FreezeWindow = z.infer<typeof FreezeWindow>;

const STOPPED: readonly Action[] = ["release", "stage", "promote", "retry", "resolve"];

/** @returns the window that stops this action now. @param now milliseconds since 1970. */
export function frozenBy(
  windows: readonly FreezeWindow[],
  action: Action,
  now: number,
): FreezeWindow | undefined {
  if (!STOPPED.includes(action)) return undefined;
  return windows.find((window) => {
    if (!("weekly" in window)) return Date.parse(window.from) <= now && now < Date.parse(window.to);
    const from = minuteOfWeek(window.weekly.from);
    const since = (minute: number): number => (minute - from + WEEK_MINUTES) % WEEK_MINUTES;
    return since(minuteAt(now, window.timeZone)) < since(minuteOfWeek(window.weekly.to));
  });
}

export function describeWindow(window: FreezeWindow): string {
  if (!("weekly" in window)) return `${window.reason} (${window.from} to ${window.to})`;
  const { from, to } = window.weekly;
  return `${window.reason} (${from} to ${to}, ${window.timeZone})`;
}

function minuteOfWeek(text: string): number {
  const [, day, hour, minute] = WEEKLY.exec(text)!;
  return DAYS.indexOf(day as (typeof DAYS)[number]) * DAY_MINUTES + Number(hour) * 60 + Number(minute);
}

function minuteAt(now: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const part = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  return minuteOfWeek(`${part["weekday"]} ${part["hour"]}:${part["minute"]}`);
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
