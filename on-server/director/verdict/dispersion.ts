/**
 * How much less failed answers say because they come in runs, where clients can't be told apart: the variance of stable's
 * failed answers a second, divided by the variance of independent ones. Sums only, so it costs the same at any time. Pure.
 */
import type { Side } from "../../../release/sequential-test";

const SECOND = 1000;

export interface Dispersion {
  readonly seconds: number;
  readonly trials: number;
  readonly events: number;
  /** The sum of events² / trials, by second. */
  readonly squares: number;
  readonly current: Side & { readonly since: number };
}

export const NO_DISPERSION: Dispersion = {
  seconds: 0,
  trials: 0,
  events: 0,
  squares: 0,
  current: { trials: 0, events: 0, since: -Infinity },
};

export function observed(known: Dispersion, at: number, { trials, events }: Side): Dispersion {
  const { current } = known;
  if (at - current.since < SECOND) {
    const more = {
      trials: current.trials + trials,
      events: current.events + events,
      since: current.since,
    };
    return { ...known, current: more };
  }
  const next = { trials, events, since: at };
  if (current.trials === 0) return { ...known, current: next };
  return {
    seconds: known.seconds + 1,
    trials: known.trials + current.trials,
    events: known.events + current.events,
    squares: known.squares + current.events ** 2 / current.trials,
    current: next,
  };
}

/** At least 1; with one and a half of its standard error, since it is an estimate. */
export function dispersion({ seconds, trials, events, squares }: Dispersion): number {
  if (seconds < 2 || events === 0 || events === trials) return 1;
  const ratio = events / trials;
  const chi = (squares - ratio * events) / (ratio * (1 - ratio));
  const each = chi / (seconds - 1);
  return Math.max(1, each * (1 + 1.5 * Math.sqrt(2 / (seconds - 1))));
}
