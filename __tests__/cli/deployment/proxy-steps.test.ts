/** A proxy's step that fails in the middle: the message names the proxy and the ways on. */
import { stepErrorOf } from "../../../cli/terraform/error-messages";
import { ProxySteps } from "../../../cli/deployment/proxy-steps";
import type { ReleaseRecord } from "../../../release/record";

const failed = (exitCode: number, reason: string) => ({
  ...{ succeeded: false, exitCode, reasons: [reason] },
  ...{ nothingWasApplied: false, cutOff: false, hooks: [] },
});
const nothingToPoll = { reachable: true, poll: () => Promise.resolve([]) };

function steps(...events: readonly (readonly [string, "started" | "done" | "failed"])[]): ProxySteps {
  const all = new ProxySteps(nothingToPoll, {} as ReleaseRecord);
  for (const [id, event] of events) all.onStep(`terraform_data.web_${id}_0123ABCD`, event);
  return all;
}

const BOTH_BEGIN = [
  ["begin-proxy-1", "started"],
  ["begin-proxy-2", "started"],
  ["begin-proxy-1", "done"],
] as const;
const BOTH_BEGUN = [...BOTH_BEGIN, ["begin-proxy-2", "done"]] as const;

test("before the first switch: exit code 1, and abort goes back", () => {
  const { exitCode, reasons } = steps(...BOTH_BEGIN, ["begin-proxy-2", "failed"]).explained(
    failed(1, "exit status 137"),
  );
  expect({ exitCode, reasons }).toEqual({
    exitCode: 1,
    reasons: [
      "proxy-2: exit status 137. Next: `bluegreen retry` once proxy-2 is back; without it `bluegreen retry --without proxy-2` goes on, and `bluegreen abort` goes back",
    ],
  });
});

test("after another proxy switched, even a refusal is exit code 6, and rollback goes back", () => {
  const events = [["switch-proxy-1", "done"] as const, ["switch-proxy-2", "failed"] as const];
  const { exitCode, reasons } = steps(...BOTH_BEGUN, ...events).explained(
    failed(3, "record 3 has not begun on this proxy (it is at 1)"),
  );
  expect(exitCode).toBe(6);
  expect(reasons.join()).toMatch(/^proxy-2: record 3 has not begun .*`bluegreen rollback` goes back$/);
});

test("a switch that was cut off by the restart of the second proxy is exit code 6, with the ways on", () => {
  const text = 'running the command: polling failed: x\nMessage: "Run command failed with exit code 143: "';
  const address = "azurerm_virtual_machine_run_command.web_switch-proxy-2_0123ABCD";
  const { exitCode: code, reason } = stepErrorOf({ severity: "error", summary: text, address });
  const { exitCode, reasons } = steps(
    ...BOTH_BEGUN,
    ["switch-proxy-1", "done"],
    ["switch-proxy-2", "failed"],
  ).explained(failed(code, reason));
  expect(exitCode).toBe(6);
  expect(reasons.join()).toMatch(
    /^proxy-2: the step was cut off, .*143.*`bluegreen retry --without proxy-2`/,
  );
});

test.each([
  ["a verdict about the candidate", 5, "5 of 5 answers failed"],
  ["a message that names the proxy", 3, "proxy-2 is at record 1"],
])("%s stays", (_, exitCode, reason) => {
  const result = failed(exitCode, reason);
  expect(steps(...BOTH_BEGUN, ["switch-proxy-2", "failed"]).explained(result)).toBe(result);
});

test("with one proxy every failure stays", () => {
  const result = failed(1, "exit status 137");
  expect(steps(["begin-proxy-1", "started"], ["begin-proxy-1", "failed"]).explained(result)).toBe(result);
});
