/** What `status` says of proxies on Azure, whose last words may be lost. */
import { formatStatus } from "../../../cli/live/status";
import { notKnown } from "../../../cli/live/users";
import type { ProxyStatus } from "../../../release/director-status";
import type { ReleaseRecord } from "../../../release/record";
import { recordOf } from "../../release/examples";
import { lastLine } from "../proxies/last-line";

const AT = "2026-11-25T12:00:00.000Z";
const record: ReleaseRecord = { ...recordOf(), sequence: 37 };

/** What a step reported: users get 2.3.0-36 in blue. */
function reported(step: string, sequence: number, exitCode = 0): ProxyStatus {
  const outcome = step === "begin" ? "begun" : "promoted";
  const line = lastLine(
    { step, sequence, at: AT, serving: ["blue"] },
    {
      sequence,
      stable: { slot: "blue", releaseId: "2.3.0-36" },
      result: { step, sequence, exitCode, outcome, reason: `${step} ended`, comparison: null },
    },
  );
  return { ...line, endpoints: { blue: [], green: [] } } as unknown as ProxyStatus;
}

const statusOf = (status: ProxyStatus): string =>
  formatStatus(record, { statuses: [status], silent: [] }, { addresses: [], failure: null });

test("a switch whose words are lost: status does not know, and names the way on", () => {
  // azurerm 4.81.0 without its feature: begin is in the state, the failed switch is not. It froze at some weight.
  const text = statusOf(reported("begin", 37));
  expect(text).toMatch(
    /^.*what users get now is not known: record 37 has begun, and reported nothing since; before it, users get 2\.3\.0-36 \(blue\)\. .*`bluegreen retry` goes on, and asks the proxies first$/m,
  );
  expect(text).toMatch(/blue.* %.*, then$/m);
});

test("a record that reported nothing at all is not taken for one without effect", () => {
  expect(statusOf(reported("switch", 36))).toMatch(
    /not known: record 37 has reported nothing; before it, users get/,
  );
});

test("what the record's own last step reported is known, and so is a begin that refused", () => {
  for (const status of [reported("switch", 37), reported("begin", 37, 3)]) {
    expect(notKnown(record, status)).toBeNull();
    expect(statusOf(status)).toMatch(/^.*users get 2\.3\.0-36 \(blue\)$/m);
  }
});

test("a proxy that is asked now knows what its users get", () => {
  const { at: _, ...now } = reported("begin", 37);
  expect(notKnown(record, now)).toBeNull();
});
