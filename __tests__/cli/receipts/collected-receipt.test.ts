/** No line of a director's journal is lost, whatever was killed: the next command writes the receipt, or completes it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Project } from "../../../cli/project/project";
import type { ProxyStatus } from "../../../release/director-status";
import { collectInterrupted, completeReceipt } from "../../../cli/receipts/collected-receipt";
import { readReceipt } from "../../../cli/receipts/receipt-store";
import type { JournalEntry } from "../../../release/journal";
import { environmentOf, recordOf } from "../../release/examples";

let project: Project;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "receipts-"));
  project = {
    folder,
    environmentFile: "environments/local.json",
    environment: environmentOf(),
    synth: ["true"],
  };
});
afterEach(() => rmSync(project.folder, { recursive: true }));

const RECORD = recordOf();
const SHIFTED: JournalEntry = { at: 1_000, event: "traffic", live: "blue", weight: 30, mode: "serve" };
const DRAINED: JournalEntry = { at: 3_000, event: "drained", slot: "blue", running: 0, cut: false };

function says(proxy: string, sequence: number, journal: readonly JournalEntry[]): ProxyStatus {
  const stable = { slot: "blue", releaseId: "1.0.0-1" };
  return {
    proxy,
    serving: ["blue"],
    state: { sequence, stable, journal },
  } as unknown as ProxyStatus;
}

test("a sequence that did not come to its end has a receipt with all that the directors did", () => {
  expect(collectInterrupted(project, RECORD, [says("proxy-1", 2, [SHIFTED])])).toBe(
    ".bluegreen/local/receipts/2.json",
  );
  expect(readReceipt(project, 2)).toMatchObject({
    outcome: "interrupted",
    exitCode: 1,
    to: "1.0.0-1",
    startedAt: "1970-01-01T00:00:01.000Z",
    proxies: [{ proxy: "proxy-1", journal: [SHIFTED] }],
  });
  expect(collectInterrupted(project, RECORD, [says("proxy-1", 2, [DRAINED])])).toBeNull();
});

test("one that no proxy has begun has none", () => {
  expect(collectInterrupted(project, RECORD, [says("proxy-1", 1, [SHIFTED])])).toBeNull();
});

test("what a director did after the receipt was written is added to it, once", () => {
  collectInterrupted(project, RECORD, [says("proxy-1", 2, [SHIFTED]), says("proxy-2", 2, [])]);
  const later = [says("proxy-1", 2, [SHIFTED, DRAINED]), says("proxy-2", 3, [DRAINED])];
  expect(completeReceipt(project, RECORD, later)).toBe(".bluegreen/local/receipts/2.json");
  expect(readReceipt(project, 2).proxies).toEqual([
    { proxy: "proxy-1", journal: [SHIFTED, DRAINED] },
    { proxy: "proxy-2", journal: [] },
  ]);
  expect(completeReceipt(project, RECORD, later)).toBeNull();
});

test("without a receipt there is nothing to complete", () => {
  expect(completeReceipt(project, RECORD, [says("proxy-1", 2, [SHIFTED])])).toBeNull();
});
