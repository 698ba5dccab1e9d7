/** When a release migrates the database, and which contract scripts may run with it. */
import { parseRecord, recordDigest, emptyRecord } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { stepName } from "../../../release/steps";
import type { Candidate } from "../../../release/release";
import { Strategy } from "../../../release/schedule";
import * as transitions from "../../../release/transitions";
import type { Observed } from "../../../release/transitions";
import { candidateOf, recordOf } from "../examples";

const blueGreen = { environmentSchedule: Strategy.blueGreen() };
const recreate = { environmentSchedule: Strategy.recreate() };
const NOTHING: Observed = { live: null, releaseId: null, serving: [] };
const DROP = "0003-contract-author.sql";

function carrying(version: string, newest: string, contracts?: string[], digest = newest): Candidate {
  const sha256 = Buffer.from(digest).toString("hex").padEnd(64, "0").slice(0, 64);
  const migrations = { url: `https://example.org/${sha256}.zip`, sha256, newest };
  return { ...candidateOf(version), migrations, ...(contracts === undefined ? {} : { contracts }) };
}

/** Releases one after another, each completed. */
function after(...candidates: Candidate[]): { record: ReleaseRecord; observed: Observed } {
  let record = emptyRecord("socialgoal");
  let observed = NOTHING;
  for (const candidate of candidates) {
    record = transitions.release(record, candidate, observed, blueGreen);
    observed = live(record);
  }
  return { record, observed };
}

function live(record: ReleaseRecord): Observed {
  const { version, run } = record.slots[record.active]!;
  return { live: record.active, releaseId: `${version}-${run}`, serving: [record.active] };
}

function next(candidate: Candidate, ...before: Candidate[]): ReleaseRecord {
  const { record, observed } = after(...before);
  return transitions.release(record, candidate, observed, blueGreen);
}

const first = carrying("1.0", "0001-goals.sql");
const second = carrying("1.1", "0002-owner.sql");
const third = carrying("1.2", DROP, [DROP]);
const fourth = carrying("1.3", DROP, [DROP]);

describe("there is something new for the database", () => {
  it.each([
    ["with the first release that brings scripts", () => next(first)],
    ["with the next one that brings more", () => next(second, first)],
    ["where the release before brought none", () => next(first, candidateOf("0.9"))],
    [
      "where the last script is the same and the bundle is not",
      () => next(carrying("1.1", "0001-goals.sql", undefined, "x"), first),
    ],
    ["where a contract script is due", () => next(fourth, first, second, third)],
  ])("%s", (_, release) => {
    expect(release().migrate).toBe(true);
  });

  it.each([
    ["a release brings no scripts", () => next(candidateOf("1.1"), first)],
    ["it brings the same", () => next({ ...first, ...candidateOf("1.0.1") }, first)],
    ["it is older", () => next({ ...first, ...candidateOf("1.0.1") }, first, second)],
  ])("but not where %s", (_, release) => {
    expect(release()).not.toHaveProperty("migrate");
  });

  it("by a step with the sequence in its name", () => {
    const record = next(second, first);
    expect(stepName.migrate(record)).toBe(`migrate-2-${recordDigest(record).slice(0, 8)}`);
  });

  it("once: neither a promotion nor an abort nor a rollback adds anything", () => {
    const { record, observed } = after(first);
    const staged = transitions.stage(record, second, observed, blueGreen);
    expect(staged.migrate).toBe(true);
    expect(transitions.promote(staged, observed)).not.toHaveProperty("migrate");
    expect(transitions.cancel(staged, observed)).not.toHaveProperty("migrate");
    const { record: released, observed: seen } = after(first, second);
    expect(transitions.rollback(released, seen, blueGreen)).not.toHaveProperty("migrate");
  });

  it("again with a retry, as the migration may be what failed", () => {
    const { record, observed } = after(first);
    const failed = transitions.release(record, second, observed, blueGreen);
    expect(transitions.retry(failed, observed, true).migrate).toBe(true);
    expect(transitions.retry(failed, observed, false).migrate).toBe(true);
    const without = transitions.release(record, candidateOf("1.1"), observed, blueGreen);
    expect(transitions.retry(without, observed, true)).not.toHaveProperty("migrate");
  });

  it("but not with the retry of what leads back", () => {
    const { record, observed } = after(first, second);
    const back = transitions.rollback(record, observed, blueGreen);
    expect(transitions.retry(back, observed, false)).not.toHaveProperty("migrate");
    const staged = transitions.stage(record, third, observed, blueGreen);
    const cancelled = transitions.cancel(staged, observed);
    expect(transitions.retry(cancelled, observed, false)).not.toHaveProperty("migrate");
  });

  it("by the release after a failed one, which can't know how far that came", () => {
    const { record, observed } = after(first);
    const failed = transitions.release(record, second, observed, blueGreen);
    expect(transitions.release(failed, { ...second, version: "1.1.1" }, observed, blueGreen).migrate).toBe(
      true,
    );
  });
});

describe("a contract script", () => {
  it("runs with the first release of all: no release needs an older schema", () => {
    expect(next(third).contracted).toEqual([DROP]);
  });

  it("waits while the release that is live does not know it", () => {
    expect(next(third, first, second)).not.toHaveProperty("contracted");
  });

  it("runs with the next release, when everything that can get traffic knows it", () => {
    expect(next(fourth, first, second, third).contracted).toEqual([DROP]);
  });

  it("waits while a slot keeps a release that does not know it", () => {
    const { record, observed } = after(first, second, third);
    const recreated = transitions.release(record, fourth, observed, recreate);
    expect(recreated.slots[record.active === "blue" ? "green" : "blue"]?.version).toBe("1.1");
    expect(recreated).not.toHaveProperty("contracted");
  });

  it("does not become due with a rollback: it waits for the next release", () => {
    const { record, observed } = after(first, second, third);
    const recreated = transitions.release(record, fourth, observed, recreate);
    // What did not know the script makes room for what goes back.
    const schedule = { strategy: "blueGreen" as const };
    const back = transitions.rollback(recreated, live(recreated), { ...blueGreen, schedule });
    expect(back.slots[back.active]).toMatchObject({ version: "1.2", run: back.sequence });
    expect(back).not.toHaveProperty("contracted");
    expect(back).not.toHaveProperty("migrate");
    const again = { ...fourth, version: "1.3.1" };
    expect(transitions.release(back, again, live(back), blueGreen).contracted).toEqual([DROP]);
  });

  it("once it may have run, no release that needs the old schema comes back, not even by rollback", () => {
    const { record, observed } = after(first, second, third, fourth);
    for (const old of [second, candidateOf("0.9")]) {
      expect(() => transitions.release(record, old, observed, blueGreen)).toThrow(
        /needs what 0003-contract-author\.sql removed/,
      );
    }
    const edited = { ...record, previous: { ...second, run: 2 } };
    edited.slots = { ...record.slots, [record.active === "blue" ? "green" : "blue"]: edited.previous };
    expect(() => transitions.rollback(edited, observed, blueGreen)).toThrow(
      /needs what 0003-contract-author\.sql removed/,
    );
    expect(transitions.rollback(record, observed, blueGreen).active).not.toBe(record.active);
  });
});

describe("a record that was edited is refused", () => {
  it.each([
    [
      "migrate without migrations",
      { migrate: true },
      /"migrate" is true, but slots\.green has no "migrations"/,
    ],
    [
      "a contract script that the release does not list",
      { migrate: true, contracted: [DROP], slots: { blue: null, green: { ...second, run: 2 } } },
      /"contracted" names 0003-contract-author\.sql, which slots\.green\.contracts does not/,
    ],
  ])("%s", (_, changes, message) => {
    const record = recordOf({ ...changes, previous: null } as Partial<ReleaseRecord>);
    expect(() => parseRecord(JSON.stringify(record), "release.json")).toThrow(message);
  });
});
