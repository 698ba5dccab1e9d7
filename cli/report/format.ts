/**
 * Formats figures and times for people, with a no-break space between number and unit. Times are UTC, as readers may be
 * in several time zones.
 */

const NUMBER = new Intl.NumberFormat("en-US");

export function count(value: number): string {
  return NUMBER.format(value);
}

/** "1 request", "2 requests". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function milliseconds(value: number): string {
  if (value >= 1000) return seconds(value / 1000);
  return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}\u00a0ms`;
}

export function seconds(value: number): string {
  if (value < 60) return `${trimmed(value)}\u00a0s`;
  if (value < 3600) return `${Math.floor(value / 60)}\u00a0min ${Math.floor(value % 60)}\u00a0s`;
  return `${count(Math.floor(value / 3600))}\u00a0h ${Math.floor((value % 3600) / 60)}\u00a0min`;
}

function trimmed(value: number): string {
  return (value < 10 ? Math.round(value * 10) / 10 : Math.round(value)).toString();
}

/** "3 Jul 2026, 15:13:11 UTC" */
export function dateAndTime(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "at no time";
  const day = date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
  return `${day}, ${date.toISOString().slice(11, 19)} UTC`;
}

/** Since the beginning: "0:07", "12:30", "1:02:05". */
export function offset(sinceBegin: number): string {
  const whole = Math.abs(Math.round(sinceBegin));
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const [hours, minutes, rest] = parts as [number, number, number];
  const two = (part: number): string => String(part).padStart(2, "0");
  const text = hours > 0 ? `${count(hours)}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  return sinceBegin < -0.5 ? `-${text}` : text;
}

/** "12 %"; a small percentage is not rounded to 0. */
export function percentage(part: number, whole: number): string {
  if (whole <= 0) return "0\u00a0%";
  const value = (100 * part) / whole;
  if (part > 0 && value < 0.01) return "< 0.01\u00a0%";
  return `${value >= 10 ? Math.round(value) : Math.round(value * 100) / 100}\u00a0%`;
}

/** "one", "one and two", "one, two and three". */
export function list(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
