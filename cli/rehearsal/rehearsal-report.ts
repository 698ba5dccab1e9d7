/** The HTML report of a rehearsal: whether users noticed a release, by scenario and step. */
import type { RehearsalResults, RehearsedScenario, RehearsedStep } from "./results";
import type { Tolerance } from "./scenarios";
import type { Band } from "../report/charts";
import { html } from "../report/html";
import { lostSessions } from "../report/measured";
import type { Html, Piece } from "../report/html";
import { figures, move, renderPage, section, table, text, word } from "../report/page";
import type { Figure } from "../report/page";
import { axisOf, renderTrafficCharts } from "../report/traffic-chart";
import { count, dateAndTime, list, milliseconds, offset, plural, seconds } from "../report/format";

export function renderRehearsalReport(results: RehearsalResults): string {
  const { driver, terraform, scenarios, formatVersion, startedAt, endedAt } = results;
  const took = seconds((Date.parse(endedAt) - Date.parse(startedAt)) / 1000);
  return renderPage({
    kind: `A rehearsal with ${driver} and Terraform ${terraform}, ${dateAndTime(Date.parse(startedAt))}, in ${took}`,
    title: `Rehearsal with ${driver}: ${results.passed ? "passed" : "failed"}`,
    headline: headline(results),
    opening: html`${lead(results)} ${figures(keyFigures(results))} ${brokenPromises(results)}`,
    sections: scenarios.map((scenario) => renderScenario(scenario, results)),
    footer: `Rendered by bluegreen from a rehearsal's results of format ${formatVersion}. Times are UTC.`,
  });
}

function headline({ passed, totals }: RehearsalResults): string {
  if (totals.sent === 0) return "No request was sent: nothing is known.";
  if (!passed) return "Users would have noticed.";
  return totals.failed === 0 && (totals.sessions?.lost ?? 0) === 0
    ? "Users noticed nothing."
    : "Users noticed only what they may notice.";
}

const ALLOWED: Readonly<Record<Exclude<Tolerance, "none">, string>> = {
  whileDown: "while the site was recreated behind a page",
  ownBadAnswers: "as bad answers of the release that was then rolled back",
};

function lead({ steps, totals, scenarios }: RehearsalResults): Html {
  const done = steps.filter(({ exitCode }) => exitCode === 0).length;
  const kept = steps.length - done;
  const releases = `${plural(steps.length, "release")} under load: ${done} done as requested, ${kept} rejected or rolled back.`;
  return html`<p class="lead">${releases} ${whereFailed(steps, totals.failed)} ${whereLost(scenarios)}</p>`;
}

/** By scenario: a step that moves users costs their sessions in memory. */
function whereLost(scenarios: readonly RehearsedScenario[]): string {
  const places = scenarios.flatMap(({ title, sessions }) =>
    sessions === undefined ? [] : [`${count(sessions.lost)} of ${count(sessions.begun)} with ${title}`],
  );
  return places.length === 0 ? "" : `Sessions in instances' memory that were lost: ${list(places)}.`;
}

/** Accounts for every failed request: tolerated, not tolerated, or between steps. */
function whereFailed(steps: readonly RehearsedStep[], failed: number): string {
  if (failed === 0) return "No request failed.";
  const places = (["whileDown", "ownBadAnswers", "none"] as const)
    .map((tolerance) => ({
      tolerance,
      failed: failedIn(steps.filter((step) => step.tolerance === tolerance)),
    }))
    .filter((place) => place.failed > 0)
    .map((place) =>
      place.tolerance === "none"
        ? `${count(place.failed)} in steps that tolerate none`
        : `${count(place.failed)} ${ALLOWED[place.tolerance]}`,
    );
  const between = failed - failedIn(steps);
  if (between > 0) places.push(`${count(between)} between steps`);
  return places.length === 1
    ? `${plural(failed, "request")} failed, all ${places[0]!.replace(/^\S+ /, "")}.`
    : `${plural(failed, "request")} failed: ${list(places)}.`;
}

function failedIn(steps: readonly RehearsedStep[]): number {
  return steps.reduce((all, { requests }) => all + requests.failed, 0);
}

function lostIn(steps: readonly RehearsedStep[]): number {
  return steps.reduce((all, { requests }) => all + (requests.sessions?.lost ?? 0), 0);
}

function keyFigures({ steps, totals, scenarios }: RehearsalResults): Figure[] {
  const served = new Set(
    scenarios.flatMap(({ name, timeline }) =>
      timeline.flatMap(({ versions }) => Object.keys(versions).map((id) => `${name} ${id}`)),
    ),
  );
  const untolerated = failedIn(steps.filter(({ tolerance }) => tolerance === "none"));
  const untouched = steps.filter(({ mayLoseSessions }) => mayLoseSessions === false);
  const longest = Math.max(0, ...steps.map(({ requests }) => requests.longestGapMs));
  const slowest = steps.find(({ requests }) => requests.longestGapMs === longest);
  return [
    {
      label: "Failed requests",
      value: count(totals.failed),
      note: `of ${count(totals.sent)}, ${count(untolerated)} not tolerated`,
      ...(totals.failed === 0 && totals.sent > 0 && { tone: "good" as const }),
      ...(untolerated > 0 && { tone: "bad" as const }),
    },
    ...(totals.sessions === undefined ? [] : [lostSessions(totals.sessions, lostIn(untouched))]),
    {
      label: "Longest time without an answer",
      value: milliseconds(longest),
      ...(longest > 0 && { note: `in “${slowest!.name}”` }),
    },
    {
      label: "Releases seen by users",
      value: count(served.size),
      note: `in ${plural(scenarios.length, "environment")}`,
    },
    {
      label: "Acknowledged POSTs found",
      value: count(totals.found),
      note: `of ${count(totals.acknowledged)}, in the database at the end`,
      ...(totals.found < totals.acknowledged && { tone: "bad" as const }),
    },
  ];
}

function brokenPromises({ steps, totals }: RehearsalResults): Piece {
  const broken = steps.flatMap((step) => step.broken.map((promise) => ({ step, promise })));
  const lost = totals.acknowledged - totals.found;
  if (broken.length === 0 && lost === 0) return null;
  return html`<section>
    <h2>Broken promises</h2>
    <ul class="plain-list">
      ${broken.map(
        ({ step, promise }) =>
          html`<li>
            <strong>${step.name}</strong> (${step.scenario}): <span class="bad">${promise}</span>
          </li>`,
      )}${lost > 0 && html`<li><span class="bad">${plural(lost, "acknowledged POST")} not found at the end</span></li>`}
    </ul>
  </section>`;
}

function renderScenario(scenario: RehearsedScenario, results: RehearsalResults): Html {
  const steps = results.steps.filter((step) => step.scenario === scenario.name);
  const first = steps[0];
  const last = steps.at(-1);
  if (first === undefined || last === undefined) return html``;
  const axis = axisOf(first.startedAt, last.endedAt, scenario.timeline);
  const since = (at: string): number => (Date.parse(at) - axis.begin) / 1000;
  const bands: Band[] = steps.map(({ startedAt, endedAt }, index) => ({
    number: index + 1,
    from: since(startedAt),
    to: since(endedAt),
  }));
  return section(
    capital(scenario.title),
    html`<p class="muted">
      The numbers above the chart are those of the steps below. Requests begin after the first deployment.
    </p>`,
    renderTrafficCharts({
      name: `scenario-${results.scenarios.indexOf(scenario) + 1}`,
      title: capital(scenario.title),
      ...axis,
      timeline: scenario.timeline,
      slotOf: scenario.slots,
      marks: [],
      bands,
    }),
    stepTable(scenario, steps, bands),
  );
}

function stepTable(
  scenario: RehearsedScenario,
  steps: readonly RehearsedStep[],
  bands: readonly Band[],
): Html {
  return table(
    `Steps: ${scenario.title}`,
    [
      { title: "No." },
      { title: "Step" },
      { title: "Release" },
      { title: "Outcome" },
      { title: "Begin", align: "right" },
      { title: "Took", align: "right" },
      { title: "Failed", align: "right" },
      { title: "Lost sessions", align: "right" },
      { title: "Longest gap", align: "right" },
      { title: "p50 / p95 / p99", align: "right" },
    ],
    steps.map((step, index) => [
      index + 1,
      html`<span>${step.name}</span><small>${step.strategy}</small>`,
      move(step.from, step.to),
      outcome(step),
      offset(bands[index]!.from),
      seconds(step.seconds),
      ...measured(step),
    ]),
  );
}

function outcome({ outcome, exitCode, broken }: RehearsedStep): Html {
  return html`${word(outcome)}<small>exit code ${exitCode}</small>${broken.map(
      (promise) => html`<small class="bad">${text(promise)}</small>`,
    )}`;
}

function measured({ requests, tolerance, mayLoseSessions }: RehearsedStep): Piece[] {
  const { sent, failed, failures, longestGapMs, latencyMs, sessions } = requests;
  if (sent === 0) return [null, null, null, null];
  const lost = sessions?.lost ?? 0;
  const kinds = Object.entries(failures).map(([kind, number]) => `${count(number)} ${kind}`);
  return [
    html`<span
        ><span class="${failed > 0 && tolerance === "none" && "bad"}">${count(failed)}</span>
        <span class="muted">of ${count(sent)}</span></span
      >${kinds.length > 0 && html`<small>${list(kinds)}</small>`}`,
    sessions !== undefined &&
      html`<span class="${lost > 0 && mayLoseSessions === false && "bad"}">${count(lost)}</span>`,
    milliseconds(longestGapMs),
    latencyMs !== null && [latencyMs.p50, latencyMs.p95, latencyMs.p99].map(milliseconds).join(" / "),
  ];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
