/** The HTML report of one sequence, from its receipt. It begins with whether users noticed anything. */
import type { Receipt } from "../../release/receipt";
import { idOrNull, target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { describeUsersAnswers, usersAnswers } from "../../release/users-answers";
import { slotsIn } from "./colours";
import { eventsOf, eventTable, marksOf } from "./events";
import { html } from "./html";
import type { Html, Piece } from "./html";
import { headline, keyFigures, measuredSection, notMeasured, person } from "./measured";
import { facts, figures, id, move, renderPage, section, table, text } from "./page";
import { axisOf } from "./traffic-chart";
import { dateAndTime, plural, seconds } from "./format";

/** Comes before the headline about users. */
const ENDED: Readonly<Record<string, string>> = {
  rejected: "The release was rejected. ",
  frozen: "A person has to decide. ",
  failed: "The release failed. ",
  refused: "The release was refused. ",
};

export function renderReceiptReport(receipt: Receipt): string {
  const { application, environment, sequence, action, formatVersion } = receipt;
  return renderPage({
    kind: `${application}, ${environment}: ${action}, sequence ${sequence}`,
    title: `${application} ${environment} ${sequence}: ${receipt.outcome}`,
    headline: `${ENDED[receipt.outcome] ?? ""}${headline(receipt.requests, usersAnswers(receipt.proxies))}`,
    opening: html`${lead(receipt)} ${receipt.requests !== null && figures(keyFigures(receipt.requests))}`,
    sections: [
      section("Who, when and how", whoWhenHow(receipt)),
      trafficSection(receipt),
      gates(receipt),
      plan(receipt),
      care(receipt),
      records(receipt),
    ],
    footer: `Rendered by bluegreen from a receipt of format ${formatVersion}. Times are UTC.`,
  });
}

function lead(receipt: Receipt): Html {
  const { outcome, exitCode, from, to, reason, requests } = receipt;
  const users = usersAnswers(receipt.proxies);
  const tone = exitCode === 0 ? "good" : "bad";
  return html`<p class="lead">
      <strong class="${tone}">${outcome}</strong>: ${move(from, to)}, in ${seconds(receipt.seconds)}.
      ${reason}
    </p>
    ${users !== null && html`<p class="lead ${users.worse && "bad"}">All users: ${describeUsersAnswers(users)}.</p>`}
    ${requests === null && html`<p class="lead muted">Not measured: ${receipt.notMeasured ?? "the receipt gives no reason"}.</p>`}`;
}

function whoWhenHow(receipt: Receipt): Html {
  const { schedule } = receipt;
  const goal = typeof receipt.goal === "number" ? `${receipt.goal} % of the requests` : receipt.goal;
  const steps = schedule.steps.length > 1 ? `, in steps of ${schedule.steps.join(", ")} %` : "";
  return facts([
    ["Who", person(receipt.who)],
    [
      "When",
      `${dateAndTime(Date.parse(receipt.startedAt))} to ${dateAndTime(Date.parse(receipt.endedAt))}, ${seconds(receipt.seconds)}`,
    ],
    ["Goal", goal],
    ["Strategy", `${schedule.strategy}${steps}`],
    ["Outcome", `${receipt.outcome}, exit code ${receipt.exitCode}`],
    [
      "Freeze",
      receipt.freezeOverride === null
        ? null
        : html`<span class="warn">overridden</span>: the window ${receipt.freezeOverride.window}, because:
            ${receipt.freezeOverride.reason}`,
    ],
  ]);
}

function trafficSection(receipt: Receipt): Piece {
  const { requests } = receipt;
  if (requests === null) return notMeasured(receipt);
  const axis = axisOf(receipt.startedAt, receipt.endedAt, requests.timeline);
  const events = eventsOf(receipt);
  return measuredSection(requests, {
    ...axis,
    name: "release",
    title: "The release",
    note: events.length > 0 && "The numbers above the chart are those of the gates and decisions below.",
    slotOf: slotsIn(...recordsOf(receipt)),
    marks: marksOf(events, axis.begin, axis.end),
    bands: [],
  });
}

function gates(receipt: Receipt): Piece {
  const events = eventsOf(receipt);
  if (events.length === 0)
    return section("Gates and decisions", html`<p class="muted">The proxies reported none.</p>`);
  const { begin } = axisOf(receipt.startedAt, receipt.endedAt, receipt.requests?.timeline ?? []);
  return section(
    "Gates and decisions",
    eventTable(events, begin),
    html`<p class="muted">Times since the beginning, by the proxies' clocks.</p>`,
  );
}

function plan({ plan }: Receipt): Piece {
  if (plan === null) return section("The plan", html`<p class="muted">Nothing was planned.</p>`);
  const changes = plan.changes.map(({ address, actions }) => [
    html`<code>${address}</code>`,
    text(actions.join(", ")),
  ]);
  return section(
    "The plan",
    html`<p>${plan.proof}</p>`,
    facts([
      ["Live slot", plan.live ?? "none"],
      ["Token", html`<code>${plan.token}</code>`],
    ]),
    changes.length > 0 &&
      html`<details>
        <summary>${plural(changes.length, "change")}</summary>
        ${table("Changes of the plan", [{ title: "Address" }, { title: "Change" }], changes)}
      </details>`,
  );
}

/** Warnings and hooks, if any. */
function care({ warnings, hooks }: Receipt): Piece {
  return [
    warnings.length > 0 &&
      section(
        "Warnings",
        html`<ul class="plain-list">
          ${warnings.map((warning) => html`<li>${warning}</li>`)}
        </ul>`,
      ),
    hooks.length > 0 &&
      section(
        "Hooks",
        table(
          "Hooks",
          [
            { title: "Hook" },
            { title: "When" },
            { title: "Exit code", align: "right" },
            { title: "Took", align: "right" },
            { title: "Last line" },
          ],
          hooks.map(({ name, when, exitCode, lastLine, seconds: took }) => [
            text(name),
            text(when),
            html`<span class="${exitCode !== 0 && "bad"}">${exitCode}</span>`,
            seconds(took),
            text(lastLine),
          ]),
        ),
      ),
  ];
}

function recordsOf({ record: { before, after } }: Receipt): ReleaseRecord[] {
  return before === null ? [after] : [before, after];
}

function records({ record: { before, after }, schedule }: Receipt): Html {
  const json = (value: object | null): Html =>
    html`<pre>
${value === null ? "unknown: this receipt was collected afterwards" : JSON.stringify(value, null, 2)}</pre>`;
  const was =
    before === null
      ? html`Sequence ${after.sequence}; live should be ${id(idOrNull(target(after)))}.`
      : html`Sequence ${before.sequence} before, ${after.sequence} after; live should be
        ${id(idOrNull(target(before)))}, then ${id(idOrNull(target(after)))}.`;
  return section(
    "The record",
    html`<p>${was}</p>`,
    html`<details>
      <summary>Before and after, and the schedule that applied</summary>
      <div class="records">
        <div>
          <h3>Before</h3>
          ${json(before)}
        </div>
        <div>
          <h3>After</h3>
          ${json(after)}
        </div>
      </div>
      <h3>Schedule</h3>
      ${json(schedule)}
    </details>`,
  );
}
