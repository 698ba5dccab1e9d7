/** The record from which a rollback starts. */
import { recordInForce } from "../../release/in-force";
import { emptyRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { artifact } from "../on-server/director/simulated-world";

const release = (version: string, run: number) => ({ ...artifact(version), run });
const APPLIED: ReleaseRecord = {
  ...emptyRecord("demo"),
  ...{ sequence: 2, active: "green", previous: release("1.0.0", 1) },
  slots: { blue: release("1.0.0", 1), green: release("1.1.0", 2) },
};
const WRITTEN: ReleaseRecord = {
  ...APPLIED,
  ...{ sequence: 3, active: "blue", previous: release("1.1.0", 2) },
  slots: { blue: release("1.2.0", 3), green: release("1.1.0", 2) },
};
const state = (record: ReleaseRecord) => ({ sequence: record.sequence, record: { ...record } });

test("is the last one that began, if every proxy refused what was written after it", () => {
  expect(recordInForce(WRITTEN, [state(APPLIED), state(APPLIED)])).toEqual({ ...APPLIED, sequence: 3 });
});

test("keeps the bans, which proxies do not get", () => {
  const banned = [{ version: "1.0.0", reason: "it loses orders", by: "ann", at: "2026-11-30T12:00:00Z" }];
  expect(recordInForce({ ...WRITTEN, banned }, [state(APPLIED)])).toEqual({
    ...APPLIED,
    sequence: 3,
    banned,
  });
});

test.each([
  ["one proxy began", [state(APPLIED), state(WRITTEN)]],
  ["the proxies had different ones", [state(APPLIED), state({ ...APPLIED, sequence: 1 })]],
  ["a proxy shows none, as on Azure", [{ sequence: 2, record: undefined }]],
  ["a proxy's is damaged", [{ sequence: 2, record: { formatVersion: 7 } }]],
  ["no proxy answers", []],
])("is the one that was written, if %s", (_, states) => {
  expect(recordInForce(WRITTEN, states as never)).toBe(WRITTEN);
});
