/** Each of the gate's answers: from the request and the state to a case or a typed refusal. */
import { EXIT } from "../../release/exit-code";
import {
  abortOf,
  cannotSpare,
  mayBegin,
  mayShare,
  maySwitch,
  requireNewer,
  requireUnfinished,
  retention,
} from "../../release/gate";
import type { Asked, Remembered } from "../../release/gate";
import { Refusal } from "../../release/failure";
import { sequenceOf } from "../../release/sequence";
import type { Slot } from "../../release/slot";
import { deepFreeze, recordOf, releaseOf, SHA256 } from "./examples";

const NOW = Date.parse("2026-11-29T12:00:00.000Z");

function asked(
  changes: Parameters<typeof recordOf>[0] = {},
  strategy: "blueGreen" | "recreate" = "blueGreen",
) {
  return deepFreeze<Asked>({ ...sequenceOf(recordOf(changes)), schedule: { strategy } });
}

const placed = (slot: Slot, version: string, run: number) => {
  const { artifact } = releaseOf(version, run);
  return { slot, releaseId: `${version}-${run}`, sha256: artifact.sha256, contracts: [] };
};

/** Before record 2, which wants 2.0.0 in green, 1.0.0 is live in blue. */
function known(changes: Partial<Remembered> = {}): Remembered {
  return deepFreeze({
    ...{ sequence: 1, recordDigest: SHA256, finished: true, aborted: false, phase: "stable" },
    ...{ stable: placed("blue", "1.0.0", 1), candidate: null, recorded: [], retainedUntil: null },
    ...{ contracted: [], failedDigests: [], result: { outcome: "installed" } },
    ...changes,
  });
}

/** The same once begin let record 2 in. */
const begun = (ask: Asked, changes: Partial<Remembered> = {}): Remembered =>
  known({ sequence: 2, recordDigest: ask.recordDigest, finished: false, ...changes });

function refusal(ask: () => unknown): Pick<Refusal, "reason" | "exitCode"> {
  try {
    ask();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { reason: error.reason, exitCode: error.exitCode };
  }
  throw new Error("it was not refused");
}

const refused = (reason: Refusal["reason"]) => ({ reason, exitCode: EXIT.refused });

describe("begin", () => {
  test.each([
    ["otherIsLive", asked(), placed("blue", "1.0.0", 1)],
    ["targetIsLive", asked(), placed("green", "2.0.0", 2)],
    ["neverLive", asked(), null],
    ["recreate", asked({}, "recreate"), placed("green", "1.0.0", 1)],
  ])("accepts %s", (found, ask, stable) => {
    expect(mayBegin(ask, known({ stable }), NOW)).toEqual({ found, replaces: null });
  });

  const failed = {
    sha256: releaseOf("2.0.0", 2).artifact.sha256,
    releaseId: "2.0.0-1",
    reason: "it was aborted",
  };
  const knowing = { ...releaseOf("2.0.0", 2), contracts: ["0004-x.sql"] };
  const contracting = { slots: { blue: releaseOf("1.0.0", 1), green: knowing }, contracted: ["0004-x.sql"] };
  test.each<[string, Refusal["reason"], Asked, Partial<Remembered>]>([
    [
      "another release live in the other slot",
      "unknown-release",
      asked(),
      { stable: placed("blue", "1.0.1", 1) },
    ],
    [
      "`previous` live in the target, unless it is a recreate",
      "unknown-release",
      asked(),
      { stable: placed("green", "1.0.0", 1) },
    ],
    [
      "another artifact of the live release",
      "unknown-release",
      asked(),
      { stable: { ...placed("blue", "1.0.0", 1), sha256: SHA256 } },
    ],
    ["a first release that stops at a weight", "not-possible-here", asked({ goal: 5 }), { stable: null }],
    [
      "another artifact under a known id",
      "not-possible-here",
      asked(),
      { recorded: [{ ...placed("green", "2.0.0", 2), sha256: SHA256 }] },
    ],
    ["an artifact that failed before", "failed-before", asked(), { failedDigests: [failed] }],
    ["a contract migration that stable can't do without", "old-schema", asked(contracting), {}],
    ["a release that needs the old schema", "old-schema", asked(), { contracted: ["0004-x.sql"] }],
    [
      "a convergence over a retained slot",
      "retained",
      asked({ sequence: 3, converge: true }),
      { stable: placed("green", "2.0.0", 2), retainedUntil: NOW + 1 },
    ],
    ["a heal before the promotion", "not-possible-here", asked({ heals: { "web-1": 2 } }), {}],
  ])("refuses %s", (_, reason, ask, changes) => {
    expect(refusal(() => mayBegin(ask, known(changes), NOW))).toEqual(refused(reason));
  });

  test("takes an artifact that failed before with retry in the record, or once it is live", () => {
    const failedDigests = [failed];
    expect(mayBegin(asked({ retry: true }), known({ failedDigests }), NOW).found).toBe("otherIsLive");
    const stable = placed("green", "2.0.0", 2);
    expect(mayBegin(asked(), known({ failedDigests, stable }), NOW).found).toBe("targetIsLive");
  });
});

describe("the fence", () => {
  const sameAgain = begun(asked(), { finished: true });
  test.each<[string, Refusal["reason"], Asked, Remembered]>([
    ["an older record", "stale", asked(), known({ sequence: 3 })],
    ["a known record with other content", "stale", asked({ goal: "staged" }), begun(asked())],
    ["a finished record", "finished", asked(), sameAgain],
  ])("refuses %s", (_, reason, ask, state) => {
    expect(refusal(() => requireUnfinished(ask, state))).toEqual(refused(reason));
  });

  test("lets a record in again whose step was killed, and the next one", () => {
    expect(() => requireUnfinished(asked(), begun(asked()))).not.toThrow();
    expect(() => requireUnfinished(asked(), known())).not.toThrow();
  });

  test("keeps a checkout from writing what was written before", () => {
    expect(() => requireNewer(3, "proxy-1", 2)).not.toThrow();
    expect(() => requireNewer(2, "proxy-1", 2)).toThrow(
      "the record here is at 1, but proxy-1 already has record 2: pull, then try again; nothing was changed",
    );
  });
});

describe.each([
  ["switch", maySwitch],
  ["share", mayShare],
])("%s", (_, may: (ask: Asked, state: Remembered) => unknown) => {
  test("is refused where the sequence was not begun, or was aborted", () => {
    expect(refusal(() => may(asked(), known()))).toEqual(refused("not-begun"));
    expect(refusal(() => may(asked(), begun(asked(), { aborted: true })))).toEqual({
      reason: "aborted",
      exitCode: EXIT.aborted,
    });
  });
});

test.each<[string, boolean, Partial<Remembered>]>([
  ["failed", false, { phase: "stable" }],
  ["froze", false, { phase: "frozen" }],
  ["is staged", true, { phase: "staged" }],
  ["holds its weight", true, { phase: "shifting" }],
  ["is live", true, { phase: "stable", stable: placed("green", "2.0.0", 2) }],
])("switch runs again, or not, where its sequence %s", (_, again, changes) => {
  const attempt = () => maySwitch(asked(), begun(asked(), { finished: true, ...changes }));
  if (again) expect(attempt).not.toThrow();
  else expect(refusal(attempt)).toEqual(refused("finished"));
});

test("share takes what is stable, no candidate", () => {
  const stable = placed("green", "2.0.0", 2);
  expect(mayShare(asked(), begun(asked(), { stable }))).toEqual(stable);
  expect(refusal(() => mayShare(asked(), begun(asked())))).toEqual(refused("not-possible-here"));
});

test.each<[string, boolean, Partial<Remembered>, Parameters<typeof recordOf>[0]]>([
  ["nothing", true, { sequence: 2 }, {}],
  ["rollBack", false, { sequence: 2 }, {}],
  ["rollBack", true, { sequence: 2, phase: "shifting" }, {}],
  ["rollBack", true, { sequence: 1 }, {}],
  ["endHeal", true, { sequence: 1 }, { heals: { "web-1": 2 } }],
  ["rollBack", false, { sequence: 1 }, { heals: { "web-1": 2 } }],
])("an abort has this to do: %s", (due, asStable, changes, record) => {
  expect(abortOf(asked(record), known(changes), asStable)).toBe(due);
});

describe("a retained slot", () => {
  const stable = placed("green", "2.0.0", 2);
  const until = "kept for an instant rollback until 2026-11-29T12:00:01.000Z";
  const into = sequenceOf(
    recordOf({
      sequence: 3,
      active: "blue",
      slots: { blue: releaseOf("3.0.0", 3), green: releaseOf("2.0.0", 2) },
    }),
  );
  const over = sequenceOf(recordOf({ sequence: 3, converge: true }));

  test("makes way for a release into it, which names the cost, and for a convergence once its time is over", () => {
    expect(retention(into, { stable, retainedUntil: NOW + 1000 }, NOW)).toBe(
      `it gives up blue, which was ${until}`,
    );
    expect(retention(into, { stable, retainedUntil: NOW }, NOW)).toBeNull();
    expect(retention(over, { stable, retainedUntil: NOW }, NOW)).toBeNull();
    expect(retention(over, { stable, retainedUntil: null }, NOW)).toBeNull();
  });

  test("is not converged over before", () => {
    expect(() => retention(over, { stable, retainedUntil: NOW + 1000 }, NOW)).toThrow(
      `blue is ${until}: until then, only a release into it may replace it`,
    );
  });
});

test.each<[string, string[], string[], boolean, boolean | "already-there"]>([
  ["another server serves", ["web-1"], ["web-1", "web-2"], false, false],
  ["nothing serves", ["web-1"], [], false, false],
  ["nothing else serves", ["web-1", "web-2"], ["web-2"], false, "already-there"],
  ["nothing else serves, and the heal is tried again", ["web-1"], ["web-1"], true, true],
])("a heal where %s", (_, healing, well, isAgain, expected) => {
  const attempt = () => cannotSpare(healing, "2.0.0-2", well, isAgain);
  if (typeof expected === "boolean") expect(attempt()).toBe(expected);
  else expect(refusal(attempt)).toEqual(refused(expected));
});
