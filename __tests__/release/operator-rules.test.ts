/** What operators rely on: bans, tokens, the steps of a plan, warnings, and the newest safe release. */
import { permittedStrategies, warningsOf, rollbackPath } from "../../configuration/advice";
import { ban, liftBan } from "../../release/bans";
import { readPlan } from "../../release/terraform-plan";
import { formatSteps, stepsOf } from "../../release/plan-steps";
import { planToken, requireSamePlan } from "../../release/plan-token";
import { parseRecord, formatRecord, recordDigest } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { InvalidInput, Refusal } from "../../release/failure";
import { describeSafeRelease, newestSafeRelease } from "../../release/safe-release";
import * as transitions from "../../release/transitions";
import { candidateOf, deepFreeze, environmentOf, recordOf, releaseOf } from "./examples";

const ENTRY = { version: "1.3.0", reason: "loses goals", by: "root on here", at: "2026-11-25T10:00:00.000Z" };
const OBSERVED = { live: "green", releaseId: "2.0.0-2", serving: ["green"] } as const;
const intent = { environmentSchedule: environmentOf().schedule };

describe("a ban", () => {
  const banned = (version: string): ReleaseRecord => deepFreeze(ban(recordOf(), { ...ENTRY, version }));

  test("is no part of what runs: sequence and digest stay, and it survives the file", () => {
    const record = banned("1.3.0");
    expect(record.sequence).toBe(2);
    expect(recordDigest(record)).toBe(recordDigest(recordOf()));
    expect(parseRecord(formatRecord(record), "release.json")).toEqual(record);
  });

  test.each<[string, () => unknown]>([
    ["release", () => transitions.release(banned("1.3.0"), candidateOf("1.3.0"), OBSERVED, intent)],
    ["rollback", () => transitions.rollback(banned("1.0.0"), OBSERVED, intent)],
    ["retry", () => transitions.retry(banned("2.0.0"), { ...OBSERVED, live: "blue" }, false)],
    [
      "promote",
      () =>
        transitions.promote(
          { ...banned("2.0.0"), goal: "staged" },
          { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] },
        ),
    ],
  ])("is enforced by %s, with the reason", (_, attempt) => {
    expect(attempt).toThrow(Refusal);
    expect(attempt).toThrow(/is banned: loses goals \(root on here, 2026-11-25\)/);
  });

  test("stays through later transitions, and does not stop other versions or an abort", () => {
    const next = transitions.release(banned("1.3.0"), candidateOf("1.4.0"), OBSERVED, intent);
    expect(next.banned).toEqual([ENTRY]);
    const staged = { ...banned("2.0.0"), goal: "staged" } as const;
    const seen = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] } as const;
    expect(transitions.cancel(staged, seen).slots.green).toBeNull();
  });

  test("can be added once, and lifted once", () => {
    expect(liftBan(banned("1.3.0"), "1.3.0")).toEqual(recordOf());
    expect(() => liftBan(recordOf(), "1.3.0")).toThrow(InvalidInput);
    expect(() => ban(banned("1.3.0"), ENTRY)).toThrow(/already banned/);
  });
});

describe("a plan token", () => {
  const next = transitions.release(recordOf(), candidateOf("3.0.0"), OBSERVED, intent);
  const token = planToken(recordOf(), OBSERVED, next);

  test("holds while nothing moves, in whatever order the slots are named", () => {
    const both = { ...OBSERVED, serving: ["green", "blue"] } as const;
    const reversed = { ...OBSERVED, serving: ["blue", "green"] } as const;
    expect(planToken(recordOf(), both, next)).toBe(planToken(recordOf(), reversed, next));
    expect(() => requireSamePlan(token, token)).not.toThrow();
  });

  test.each<[string, string, RegExp]>([
    ["the sequence", planToken(recordOf({ sequence: 3 }), OBSERVED, next), /at 2 and is now at 3/],
    ["what users get", planToken(recordOf(), { ...OBSERVED, releaseId: "1.0.0-1" }, next), /what users get/],
    ["that proxies agree", planToken(recordOf(), null, next), /what users get/],
    [
      "the artifact",
      planToken(
        recordOf(),
        OBSERVED,
        transitions.release(recordOf(), candidateOf("3.0.1"), OBSERVED, intent),
      ),
      /a different version/,
    ],
    [
      "the schedule",
      planToken(recordOf(), OBSERVED, { ...next, schedule: { strategy: "canary" } }),
      /a different version/,
    ],
  ])("is refused once %s moved", (_, now, words) => {
    expect(() => requireSamePlan(token, now)).toThrow(Refusal);
    expect(() => requireSamePlan(token, now)).toThrow(words);
  });

  test.each(["", "17", "latest", "2-xyz-abc", `${token} `])("%p is none", (text) => {
    expect(() => requireSamePlan(text, token)).toThrow(InvalidInput);
  });
});

test("a plan's steps: done, undoing, will run, in the order in which they run", () => {
  const change = (name: string, actions: string[], more: object = {}) => ({
    address: `terraform_data.${name}`,
    change: { actions },
    ...more,
  });
  const resource_changes = [
    change("switch-proxy-1", ["create", "delete"]),
    change("install-green-web-1", ["create", "delete"]),
    change("install-green-web-1", ["delete"], { deposed: "1a2b" }),
    change("install-blue-web-1", ["no-op"]),
    change("share-proxy-1[0]", ["delete"]),
    change("begin-proxy-1", ["create", "delete"]),
    {
      address: "azurerm_virtual_machine_run_command.deployment_migrate-operations-1_1A2B3C4D",
      change: { actions: ["create"] },
    },
  ];
  const steps = stepsOf(readPlan(JSON.stringify({ resource_changes })));
  expect(formatSteps(steps)).toEqual([
    "done       install-blue-web-1",
    "undoing    install-green-web-1 (left by a failed apply), share-proxy-1",
    "will run   begin-proxy-1, migrate-operations-1, install-green-web-1, switch-proxy-1",
  ]);
});

describe("advice", () => {
  const warned = (schedule: object, changes: object = {}) =>
    warningsOf(recordOf({ schedule: schedule as never }), environmentOf(changes)).map(
      (line) => line.split(/ is |:/)[0],
    );

  test.each<[object, string[]]>([
    [{ strategy: "blueGreen" }, ["verification.smoke"]],
    [
      { strategy: "blueGreen", bakeSeconds: 0, drainSeconds: 0 },
      ["bakeSeconds", "drainSeconds", "verification.smoke"],
    ],
    [{ strategy: "canary", onFailure: "freeze" }, ["verification.smoke", "onFailure"]],
    [{ strategy: "recreate" }, ["strategy recreate", "verification.smoke"]],
    [
      { strategy: "recreate", whileDown: "maintenancePage" },
      ["strategy recreate with whileDown maintenancePage", "verification.smoke"],
    ],
  ])("%j warns of %j", (schedule, fields) => expect(warned(schedule)).toEqual(fields));

  test("are empty for a careful release", () => {
    const verification = { path: "/health", smoke: [{ path: "/" }] };
    expect(warned({ strategy: "canary" }, { verification })).toEqual([]);
  });

  test("name what the verdict does not see of gRPC calls", () => {
    const verification = { path: "/health", smoke: [{ path: "/" }] };
    expect(
      warned({ strategy: "canary" }, { verification, proxies: { http: { instances: "http2" } } }),
    ).toEqual(["proxies.http.instances"]);
  });

  test("name what the migrations permit, and what can't be rolled back", () => {
    const migrations = {
      url: "https://example.org/m.zip",
      sha256: "b".repeat(64),
      newest: "0004-contract-x.sql",
    };
    const contracts = ["0004-contract-x.sql"];
    const green = { ...releaseOf("2.0.0", 2), migrations, contracts };
    const slots = { blue: releaseOf("1.0.0", 1), green };
    const waits = recordOf({ slots, migrate: true });
    expect(permittedStrategies(recordOf(), waits).words).toMatch(
      /blueGreen, canary and recreate are permitted; 0004-contract-x\.sql waits/,
    );
    const runs = recordOf({ slots, migrate: true, contracted: contracts });
    expect(permittedStrategies(recordOf(), runs).words).toMatch(/0004-contract-x\.sql removes something/);
    expect(permittedStrategies(recordOf(), recordOf()).words).toMatch(/stays as it is/);
    expect(permittedStrategies(recordOf(), recordOf({ slots })).words).toBe(
      "the database is checked, nothing new to migrate: blueGreen, canary and recreate are permitted",
    );
    expect(rollbackPath(runs)).toBe("no rollback to 1.0.0-1: it needs what 0004-contract-x.sql removes");
    expect(rollbackPath(recordOf())).toBe("rollback to 1.0.0-1 is instant, it keeps running in blue");
    expect(rollbackPath(recordOf({ converge: true }))).toMatch(/is not instant/);
  });
});

describe("the newest release that is safe", () => {
  const past = (version: string, run: number, more: object = {}, stable?: string) => {
    const green = { ...releaseOf(version, run), ...more };
    return {
      record: recordOf({ sequence: run, slots: { blue: null, green } }),
      stable: stable ?? `${version}-${run}`,
    };
  };
  const contracts = ["0004-contract-x.sql"];

  test("was live, knows every contract that ran, is not banned, and is not what is to be left", () => {
    const now = ban(
      recordOf({ contracted: contracts, slots: { blue: null, green: releaseOf("1.9.0", 9) } }),
      { ...ENTRY, version: "1.7.0" },
    );
    const found = newestSafeRelease(now, [
      past("1.5.0", 5, { contracts }),
      past("1.6.0", 6, { contracts }),
      past("1.7.0", 7, { contracts }),
      past("1.8.0", 8),
      past("1.8.1", 10, { contracts }, "1.8.0-8"),
      past("1.9.0", 9, { contracts }),
    ]);
    expect(describeSafeRelease(found)).toMatch(
      /^The newest safe release is 1\.6\.0-6: `bluegreen release 1\.6\.0 --artifact https:\/\/example\.org\/1\.6\.0\.zip --sha256 [0-9a-f]{64}`$/,
    );
  });

  test("is reported as unknown", () => {
    expect(
      describeSafeRelease(newestSafeRelease(recordOf({ contracted: contracts }), [past("1.0.0", 1)])),
    ).toMatch(/No earlier release is known/);
  });
});
