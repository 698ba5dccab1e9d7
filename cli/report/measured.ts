/** The part of a report about measured requests: whether users noticed anything, and the figures. */
import type { MeasuredRequests, Person, SessionCounts } from "../../release/receipt";
import { describeUsersAnswers, didNotRise } from "../../release/users-answers";
import type { UsersAnswers } from "../../release/users-answers";
import { html } from "./html";
import type { Piece } from "./html";
import { facts, section } from "./page";
import type { Figure } from "./page";
import { renderTrafficCharts } from "./traffic-chart";
import type { TrafficChart } from "./traffic-chart";
import { count, milliseconds, percentage, plural } from "./format";

/** Users notice an answer that takes this much longer. */
const NOTICEABLE_MS = 1_000;

/**
 * What users noticed, by the answers that all of them got. The command's requests alone can show that something failed,
 * but never that nothing did.
 */
export function headline(requests: MeasuredRequests | null, users: UsersAnswers | null): string {
  if (users?.worse === true) return sentence(describeUsersAnswers(users));
  const problem = requests === null ? null : problemOf(requests);
  if (problem !== null) return problem;
  const measured = requests === null || requests.sent === 0 ? null : requests;
  if (measured === null) {
    if (users !== null) return `${sentence(describeUsersAnswers(users))} Nothing else was measured.`;
    return requests === null
      ? "Not measured: unknown whether users noticed anything."
      : "No request was sent: nothing is known.";
  }
  return didNotRise(users)
    ? "Users noticed nothing."
    : `${noneFailed(measured)}; ${describeUsersAnswers(users)}.`;
}

/** Of a command that was measured without proxies, so that nothing counted all users' answers. */
export function headlineOfLoad(requests: MeasuredRequests | null): string {
  if (requests === null) return "Not measured: unknown whether users noticed anything.";
  if (requests.sent === 0) return "No request was sent: nothing is known.";
  return problemOf(requests) ?? `${noneFailed(requests)}.`;
}

function noneFailed({ sent }: MeasuredRequests): string {
  return `None of ${plural(sent, "measured request")} failed`;
}

/** @returns null if no measured request failed or waited, and nothing was lost. */
function problemOf(requests: MeasuredRequests): string | null {
  const { sent, failed, acknowledged, found, longestGapMs, sessions } = requests;
  const losses = [
    { lost: acknowledged - found, what: "row" },
    { lost: sessions?.lost ?? 0, what: "session" },
  ].filter(({ lost }) => lost > 0);
  const lost = losses.map((each) => plural(each.lost, each.what)).join(" and ");
  const wereLost = `${lost} ${was(losses.reduce((sum, each) => sum + each.lost, 0))} lost`;
  if (failed > 0 && lost !== "")
    return `${count(failed)} of ${plural(sent, "request")} failed, and ${wereLost}.`;
  if (failed > 0) return `${count(failed)} of ${plural(sent, "request")} failed.`;
  if (lost !== "") return `No request failed, but ${wereLost}.`;
  if (longestGapMs >= NOTICEABLE_MS)
    return `No request failed, but there was no answer for ${milliseconds(longestGapMs)}.`;
  return null;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

function was(number: number): string {
  return number === 1 ? "was" : "were";
}

export function keyFigures(requests: MeasuredRequests): Figure[] {
  const { sent, failed, longestGapMs, versions, acknowledged, found, latencyMs, sessions } = requests;
  const ids = Object.keys(versions);
  const posts: Figure =
    acknowledged === 0
      ? {
          label: "Median latency",
          value: milliseconds(latencyMs.p50),
          note: `p99 ${milliseconds(latencyMs.p99)}`,
        }
      : {
          label: "Acknowledged POSTs found",
          value: count(found),
          note: `of ${count(acknowledged)}`,
          ...(found < acknowledged && { tone: "bad" as const }),
        };
  return [
    {
      label: "Failed requests",
      value: count(failed),
      note: `of ${count(sent)}`,
      tone: failed === 0 && sent > 0 ? "good" : "bad",
    },
    ...(sessions === undefined ? [] : [lostSessions(sessions)]),
    {
      label: "Longest time without an answer",
      value: milliseconds(longestGapMs),
      note: "between two good answers",
    },
    {
      label: "Versions seen",
      value: count(ids.length),
      note:
        ids.length === 0
          ? "no answer named a release"
          : `${ids.slice(0, 4).join(", ")}${ids.length > 4 ? " ..." : ""}`,
    },
    posts,
  ];
}

/**
 * Users whose session the application did not know at a later step of a form.
 * @param notTolerated how many of them should have kept theirs
 */
export function lostSessions({ begun, lost }: SessionCounts, notTolerated = lost): Figure {
  const tone = notTolerated > 0 ? "bad" : lost === 0 && begun > 0 ? "good" : undefined;
  return {
    label: "Lost sessions",
    value: count(lost),
    note: `of ${plural(begun, "user")} who began a form${notTolerated === lost ? "" : `, ${count(notTolerated)} not tolerated`}`,
    ...(tone && { tone }),
  };
}

export function person({ user, host, ci }: Person): string {
  const run = ci === null ? "" : `, ${ci.name}${ci.run === null ? "" : ` ${ci.run}`}`;
  return `${user} on ${host}${run}`;
}

export function notMeasured({ notMeasured: reason }: { readonly notMeasured: string | null }): Piece {
  return section(
    "What users got",
    html`<p>Nothing was measured: ${reason ?? "the receipt gives no reason"}.</p>`,
  );
}

/** @param chart.note more text above the chart. */
export function measuredSection(
  requests: MeasuredRequests,
  { note, ...chart }: Omit<TrafficChart, "timeline"> & { readonly note: Piece },
): Piece {
  const { p50, p95, p99, max } = requests.latencyMs;
  return section(
    "What users got",
    html`<p class="muted">
      ${count(requests.rate)} requests a second to ${requests.origin}, without retries. ${note}
    </p>`,
    renderTrafficCharts({ ...chart, timeline: requests.timeline }),
    facts([
      [
        "Latency",
        `p50 ${milliseconds(p50)}, p95 ${milliseconds(p95)}, p99 ${milliseconds(p99)}, longest ${milliseconds(max)}`,
      ],
      ["Failures", kinds(requests)],
    ]),
  );
}

function kinds({ failures, failed }: MeasuredRequests): Piece {
  const all = Object.entries(failures).sort(([, one], [, other]) => other - one);
  if (all.length === 0) return null;
  return html`<ul class="plain-list">
    ${all.map(
      ([kind, number]) =>
        html`<li>${kind}: ${count(number)} <span class="muted">(${percentage(number, failed)})</span></li>`,
    )}
  </ul>`;
}
