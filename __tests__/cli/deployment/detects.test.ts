/** What a plan shows of what its schedule can detect, from the receipts in the project's folder. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { detectsOf } from "../../../cli/deployment/detects";
import { formatPlan, planFacts } from "../../../cli/deployment/plan-text";
import type { Planned } from "../../../cli/deployment/planning";
import type { Project } from "../../../cli/project/project";
import { trafficOf } from "../../../configuration/advice";
import type { Sessions } from "../../../configuration/sessions";
import { writeReceipt } from "../../../cli/receipts/receipt-store";
import { out } from "../../../cli/terminal/colours";
import { resolveSchedule } from "../../../release/schedule";
import { environmentOf, recordOf } from "../../release/examples";
import { receiptOf, usersEntry } from "../report/examples";

let project: Project;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "detects-"));
  const environment = { ...environmentOf(), schedule: resolveSchedule({ strategy: "canary" }) };
  project = { folder, environmentFile: "environments/local.json", environment, synth: ["true"] };
});
afterEach(() => rmSync(project.folder, { recursive: true }));

const OBSERVED = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] } as const;
const NEXT = recordOf({ sequence: 3, active: "green" });

function released(sequence: number): void {
  const before = { answers: 2_000, failed: 20, seconds: 10, age: 0 };
  const entry = usersEntry({ answers: 2_000, seconds: 100, before });
  const proxies = [{ proxy: "proxy-1", journal: [entry] }];
  writeReceipt(project, receiptOf({ sequence, proxies }));
}

const WORDS =
  "at 20 requests/s (1 % fail with stable) and 5 % for 60 s: a release that always fails is caught with 99 %; one that fails every 10th answer more not before 25 %; one that fails every 20th answer more not before 50 %; one that fails less often may pass";

test("it comes from the last releases' receipts", () => {
  released(2);
  expect(detectsOf(project, NEXT, OBSERVED)).toMatchObject({
    ...{ requestsPerSecond: 20, errorRatio: 0.01, words: WORDS },
    steps: [{ weight: 5, seconds: 60, caught: 1 }, { weight: 25 }, { weight: 50 }, { weight: 100 }],
  });
  expect(detectsOf(project, { ...NEXT, goal: 10 }, OBSERVED)).toMatchObject({
    steps: [{ weight: 5 }, { weight: 10, seconds: 60 }],
  });
});

test("with affinity, plan shows that its weights are of new clients", () => {
  released(2);
  const sessions: Sessions = { affinity: "server", withoutCookie: [] };
  const environment = { ...project.environment, sessions } as Project["environment"];
  expect(detectsOf({ ...project, environment }, NEXT, OBSERVED)).toMatchObject({
    words: expect.stringMatching(/; weights are of new clients: /),
  });
  expect(trafficOf({ ...NEXT, goal: 10 }, environment)).toMatch(
    /^5 % of new clients for 60 s, then 10 % of /,
  );
  expect(trafficOf({ ...NEXT, goal: 10 }, project.environment)).toMatch(/^5 % for 60 s, then 10 % for 60 s/);
});

test("a damaged receipt does not prevent a plan: newer ones count", () => {
  released(2);
  writeFileSync(join(project.folder, ".bluegreen/local/receipts/1.json"), "{");
  expect(detectsOf(project, NEXT, OBSERVED)).toMatchObject({ requestsPerSecond: 20 });
  writeFileSync(join(project.folder, ".bluegreen/local/receipts/2.json"), "{");
  expect(detectsOf(project, NEXT, OBSERVED)).toBe("unknown");
});

test("it is not known before a release has counted", () => {
  expect(detectsOf(project, NEXT, OBSERVED)).toBe("unknown");
});

test.each([
  ["the proxies disagree", NEXT, null],
  ["nothing is live yet", NEXT, { live: null, releaseId: null, serving: [] }],
  ["the candidate gets no users", { ...NEXT, goal: "staged" } as const, OBSERVED],
  ["its slot is live already", { ...NEXT, active: "blue" } as const, OBSERVED],
  ["it is recreated", { ...NEXT, schedule: resolveSchedule({ strategy: "recreate" }) }, OBSERVED],
])("there is nothing to compare with if %s", (_, next, observed) => {
  released(2);
  expect(detectsOf(project, next, observed)).toBeNull();
});

test("the plan has it as a line, and in its JSON", () => {
  released(2);
  const planned = (detects: Planned["detects"]): Planned =>
    ({
      ...{ before: recordOf(), next: NEXT, observed: OBSERVED, traffic: "5 % for 60 s", detects },
      ...{
        proof: "",
        notes: [],
        warnings: [],
        rollback: "",
        token: "",
        permissions: { words: "", strategies: [] },
      },
      steps: { willRun: [], undoing: [], done: [] },
    }) as unknown as Planned;
  const detects = detectsOf(project, NEXT, OBSERVED);
  expect(formatPlan(planned(detects), out)).toContain(`\ndetects    ${WORDS}\n`);
  expect(planFacts(planned(detects)).detects).toEqual(detects);
  expect(formatPlan(planned("unknown"), out)).toContain(
    "\ndetects    not known: no receipt has the site's traffic yet\n",
  );
  expect(planFacts(planned("unknown")).detects).toBeNull();
  expect(formatPlan(planned(null), out)).not.toContain("detects");
});
