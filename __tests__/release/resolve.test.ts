/** The record has the resolution of an interrupted script, for one sequence. */
import { migrateSpec } from "../../release/migrate-spec";
import { describeResolutions } from "../../release/resolution";
import { resolve } from "../../release/resolve";
import { formatRecord, parseRecord, recordDigest } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { Refusal } from "../../release/failure";
import type { Release } from "../../release/release";
import { Strategy } from "../../release/schedule";
import * as transitions from "../../release/transitions";
import type { Observed } from "../../release/transitions";
import { candidateOf, complaint, deepFreeze, recordOf, releaseOf } from "./examples";

const BUNDLE = { url: "https://example.org/m.zip", sha256: "b".repeat(64), newest: "0004-x.sql" };
const SCRIPT = { script: "0004-x.sql", as: "pending" } as const;
const BLUE: Observed = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] };

const withScripts = (release: Release): Release & { migrations: typeof BUNDLE } => ({
  ...release,
  migrations: BUNDLE,
});
/** Green's 2.0.0 stopped at its migration, before anything was installed. */
const STOPPED = deepFreeze(
  recordOf({
    slots: { blue: releaseOf("1.0.0", 1), green: withScripts(releaseOf("2.0.0", 2)) },
    migrate: true,
  }),
);
/** 2.0.0 was cancelled; 1.0.0 is live, and has migrations, too. */
const WITHDRAWN = deepFreeze(
  recordOf({
    sequence: 3,
    active: "blue",
    slots: { blue: withScripts(releaseOf("1.0.0", 1)), green: null },
    previous: null,
  }),
);

function refusal(record: ReleaseRecord): Pick<Refusal, "reason" | "message"> {
  try {
    resolve(record, BLUE, SCRIPT, true);
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal);
    return error as Refusal;
  }
  throw new Error("it was not refused");
}

test("the release continues as a retry whose migration first corrects the journal", () => {
  expect(resolve(STOPPED, BLUE, SCRIPT, true)).toEqual({
    ...transitions.retry(STOPPED, BLUE, true),
    migrate: true,
    resolve: [SCRIPT],
  });
});

test("with a candidate that was cancelled only the journal changes, even where its server is down", () => {
  expect(resolve(WITHDRAWN, BLUE, SCRIPT, true)).toEqual({
    ...WITHDRAWN,
    sequence: 4,
    retry: true,
    rollsBack: false,
    migrate: true,
    resolve: [SCRIPT],
  });
});

test("what it makes is a record that is read back as it is", () => {
  for (const record of [STOPPED, WITHDRAWN]) {
    const next = resolve(record, BLUE, SCRIPT, false);
    expect(parseRecord(formatRecord(next), "release.json")).toEqual(next);
  }
});

test("the migrator gets it with this sequence only", () => {
  const next = resolve(WITHDRAWN, BLUE, SCRIPT, false);
  const spec = migrateSpec(next, withScripts(releaseOf("1.0.0", 1)), { kind: "file", file: "database.url" });
  expect(spec.resolve).toEqual([SCRIPT]);
  const intent = { environmentSchedule: Strategy.blueGreen() };
  for (const later of [
    transitions.retry(next, BLUE, false),
    transitions.release(next, { ...candidateOf("3.0.0"), migrations: BUNDLE }, BLUE, intent),
    transitions.heal(next, BLUE, ["web-1"]),
  ]) {
    expect(later).not.toHaveProperty("resolve");
    expect(
      migrateSpec(later, withScripts(releaseOf("1.0.0", 1)), { kind: "file", file: "f" }),
    ).not.toHaveProperty("resolve");
  }
});

test("another answer is another record: a step that ran with one is not taken for the other", () => {
  const [applied, pending] = (["applied", "pending"] as const).map((as) =>
    recordDigest(resolve(STOPPED, BLUE, { script: SCRIPT.script, as }, false)),
  );
  const { resolve: _, ...without } = resolve(STOPPED, BLUE, SCRIPT, false);
  expect(new Set([applied, pending, recordDigest(without)]).size).toBe(3);
});

test("is refused without a recorded release: the message names the next step", () => {
  const record = recordOf({ active: "blue", slots: { blue: null, green: null }, previous: null });
  expect(refusal(record)).toMatchObject({
    reason: "nothing-to-resolve",
    message: expect.stringMatching(
      /record 2 has no release.* release the version that brings 0004-x\.sql first/,
    ),
  });
});

test("is refused if the recorded release has no migrations", () => {
  expect(refusal(recordOf())).toMatchObject({
    reason: "nothing-to-resolve",
    message: expect.stringMatching(/^2\.0\.0-2 in record 2 brings no migrations: release the version/),
  });
});

test("is refused as a retry is", () => {
  const observed: Observed = { ...BLUE, serving: ["blue", "green"] };
  expect(() => resolve(STOPPED, observed, SCRIPT, true)).toThrow(/green still gets requests/);
});

test.each<[string, object, RegExp]>([
  [
    "without a migration",
    { resolve: [SCRIPT], migrate: undefined },
    /"resolve" is for the migration .* "migrate": true/,
  ],
  ["of nothing", { resolve: [] }, /resolve must have at least 1 entries/],
  ["of a path", { resolve: [{ ...SCRIPT, script: "../1-x.sql" }] }, /resolve\.0\.script/],
  ["of SQL", { resolve: [{ ...SCRIPT, script: "1'; DROP TABLE goals; --.sql" }] }, /resolve\.0\.script/],
  [
    "as something else",
    { resolve: [{ ...SCRIPT, as: "done" }] },
    /resolve\.0\.as must be "applied" or "pending"/,
  ],
  ["twice", { resolve: [SCRIPT, { ...SCRIPT, as: "applied" }] }, /resolve: must have one answer per script/],
  ["with more", { resolve: [{ ...SCRIPT, why: "x" }] }, /unknown field "why"/],
])("a hand-edited answer %s is refused with its field", (_, changes, message) => {
  const text = JSON.stringify({ ...STOPPED, ...changes });
  expect(complaint(() => parseRecord(text, "release.json"))).toMatch(message);
});

test("the plan shows what happens to the journal", () => {
  expect(describeResolutions(undefined)).toBeNull();
  expect(describeResolutions([SCRIPT, { script: "0005-y.sql", as: "applied" }])).toBe(
    "before the migration, the journal lists 0004-x.sql as pending, and runs again; 0005-y.sql as applied, and does not run again",
  );
});
