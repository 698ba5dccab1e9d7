/** The record that takes over what was done by hand on the proxies. */
import { recoverByHand } from "../../configuration/recovery-by-hand";
import type { Findings, ProxyMemory } from "../../configuration/recovery";
import type { BrokenGlass } from "../../release/moved-by-hand";
import { releaseId } from "../../release/release";
import { recordOf } from "../release/examples";

const IN_FORCE = recordOf();
const [active, idle] =
  IN_FORCE.active === "blue" ? (["blue", "green"] as const) : (["green", "blue"] as const);
const place = (slot: "blue" | "green") => ({ slot, releaseId: releaseId(IN_FORCE.slots[slot]!) });
const BROKEN: BrokenGlass = {
  at: 0,
  reason: "it loses orders",
  from: place(active),
  to: place(idle),
  wasStable: true,
  sequence: IN_FORCE.sequence + 1,
};

const moved = (proxy: string, broken: Partial<BrokenGlass> = {}): ProxyMemory => {
  const brokenGlass = { ...BROKEN, ...broken };
  return { proxy, sequence: brokenGlass.sequence, recordDigest: "", stable: brokenGlass.to, brokenGlass };
};
const findings = (changes: Partial<Findings>): Findings => ({
  ...{ application: IN_FORCE.application, present: IN_FORCE, proxies: [moved("proxy-1")], begun: [] },
  ...{ records: [], specs: [], releases: [], artifacts: [], heals: {} },
  ...changes,
});

test("no users were moved: nothing to take over", () => {
  const proxy = { proxy: "proxy-1", sequence: 2, recordDigest: "", stable: place(active), brokenGlass: null };
  expect(recoverByHand(findings({ proxies: [proxy] }))).toBeNull();
});

test("the slots stay, the kept one is active, what users left is previous; a refused record's number is passed over", () => {
  const refused = recordOf({ sequence: BROKEN.sequence, retry: true });
  const taken = recoverByHand(
    findings({ present: refused, records: [{ where: "a receipt", record: IN_FORCE }] }),
  );
  expect(taken?.recovery).toMatchObject({
    outcome: "recovered",
    record: {
      sequence: BROKEN.sequence + 1,
      active: idle,
      goal: "live",
      slots: IN_FORCE.slots,
      previous: IN_FORCE.slots[active],
      follows: BROKEN.sequence,
    },
    unknown: [],
  });
});

test("a candidate that users left was never stable: it is no target of a rollback", () => {
  const taken = recoverByHand(findings({ proxies: [moved("proxy-1", { wasStable: false })] }));
  expect(taken?.recovery).toMatchObject({ record: { active: idle, previous: null } });
});

test("proxies that were not moved, or do not answer, are left out and named", () => {
  const away: ProxyMemory = { proxy: "proxy-2", sequence: 2, recordDigest: "", stable: place(active) };
  const taken = recoverByHand(findings({ proxies: [moved("proxy-1"), away], silent: ["proxy-3"] }));
  expect(taken?.recovery).toMatchObject({
    record: { leftOut: ["proxy-2", "proxy-3"] },
    unknown: [expect.stringMatching(/^proxy-3 did not answer/), expect.stringMatching(/^proxy-2 serves/)],
  });
});

test("a record that took it over is not written twice; proxies that were moved apart are refused", () => {
  const later = recordOf({ sequence: BROKEN.sequence + 1 });
  expect(recoverByHand(findings({ present: later }))?.recovery.outcome).toBe("nothing-to-recover");
  const apart = moved("proxy-2", { to: place(active), from: place(idle) });
  expect(() => recoverByHand(findings({ proxies: [moved("proxy-1"), apart] }))).toThrow(
    /to different releases/,
  );
});
