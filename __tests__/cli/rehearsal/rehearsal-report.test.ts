/** What the report of a rehearsal says. */
import { renderRehearsalReport } from "../../../cli/rehearsal/rehearsal-report";
import { resultsOf, timelineOf } from "../report/examples";

const headlineOf = (page: string): string => /<h1>(.*?)<\/h1>/.exec(page)![1]!;
const textOf = (page: string): string => page.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");

test("it shows whether users noticed, and where failed requests are tolerated", () => {
  const page = renderRehearsalReport(resultsOf());
  expect(headlineOf(page)).toBe("Users noticed only what they may notice.");
  expect(textOf(page)).toContain("20 requests failed, all while the site was recreated behind a page.");
  expect(textOf(page)).toContain("of 13,800, 0 not tolerated");
});

test("failures between steps are not swept under the carpet", () => {
  const { totals } = resultsOf();
  const page = renderRehearsalReport(resultsOf({ totals: { ...totals, failed: 23 } }));
  expect(textOf(page)).toContain(
    "23 requests failed: 20 while the site was recreated behind a page and 3 between steps.",
  );
});

test("without a failed request users noticed nothing", () => {
  const { steps, totals } = resultsOf();
  const page = renderRehearsalReport(
    resultsOf({ steps: steps.slice(0, 2), totals: { ...totals, failed: 0 } }),
  );
  expect(headlineOf(page)).toBe("Users noticed nothing.");
  expect(textOf(page)).toContain("No request failed.");
});

test("broken promises and lost rows stand at the top", () => {
  const { steps, totals } = resultsOf();
  const page = renderRehearsalReport(
    resultsOf({
      passed: false,
      steps: [steps[0]!, { ...steps[1]!, broken: ["ended rejected, not promoted"] }],
      totals: { ...totals, found: totals.acknowledged - 2 },
    }),
  );
  expect(headlineOf(page)).toBe("Users would have noticed.");
  const opening = textOf(page.slice(0, page.indexOf("<main>")));
  expect(opening).toContain("blue/green (split): ended rejected, not promoted");
  expect(opening).toContain("2 acknowledged POSTs not found at the end");
});

test("a load that sent nothing proves nothing", () => {
  const totals = { sent: 0, failed: 0, acknowledged: 0, found: 0 };
  expect(headlineOf(renderRehearsalReport(resultsOf({ totals })))).toContain("nothing is known");
});

test("each scenario has its charts and its steps, numbered alike", () => {
  const one = resultsOf();
  const page = renderRehearsalReport({
    ...one,
    scenarios: [
      ...one.scenarios,
      { name: "side-by-side", title: "both versions on each", slots: {}, timeline: timelineOf() },
    ],
    steps: [...one.steps, ...one.steps.map((step) => ({ ...step, scenario: "side-by-side" }))],
  });
  for (const name of [
    "scenario-1-traffic",
    "scenario-1-failed",
    "scenario-1-latency",
    "scenario-2-traffic",
  ]) {
    expect(page).toContain(`id="${name}-wide-c0"`);
    expect(page).toContain(`id="${name}-narrow-c0"`);
  }
  expect(textOf(page)).toContain(
    "3 recreate, with a page recreate 2.0.0-2 → 2.0.1-3 recreated exit code 0 1:08",
  );
  expect(textOf(page)).toContain("20 of 2,100 20 status 503");
});

describe("lost sessions", () => {
  const sessions = { begun: 120, completed: 100, lost: 9 };
  const { steps, scenarios, totals } = resultsOf();
  const withSessions = (lost: number, mayLoseSessions: boolean, failed = 0) =>
    resultsOf({
      scenarios: scenarios.map((scenario) => ({ ...scenario, sessions: { ...sessions, lost } })),
      steps: [
        steps[0]!,
        {
          ...steps[1]!,
          mayLoseSessions,
          requests: { ...steps[1]!.requests, sessions: { ...sessions, lost } },
        },
      ],
      totals: { ...totals, failed, sessions: { ...sessions, lost } },
    });
  const opening = (page: string): string => textOf(page.slice(0, page.indexOf("<main>")));

  test("are their own figure, by scenario and step, and no failed request", () => {
    const page = renderRehearsalReport(withSessions(9, true));
    expect(headlineOf(page)).toBe("Users noticed only what they may notice.");
    expect(opening(page)).toContain("No request failed.");
    expect(opening(page)).toContain(
      "Sessions in instances&#39; memory that were lost: 9 of 120 with two servers, blue on one and green on the other.",
    );
    expect(opening(page)).toMatch(/Lost sessions\s+9\s+of 120 users who began a form, 0 not tolerated/);
    expect(textOf(page)).toContain("0 of 6,000 9 31 ms");
  });

  test("do not stand in the way of the best headline if there are none", () => {
    const page = renderRehearsalReport(withSessions(0, true));
    expect(headlineOf(page)).toBe("Users noticed nothing.");
    expect(opening(page)).toMatch(/Lost sessions\s+0\s+of 120 users who began a form/);
  });

  test("of a step that moves no user are marked", () => {
    const page = renderRehearsalReport(withSessions(9, false));
    expect(page).toContain('<span class="bad">9</span>');
    expect(opening(page)).toMatch(/Lost sessions\s+9\s+of 120 users who began a form\s/);
  });

  test("results without them are read as before", () => {
    expect(renderRehearsalReport(resultsOf())).not.toContain("essions in instances");
  });
});
