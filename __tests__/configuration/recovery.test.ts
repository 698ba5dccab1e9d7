/** Recovers a lost record: exactly, as one that fits what users get, or not at all. */
import fc from "fast-check";
import { directorSpec, stepSpec } from "../../configuration/director-spec";
import { emptyRecord, parseRecord, recordDigest } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { recoverRecord } from "../../configuration/recovery";
import type { Findings, ProxyMemory, Recovery } from "../../configuration/recovery";
import { Refusal } from "../../release/failure";
import { releaseId } from "../../release/release";
import type { Release } from "../../release/release";
import { Strategy } from "../../release/schedule";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { environmentOf, recordOf, releaseOf } from "../release/examples";

const APPLIED = recordOf();

function placed(slot: Slot, release: Release) {
  const { artifact, contracts = [] } = release;
  return { slot, releaseId: releaseId(release), sha256: artifact.sha256, contracts };
}

/** A proxy on which this record was applied successfully. */
function memoryOf(record: ReleaseRecord, changes: Partial<ProxyMemory> = {}): ProxyMemory {
  const active = record.slots[record.active];
  return {
    proxy: "proxy-1",
    sequence: record.sequence,
    recordDigest: recordDigest(record),
    stable: active === null ? null : placed(record.active, active),
    recorded: SLOTS.flatMap((slot) => {
      const release = record.slots[slot];
      return release === null ? [] : [placed(slot, release)];
    }),
    contracted: record.contracted ?? [],
    shared: false,
    ...changes,
  };
}

function findings(changes: Partial<Findings> = {}): Findings {
  return {
    application: "socialgoal",
    present: null,
    proxies: [memoryOf(APPLIED)],
    begun: [],
    records: [],
    specs: [],
    releases: [],
    artifacts: [],
    heals: {},
    ...changes,
  };
}

function recovered(recovery: Recovery): Extract<Recovery, { outcome: "recovered" }> {
  if (recovery.outcome !== "recovered") throw new Error(recovery.reason);
  return recovery;
}

const ONE_RELEASE = { blue: null, green: releaseOf("1.0.0", 1) };
const KNOWN = { releases: [releaseOf("1.0.0", 1), releaseOf("2.0.0", 2)] };
/** The record in a step's spec, which the director stores unchanged. */
function brought(record: ReleaseRecord) {
  const spec = stepSpec(environmentOf(), record, 0);
  return { where: "what proxy-1 remembers", record: parseRecord(JSON.stringify(spec.record), "it") };
}

describe("the exact record", () => {
  test("is one that was found, if its digest is what the proxies began", () => {
    const records = [{ where: "planned-record.json", record: APPLIED }];
    expect(recoverRecord(findings({ records }))).toEqual({
      outcome: "recovered",
      record: APPLIED,
      proof: "exact",
      from: "planned-record.json",
      unknown: [],
    });
  });

  test("is not one that was planned and never began", () => {
    const planned = recordOf({ sequence: 3, goal: "staged" });
    const recovery = recovered(
      recoverRecord(findings({ ...KNOWN, records: [{ where: "x", record: planned }] })),
    );
    expect(recovery.proof).toBe("reconstructed");
    expect(recovery.record.goal).toBe("live");
  });

  test("is not one of another application, nor one that was edited", () => {
    const other = { ...APPLIED, application: "shop" };
    const edited = recordOf({ previous: null });
    const records = [other, edited].map((record) => ({ where: "x", record }));
    expect(recovered(recoverRecord(findings({ ...KNOWN, records }))).proof).toBe("reconstructed");
  });

  test("is known by the beginning of its digest, which the steps' names carry", () => {
    const later = recordOf({ sequence: 3, retry: true });
    const begun = [{ sequence: 3, digest: recordDigest(later).slice(0, 8) }];
    const records = [{ where: "a receipt", record: later }];
    expect(recovered(recoverRecord(findings({ begun, records }))).record).toEqual(later);
  });

  test.each<[string, Partial<ReleaseRecord>]>([
    ["a release", {}],
    ["a retry", { sequence: 3, retry: true }],
    ["a held weight", { goal: 20 }],
    ["a schedule of its own", { schedule: Strategy.canary({ stepSeconds: 3 }) }],
    ["a staged candidate", { goal: "staged" }],
    ["a convergence", { converge: true }],
    [
      "an emptied slot",
      { active: "blue", slots: { blue: releaseOf("1.0.0", 1), green: null }, previous: null },
    ],
    ["a heal", { sequence: 3, heals: { "web-1": 3 } }],
    ["contract migrations that ran", { contracted: ["0004-contract.sql"] }],
  ])("is read back from what the steps were given: %s", (_, changes) => {
    const record = recordOf(changes);
    const older = {
      where: "a receipt",
      record: recordOf({ sequence: 1, previous: null, slots: ONE_RELEASE }),
    };
    const found = findings({ proxies: [memoryOf(record)], records: [older, brought(record)] });
    expect(recoverRecord(found)).toMatchObject({ outcome: "recovered", proof: "exact", record });
  });

  test("includes its migrations", () => {
    const bundle = { url: "https://example.org/m.zip", sha256: "b".repeat(64), newest: "0002-x.sql" };
    const green = { ...releaseOf("2.0.0", 2), migrations: bundle, contracts: ["0002-x.sql"] };
    const record = recordOf({ slots: { blue: releaseOf("1.0.0", 1), green }, migrate: true });
    const found = findings({ proxies: [memoryOf(record)], records: [brought(record)] });
    expect(recoverRecord(found)).toMatchObject({ proof: "exact", record });
  });

  test("includes the resolution of an interrupted script", () => {
    const bundle = { url: "https://example.org/m.zip", sha256: "b".repeat(64), newest: "0002-x.sql" };
    const green = { ...releaseOf("2.0.0", 2), migrations: bundle };
    const resolve = [{ script: "0002-x.sql", as: "applied" as const }];
    const record = recordOf({ slots: { blue: releaseOf("1.0.0", 1), green }, migrate: true, resolve });
    const found = findings({ proxies: [memoryOf(record)], records: [brought(record)] });
    expect(recoverRecord(found)).toMatchObject({ proof: "exact", record });
  });

  test("is not one that was changed on the proxy", () => {
    const changed = brought(recordOf({ goal: 20 }));
    expect(recovered(recoverRecord(findings({ ...KNOWN, records: [changed] }))).proof).toBe("reconstructed");
  });

  test("is taken although a later proxy did not follow: retry and rollback need it", () => {
    const behind = memoryOf(APPLIED, { proxy: "proxy-2", stable: placed("blue", releaseOf("1.0.0", 1)) });
    const records = [{ where: "x", record: APPLIED }];
    const found = findings({ proxies: [memoryOf(APPLIED), behind], records });
    expect(recovered(recoverRecord(found)).record).toEqual(APPLIED);
  });
});

describe("a record that fits what users get", () => {
  test("has what is live, what is beside it, and the next sequence", () => {
    const recovery = recovered(recoverRecord(findings(KNOWN)));
    expect(recovery).toMatchObject({
      proof: "reconstructed",
      record: {
        sequence: 3,
        active: "green",
        goal: "live",
        slots: { blue: releaseOf("1.0.0", 1), green: releaseOf("2.0.0", 2) },
        previous: null,
      },
    });
    expect(recovery.unknown).toEqual([expect.stringMatching(/^previous is unknown, .*rollback/)]);
  });

  test("finds artifacts by their content alone", () => {
    const artifacts = KNOWN.releases.map(({ artifact }) => artifact);
    expect(recovered(recoverRecord(findings({ artifacts }))).record.slots).toEqual(APPLIED.slots);
  });

  test("takes what it goes back to from a step of 0.1.0, which brought no record along", () => {
    const { record } = recovered(
      recoverRecord(findings({ ...KNOWN, specs: [directorSpec(environmentOf(), APPLIED, 0)] })),
    );
    expect(record.previous).toEqual(releaseOf("1.0.0", 1));
  });

  test("is made from a step's last line alone, which names no digest and no slot but the live one", () => {
    const { sequence, stable } = memoryOf(APPLIED);
    const { slot, releaseId: id } = stable!;
    const proxies = [{ proxy: "proxy-1", sequence, stable: { slot, releaseId: id } }];
    const { record, unknown } = recovered(recoverRecord(findings({ ...KNOWN, proxies })));
    expect(record).toMatchObject({ sequence: 3, slots: { blue: null, green: releaseOf("2.0.0", 2) } });
    expect(unknown[0]).toMatch(/^the release in blue is unknown/);
  });

  test("gives up a candidate that is newer than what users get", () => {
    const rejected = recordOf({
      sequence: 3,
      active: "blue",
      slots: { blue: releaseOf("3.0.0", 3), green: releaseOf("2.0.0", 2) },
    });
    const proxies = [memoryOf(rejected, { stable: placed("green", releaseOf("2.0.0", 2)) })];
    const found = findings({ proxies, releases: [...KNOWN.releases, releaseOf("3.0.0", 3)] });
    const { record, unknown } = recovered(recoverRecord(found));
    expect(record.slots).toEqual({ blue: null, green: releaseOf("2.0.0", 2) });
    expect(unknown[0]).toMatch(/^3\.0\.0-3 in blue is dropped/);
  });

  test("keeps what contract migrations took away, wherever that is remembered", () => {
    const proxies = [memoryOf(APPLIED, { contracted: ["0004-b.sql"] })];
    const present = recordOf({
      sequence: 1,
      slots: { blue: releaseOf("1.0.0", 1), green: null },
      active: "blue",
      previous: null,
      contracted: ["0003-a.sql"],
    });
    const { record } = recovered(recoverRecord(findings({ ...KNOWN, proxies, present })));
    expect(record.contracted).toEqual(["0003-a.sql", "0004-b.sql"]);
  });

  test("keeps the heals whose steps are in Terraform's state", () => {
    const { record } = recovered(recoverRecord(findings({ ...KNOWN, heals: { "web-1": 2 } })));
    expect(record.heals).toEqual({ "web-1": 2 });
  });

  test("is empty, with its sequence, where nothing ever became live", () => {
    const proxies = [memoryOf(APPLIED, { stable: null })];
    expect(recovered(recoverRecord(findings({ proxies }))).record).toEqual({
      ...emptyRecord("socialgoal"),
      sequence: 3,
    });
  });

  test("never has a lower sequence than a proxy or a receipt", () => {
    const sequences = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(sequences, sequences, fc.option(fc.integer({ min: 2, max: 50 })), (told, steps, here) => {
        const proxies = told.map((sequence) => memoryOf(APPLIED, { sequence, recordDigest: "f".repeat(64) }));
        const begun = steps.map((sequence) => ({ sequence, digest: "e".repeat(8) }));
        const present = here === null ? null : recordOf({ sequence: here });
        const recovery = recoverRecord(findings({ ...KNOWN, proxies, begun, present }));
        const highest = Math.max(...told, ...steps, here ?? 0);
        if (recovery.outcome === "recovered") expect(recovery.record.sequence).toBeGreaterThan(highest);
        else expect(here).toBe(highest);
      }),
    );
  });
});

describe("nothing is to be recovered", () => {
  test.each<[string, Partial<Findings>]>([
    ["where the record was the last one applied", { present: APPLIED }],
    ["where it was written, and its apply never began", { present: recordOf({ sequence: 3 }) }],
    ["where nothing was ever applied", { proxies: [], present: emptyRecord("socialgoal") }],
  ])("%s", (_, changes) => {
    expect(recoverRecord(findings({ ...KNOWN, ...changes })).outcome).toBe("nothing-to-recover");
  });

  test("from a record that was recovered just now", () => {
    const { record } = recovered(recoverRecord(findings(KNOWN)));
    expect(recoverRecord(findings({ ...KNOWN, present: record })).outcome).toBe("nothing-to-recover");
  });
});

test("where all was taken down, the newest record that is left is taken", () => {
  const older = recordOf({
    sequence: 1,
    slots: { blue: releaseOf("1.0.0", 1), green: null },
    active: "blue",
    previous: null,
  });
  const records = [older, APPLIED].map((record) => ({ where: "x", record }));
  expect(recovered(recoverRecord(findings({ proxies: [], records })))).toMatchObject({
    record: APPLIED,
    unknown: ["nothing is running to compare it with"],
  });
});

describe("refused", () => {
  const refusal = (changes: Partial<Findings>): string => {
    try {
      recoverRecord(findings(changes));
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal);
      return (error as Refusal).message;
    }
    throw new Error("was not refused");
  };

  test("where the artifact of what is live is nowhere", () => {
    expect(refusal({ releases: [releaseOf("1.0.0", 1)] })).toMatch(
      /2\.0\.0-2 is live in green, and its artifact is not found/,
    );
  });

  test("where an artifact has the right name and another content", () => {
    const forged = {
      ...releaseOf("2.0.0", 2),
      artifact: { url: "https://example.org/2.zip", sha256: "0".repeat(64) },
    };
    expect(refusal({ releases: [releaseOf("1.0.0", 1), forged] })).toMatch(/its artifact is not found/);
  });

  test("where the proxies serve different releases, naming both", () => {
    const other = memoryOf(APPLIED, { proxy: "proxy-2", stable: placed("blue", releaseOf("1.0.0", 1)) });
    expect(refusal({ ...KNOWN, proxies: [memoryOf(APPLIED), other] })).toMatch(
      /proxy-1 serves 2\.0\.0-2 in green, proxy-2 1\.0\.0-1 in blue/,
    );
  });

  test("where they know the sequence with different content", () => {
    const other = memoryOf(APPLIED, { proxy: "proxy-2", recordDigest: "f".repeat(64) });
    expect(refusal({ ...KNOWN, proxies: [memoryOf(APPLIED), other] })).toMatch(/different content/);
  });

  test("where only the names of steps are left", () => {
    expect(refusal({ proxies: [], begun: [{ sequence: 4, digest: "abcdef01" }] })).toMatch(
      /record 4 has begun/,
    );
  });
});
