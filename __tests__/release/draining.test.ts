/** How long clients of a release that users leave are waited for. */
import { describeDraining, drainingOf } from "../../release/draining";

const LEFT = { slot: "blue", releaseId: "1.0.0-1" } as const;
const SETTINGS = { idleSeconds: 60, atMostSeconds: 600 };
const NOW = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

const after = (seconds: number, idleSeconds: number | null) =>
  drainingOf(LEFT, NOW - seconds * 1_000, idleSeconds, SETTINGS, NOW);

test("until the last request is long enough ago, at most until the limit", () => {
  expect(after(100, 20)).toEqual({ ...LEFT, idleSeconds: 20, secondsLeft: 40, mostSeconds: 500 });
  expect(after(590, 0)).toMatchObject({ secondsLeft: 10, mostSeconds: 10 });
  expect(after(100, 60)).toMatchObject({ secondsLeft: 0 });
});

test("what came before users began to leave does not count; a proxy that can't tell counts from then", () => {
  expect(after(10, 5_000)).toMatchObject({ idleSeconds: 10, secondsLeft: 50 });
  expect(after(10, null)).toMatchObject({ idleSeconds: null, secondsLeft: 50 });
});

test("a clock that was set back does not prolong it: the proxy knows how long they are idle", () => {
  const left = drainingOf(LEFT, NOW + HOUR_MS, 61, SETTINGS, NOW);
  expect(left).toEqual({ ...LEFT, idleSeconds: 61, secondsLeft: 0, mostSeconds: 600 });
  // A file's time may be later than now, too.
  expect(after(100, -3_600)).toMatchObject({ idleSeconds: 0, secondsLeft: 60 });
});

test("it is not known since when they leave: they are waited for as long as they are active", () => {
  expect(drainingOf(LEFT, null, 61, SETTINGS, NOW)).toMatchObject({ secondsLeft: 0 });
  expect(drainingOf(LEFT, null, 20, SETTINGS, NOW)).toMatchObject({ secondsLeft: 40 });
});

test("once the setting is gone, nothing waits", () => {
  expect(drainingOf(LEFT, NOW, 0, undefined, NOW)).toMatchObject({ secondsLeft: 0, mostSeconds: 0 });
});

test("at the limit it is not claimed that none is active", () => {
  expect(describeDraining(after(600, 0), NOW)).toBe(
    "blue is free: clients of 1.0.0-1 are no longer waited for, the last request 0 s ago",
  );
  expect(describeDraining(after(100, 60), NOW)).toBe(
    "blue is free: no client of 1.0.0-1 is active there, the last request 60 s ago",
  );
});
