/** Messages and difficult cases; the rest is in transitions.property.test.ts. */
import { emptyRecord, rollbackIsInstant } from "../../release/record";
import type { Goal, ReleaseRecord } from "../../release/record";
import { Refusal } from "../../release/failure";
import { Strategy } from "../../release/schedule";
import * as transitions from "../../release/transitions";
import type { Observed } from "../../release/transitions";
import { candidateOf, recordOf, releaseOf } from "./examples";

const blueGreen = { environmentSchedule: Strategy.blueGreen() };
const converging = { environmentSchedule: Strategy.blueGreen({ afterPromotion: "converge" }) };
const recreate = { environmentSchedule: Strategy.recreate() };

const NOTHING: Observed = { live: null, releaseId: null, serving: [] };
const BLUE: Observed = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] };
const BOTH: Observed = { ...BLUE, serving: ["blue", "green"] };
const GREEN: Observed = { live: "green", releaseId: "2.0.0-2", serving: ["green"] };

/** Blue serves 1.0.0, and was to be recreated with 2.0.0. */
const recreated = recordOf({ active: "blue", slots: { blue: releaseOf("2.0.0", 2), green: null } });

function refusal(attempt: () => unknown): Pick<Refusal, "reason" | "message"> {
  try {
    attempt();
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal);
    const { reason, message } = error as Refusal;
    return { reason, message };
  }
  throw new Error("it was not refused");
}

test("the first release goes to the slot that the empty record names, and the other one is emptied", () => {
  const record = emptyRecord("socialgoal");
  expect(transitions.release(record, candidateOf("1.0.0"), NOTHING, blueGreen)).toEqual({
    formatVersion: 1,
    application: "socialgoal",
    sequence: 1,
    active: "blue",
    goal: "live",
    slots: { blue: releaseOf("1.0.0", 1), green: null },
    previous: null,
  });
});

test("the second release goes to the idle slot, and what is live stays recorded", () => {
  const record = recordOf({
    sequence: 1,
    active: "blue",
    slots: { blue: releaseOf("1.0.0", 1), green: null },
    previous: null,
  });
  expect(transitions.release(record, candidateOf("2.0.0"), BLUE, blueGreen)).toEqual(recordOf());
});

test("a release takes the place of a candidate that did not become live", () => {
  const next = transitions.release(recordOf(), candidateOf("3.0.0"), BLUE, blueGreen);
  expect(next.slots).toEqual({ blue: releaseOf("1.0.0", 1), green: releaseOf("3.0.0", 3) });
});

test("a staged release is verified and waits", () => {
  expect(transitions.stage(recordOf(), candidateOf("3.0.0"), BLUE, blueGreen)).toEqual(
    recordOf({
      sequence: 3,
      goal: "staged",
      slots: { blue: releaseOf("1.0.0", 1), green: releaseOf("3.0.0", 3) },
    }),
  );
});

test("a record's schedule belongs to one sequence only", () => {
  const schedule = { strategy: "canary" as const, steps: [10, 100] };
  const first = transitions.release(recordOf(), candidateOf("3.0.0"), GREEN, { ...blueGreen, schedule });
  expect(first.schedule).toEqual(schedule);
  const live: Observed = { live: "blue", releaseId: "3.0.0-3", serving: ["blue"] };
  expect(transitions.release(first, candidateOf("4.0.0"), live, blueGreen)).not.toHaveProperty("schedule");
});

test("the first release can't pause at a weight: no release has the rest", () => {
  const staged = transitions.stage(emptyRecord("socialgoal"), candidateOf("1.0.0"), NOTHING, blueGreen);
  const attempts = [
    () => transitions.release(emptyRecord("a"), candidateOf("1.0.0"), NOTHING, { ...blueGreen, goal: 30 }),
    () => transitions.promote(staged, NOTHING, 30),
  ];
  for (const attempt of attempts) {
    expect(refusal(attempt)).toEqual({
      reason: "not-possible-here",
      message:
        'nothing is live yet: the first release can\'t be paused at 30 %, its goal must be "live" or "staged"',
    });
  }
  expect(transitions.promote(staged, NOTHING)).toEqual({ ...staged, sequence: 2, goal: "live" });
});

test.each<[Goal, Goal]>([
  ["staged", 1],
  ["staged", "live"],
  [30, 31],
  [99, "live"],
])("a candidate at %p can be promoted to %p", (goal, to) => {
  const record = recordOf({ goal });
  expect(transitions.promote(record, BOTH, to)).toEqual({ ...record, sequence: 3, goal: to });
});

test.each<[Goal, Goal, string]>([
  [30, 30, "the candidate is at 30 %: promote it further, not to 30 %"],
  [30, 29, "the candidate is at 30 %: promote it further, not to 29 %"],
  [30, "staged", 'the candidate is at 30 %: promote it further, not to "staged"'],
  ["staged", "staged", 'the candidate is at "staged": promote it further, not to "staged"'],
])("a candidate at %p can't be promoted to %p", (goal, to, message) => {
  const refused = refusal(() => transitions.promote(recordOf({ goal }), BOTH, to));
  expect(refused).toEqual({ reason: "not-possible-here", message });
});

test("a release with the goal live can't be promoted", () => {
  expect(refusal(() => transitions.promote(recordOf(), GREEN))).toEqual({
    reason: "nothing-to-promote",
    message: 'nothing to promote: record 2 already has goal "live" for 2.0.0-2',
  });
});

test("a rollback moves traffic only, at once, where the old release still runs", () => {
  const next = transitions.rollback(recordOf(), GREEN, { environmentSchedule: Strategy.canary() });
  expect(next).toMatchObject({
    sequence: 3,
    active: "blue",
    goal: "live",
    slots: recordOf().slots,
    previous: releaseOf("2.0.0", 2),
    schedule: { strategy: "blueGreen", steps: [100] },
  });
});

test("a rollback after a convergence is a release of what was there before", () => {
  const record = recordOf({ converge: true });
  expect(rollbackIsInstant(record)).toBe(false);
  expect(transitions.rollback(record, { ...GREEN, serving: ["blue", "green"] }, converging)).toMatchObject({
    active: "blue",
    slots: { blue: releaseOf("1.0.0", 3), green: releaseOf("2.0.0", 2) },
    previous: releaseOf("2.0.0", 2),
    converge: true,
  });
});

test("a rollback of a recreate is a recreate of what was there before", () => {
  const live: Observed = { live: "blue", releaseId: "2.0.0-2", serving: ["blue"] };
  expect(transitions.rollback(recreated, live, recreate)).toMatchObject({
    active: "blue",
    slots: { blue: releaseOf("1.0.0", 3), green: null },
    previous: releaseOf("2.0.0", 2),
    schedule: { strategy: "recreate" },
  });
});

test("a rollback of a recreate is a recreate, whatever the environment's schedule, unless another is requested", () => {
  const live: Observed = { live: "blue", releaseId: "2.0.0-2", serving: ["blue"] };
  const once = { ...recreated, schedule: Strategy.recreate({ whileDown: "maintenancePage" }) };
  expect(transitions.rollback(once, live, blueGreen)).toMatchObject({
    active: "blue",
    schedule: { strategy: "recreate", whileDown: "maintenancePage" },
  });
  expect(transitions.rollback(once, live, { ...blueGreen, schedule: Strategy.blueGreen() })).toMatchObject({
    active: "green",
    schedule: { strategy: "blueGreen" },
  });
});

test("a rollback is let in although an earlier attempt with that artifact had failed", () => {
  expect(transitions.rollback(recordOf(), GREEN, blueGreen).retry).toBe(true);
  expect(transitions.rollback(recordOf({ converge: true }), GREEN, converging).retry).toBe(true);
});

test("where proxies disagree, a rollback goes to the slot that did not change", () => {
  for (const record of [recordOf(), recordOf({ converge: true })]) {
    const next = transitions.rollbackOnDisagreement(record, converging);
    expect(next).toMatchObject({ sequence: 3, active: "blue", slots: record.slots });
    expect(next).not.toHaveProperty("converge");
  }
});

test("a candidate that never was stable is cancelled, not rolled back", () => {
  expect(refusal(() => transitions.rollback(recordOf(), BLUE, blueGreen))).toEqual({
    reason: "not-promoted",
    message: "2.0.0-2 never became stable, 1.0.0-1 still is: use `bluegreen abort` to cancel it",
  });
});

test("there is nothing to go back to before the second release", () => {
  const first = recordOf({ previous: null });
  expect(refusal(() => transitions.rollback(first, GREEN, blueGreen))).toEqual({
    reason: "nothing-to-roll-back-to",
    message: "no earlier release is recorded; release the version you want with `bluegreen release`",
  });
  expect(refusal(() => transitions.rollback(emptyRecord("a"), NOTHING, blueGreen)).reason).toBe(
    "nothing-live",
  );
});

test("a retry keeps the run, unless the install failed", () => {
  expect(transitions.retry(recordOf(), BLUE, false)).toEqual(
    recordOf({ sequence: 3, retry: true, rollsBack: false }),
  );
  const slots = { blue: releaseOf("1.0.0", 1), green: releaseOf("2.0.0", 3) };
  expect(transitions.retry(recordOf(), BLUE, true)).toEqual(
    recordOf({ sequence: 3, slots, retry: true, rollsBack: false }),
  );
});

test("a retry and a promotion may have another schedule", () => {
  const schedule = Strategy.canary({ analysis: { expectChange: true } });
  expect(transitions.retry(recordOf(), BLUE, false, schedule)).toMatchObject({ sequence: 3, schedule });
  const promoted = transitions.promote(recordOf({ goal: "staged" }), BLUE, "live", schedule);
  expect(promoted).toMatchObject({ sequence: 3, goal: "live", schedule });
});

test("nothing is installed again under users", () => {
  expect(refusal(() => transitions.retry(recordOf(), BOTH, true))).toEqual({
    reason: "not-possible-here",
    message:
      "green still gets requests: run `bluegreen abort` first, so that nothing is installed while it serves users",
  });
  expect(refusal(() => transitions.retry(recordOf(), GREEN, true))).toEqual({
    reason: "not-possible-here",
    message:
      "2.0.0-2 is live but does not answer on every server, and a live slot is never reinstalled: use `bluegreen heal <server>`, which takes the server out of rotation first",
  });
});

test("an empty record has nothing to try again or to give up", () => {
  expect(refusal(() => transitions.retry(emptyRecord("a"), NOTHING, true)).reason).toBe("nothing-to-retry");
  expect(refusal(() => transitions.cancel(emptyRecord("a"), NOTHING)).reason).toBe("nothing-to-cancel");
});

test("a cancelled candidate leaves an empty slot", () => {
  const schedule = Strategy.canary();
  expect(transitions.cancel(recordOf({ goal: 30, schedule, retry: true }), BOTH)).toEqual(
    recordOf({
      sequence: 3,
      active: "blue",
      slots: { blue: releaseOf("1.0.0", 1), green: null },
      previous: null,
    }),
  );
});

test("a second half that a candidate had taken serves the stable release again once it is cancelled", () => {
  expect(transitions.cancel(recordOf({ converge: true }), BLUE).converge).toBe(true);
});

test("what is live and stable can't be cancelled", () => {
  expect(refusal(() => transitions.cancel(recordOf(), GREEN))).toEqual({
    reason: "nothing-to-cancel",
    message: "2.0.0-2 is live and stable: there is nothing to abort; use `bluegreen rollback` to go back",
  });
});

test("a recreate that failed is cancelled by a new run of the old release", () => {
  const schedule = Strategy.recreate();
  const expected: ReleaseRecord = {
    ...recreated,
    sequence: 3,
    slots: { blue: releaseOf("1.0.0", 3), green: null },
    retry: true,
  };
  expect(transitions.cancel(recreated, BLUE)).toEqual(expected);
  expect(transitions.cancel({ ...recreated, schedule }, BLUE)).toEqual({ ...expected, schedule });
});

test("after a failed recreate only a recreate or `abort` is accepted: the live slot's steps would run again", () => {
  expect(refusal(() => transitions.release(recreated, candidateOf("3.0.0"), BLUE, blueGreen))).toEqual({
    reason: "not-possible-here",
    message:
      "the recreate of blue with 2.0.0-2 did not finish, 1.0.0-1 is still stable: run `bluegreen abort` first",
  });
  expect(transitions.release(recreated, candidateOf("3.0.0"), BLUE, recreate)).toMatchObject({
    slots: { blue: releaseOf("3.0.0", 3), green: null },
    previous: releaseOf("1.0.0", 1),
  });
});

test("a recreate leaves a warm release in the idle slot, but no candidate and no second copy", () => {
  const next = (record: ReleaseRecord, observed: Observed) =>
    transitions.release(record, candidateOf("3.0.0"), observed, recreate).slots;
  expect(next(recordOf(), GREEN)).toEqual({ blue: releaseOf("1.0.0", 1), green: releaseOf("3.0.0", 3) });
  expect(next(recordOf(), BLUE)).toEqual({ blue: releaseOf("3.0.0", 3), green: null });
  expect(next(recordOf({ converge: true }), GREEN)).toEqual({ blue: null, green: releaseOf("3.0.0", 3) });
});

test.each<Goal>(["staged", 30])("a recreate can't stop at %p", (goal) => {
  const attempt = () => transitions.release(recordOf(), candidateOf("3.0.0"), GREEN, { ...recreate, goal });
  expect(refusal(attempt)).toEqual({
    reason: "not-possible-here",
    message: `a recreate goes live immediately: it can't stop at "${goal}"`,
  });
});

test("a stale checkout gets a message with what it has and what users get", () => {
  const unknown: Observed = { live: "green", releaseId: "9.0.0-9", serving: ["green"] };
  for (const attempt of [
    () => transitions.release(recordOf(), candidateOf("3.0.0"), unknown, blueGreen),
    () => transitions.stage(recordOf(), candidateOf("3.0.0"), unknown, blueGreen),
    () => transitions.cancel(recordOf(), unknown),
  ]) {
    expect(refusal(attempt)).toEqual({
      reason: "unknown-release",
      message:
        "record 2 does not match what users get: it has 1.0.0-1 in blue and 2.0.0-2 in green, " +
        "with green active; the proxy has 9.0.0-9 live in green. Pull if this checkout is old; else `bluegreen recover` writes a record that matches",
    });
  }
});

test("only a record that installs its target has the flag", () => {
  expect(transitions.installsCandidate(recordOf())).toBe(true);
  expect(transitions.installsCandidate(recordOf({ sequence: 3 }))).toBe(false);
});

describe("a heal", () => {
  test("gives its servers' installs a new name, and changes nothing else", () => {
    const record = recordOf({ retry: true, schedule: Strategy.canary() });
    const { retry: _, schedule: __, ...rest } = record;
    expect(transitions.heal(record, GREEN, ["web-2"])).toEqual({
      ...rest,
      sequence: 3,
      heals: { "web-2": 3 },
    });
    const again = transitions.heal({ ...recordOf(), sequence: 4, heals: { "web-1": 3, "web-2": 4 } }, GREEN, [
      "web-1",
    ]);
    expect(again).toMatchObject({ sequence: 5, heals: { "web-1": 5, "web-2": 4 } });
  });

  test("is forgotten once both slots have a release that came after it", () => {
    const healed = recordOf({ sequence: 3, heals: { "web-1": 3 } });
    const released = transitions.release(healed, candidateOf("3.0.0"), GREEN, blueGreen);
    expect(released.heals).toEqual({ "web-1": 3 });
    const observed: Observed = { live: "blue", releaseId: "3.0.0-4", serving: ["blue"] };
    expect(transitions.release(released, candidateOf("4.0.0"), observed, blueGreen)).not.toHaveProperty(
      "heals",
    );
  });

  test("is retried as a heal of the same servers", () => {
    const failed = recordOf({ sequence: 4, heals: { "web-1": 4, "web-2": 3, "web-3": 4 } });
    const retried = transitions.retry(failed, GREEN, true);
    expect(retried).toEqual({
      ...failed,
      sequence: 5,
      heals: { "web-1": 5, "web-2": 3, "web-3": 5 },
      retry: true,
    });
    expect(transitions.heal(failed, GREEN, ["web-3"]).retry).toBe(true);
    expect(transitions.heal(failed, GREEN, ["web-2"])).not.toHaveProperty("retry");
  });

  test("is retried as a release where nothing is live any more", () => {
    const healed = recordOf({ sequence: 3, heals: { "web-1": 3 } });
    expect(transitions.retry(healed, NOTHING, true)).toMatchObject({
      slots: { green: releaseOf("2.0.0", 4) },
      retry: true,
    });
  });

  test("needs something live", () => {
    expect(refusal(() => transitions.heal(recordOf(), NOTHING, ["web-1"])).reason).toBe("nothing-live");
  });

  test.each<[string, Partial<ReleaseRecord>, Observed]>([
    ["waits for its promotion", { goal: "staged" }, BLUE],
    ["has a weight", { goal: 30 }, BLUE],
    ["failed", {}, BLUE],
    ["is not known", {}, { live: "green", releaseId: "9.0.0-9", serving: ["green"] }],
  ])("comes after what a candidate needs that %s", (_, changes, observed) => {
    const { reason, message } = refusal(() => transitions.heal(recordOf(changes), observed, ["web-1"]));
    expect(reason).toBe("not-possible-here");
    expect(message).toMatch(
      /^2\.0\.0-2 \(goal .*\) is not stable, .* is: use `bluegreen promote`, `retry` or `abort` first/,
    );
  });

  test("keeps a convergence, and comes after one that did not end", () => {
    const record = recordOf({ converge: true });
    const shared: Observed = { live: "green", releaseId: "2.0.0-2", serving: ["blue", "green"] };
    expect(transitions.heal(record, shared, ["web-1"])).toEqual({
      ...record,
      sequence: 3,
      heals: { "web-1": 3 },
    });
    expect(refusal(() => transitions.heal(record, GREEN, ["web-1"])).message).toBe(
      "the convergence to 2.0.0-2 did not finish: `bluegreen retry` continues it, on healed servers too",
    );
  });
});
