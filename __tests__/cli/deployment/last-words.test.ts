/** How long the command waits for directors, once Terraform or a step was ended by a signal. */
import { surveyOnceEnded } from "../../../cli/deployment/last-words";
import type { ProxyStatus } from "../../../release/director-status";
import { RECORD, status } from "../live/snapshots";

const RESULT = { sequence: 17, comparison: null, reason: "" };
const BEGUN = status({
  ...{ sequence: 17, finished: false },
  result: { ...RESULT, step: "begin", exitCode: 0, outcome: "begun" },
});
const ABORTED = status({
  ...{ sequence: 17, finished: true },
  result: { ...RESULT, step: "switch", exitCode: 5, outcome: "rolledBack" },
});

/** Proxies that answer in turn, then always the last. */
function proxies(...answers: readonly ProxyStatus[]) {
  let asked = 0;
  const survey = () => {
    asked += 1;
    return Promise.resolve({ statuses: [answers[Math.min(asked, answers.length) - 1]!], silent: [] });
  };
  return { reachable: true, survey, asked: () => asked };
}

test("it waits until the director has said how its step ended", async () => {
  const at = proxies(BEGUN, BEGUN, ABORTED);
  const { statuses } = await surveyOnceEnded(at, RECORD, ["proxy-1"]);
  expect({ statuses, asked: at.asked() }).toEqual({ statuses: [ABORTED], asked: 3 });
});

test.each([
  ["no director was at work", [], BEGUN],
  ["another proxy's was", ["proxy-2"], BEGUN],
  ["it has ended already", ["proxy-1"], ABORTED],
  ["it never began this sequence", ["proxy-1"], status({ sequence: 16, finished: false })],
])("it does not wait where %s", async (_, working, answer) => {
  const at = proxies(answer);
  await surveyOnceEnded(at, RECORD, working);
  expect(at.asked()).toBe(1);
});

test("it waits for nothing that it can't reach", async () => {
  const at = { ...proxies(BEGUN, ABORTED), reachable: false };
  expect((await surveyOnceEnded(at, RECORD, ["proxy-1"])).statuses).toEqual([BEGUN]);
});
