/** Freeze windows: when, in which time zone, and what they refuse. */
import { ACTIONS } from "../../release/receipt";
import { describeWindow, frozenBy } from "../../release/freeze-windows";
import type { FreezeWindow } from "../../release/freeze-windows";
import { complaint, environmentOf } from "./examples";

const windowsOf = (...freezeWindows: object[]): readonly FreezeWindow[] =>
  environmentOf({ freezeWindows }).freezeWindows;
const WEEKEND = { reason: "weekend", weekly: { from: "Fri 15:00", to: "Mon 06:00" } };
const isFrozen = (window: object, at: string): boolean =>
  frozenBy(windowsOf(window), "release", Date.parse(at)) !== undefined;

test.each([
  ["2026-11-27T14:59:59Z", false],
  ["2026-11-27T15:00:00Z", true],
  ["2026-11-29T12:00:00Z", true],
  ["2026-11-30T05:59:59Z", true],
  ["2026-11-30T06:00:00Z", false],
  ["2026-11-25T15:30:00Z", false],
])("a weekly window over the weekend, at %s: %s", (at, frozen) => expect(isFrozen(WEEKEND, at)).toBe(frozen));

test.each([
  ["winter, an hour before UTC says so", "2026-11-27T14:00:00Z", true],
  ["summer, two hours before", "2026-07-03T13:00:00Z", true],
  ["summer, a minute before that", "2026-07-03T12:59:00Z", false],
])("a weekly window is of its time zone's clock: %s", (_, at, frozen) =>
  expect(isFrozen({ ...WEEKEND, timeZone: "Europe/Berlin" }, at)).toBe(frozen),
);

test("a window with dates begins and ends at these moments, whatever their offset", () => {
  const window = { reason: "sale", from: "2026-12-20T00:00:00+01:00", to: "2027-01-04T06:00:00+01:00" };
  expect(isFrozen(window, "2026-12-19T22:59:59Z")).toBe(false);
  expect(isFrozen(window, "2026-12-19T23:00:00Z")).toBe(true);
  expect(isFrozen(window, "2027-01-04T05:00:00Z")).toBe(false);
});

test("changes that release something new are refused; rollbacks are not", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  const stopped = ACTIONS.filter((action) => frozenBy(windowsOf(WEEKEND), action, now) !== undefined);
  expect(stopped).toEqual(["release", "stage", "promote", "retry", "resolve"]);
});

test("is described with its reason and its times", () => {
  expect(describeWindow(windowsOf(WEEKEND)[0]!)).toBe("weekend (Fri 15:00 to Mon 06:00, UTC)");
});

test.each<[string, object]>([
  ["no such day", { ...WEEKEND, weekly: { from: "Fry 15:00", to: "Mon 06:00" } }],
  ["no such time", { ...WEEKEND, weekly: { from: "Fri 25:00", to: "Mon 06:00" } }],
  ["no such place", { ...WEEKEND, timeZone: "Europe/Atlantis" }],
  ["no offset", { reason: "sale", from: "2026-12-20T00:00:00", to: "2027-01-04T06:00:00Z" }],
  ["no reason", { weekly: WEEKEND.weekly }],
  ["both kinds at once", { ...WEEKEND, from: "2026-12-20T00:00:00Z", to: "2027-01-04T06:00:00Z" }],
])("%s: one line that names the field", (_, window) => {
  expect(complaint(() => windowsOf(window))).toMatch(/freezeWindows/);
});
