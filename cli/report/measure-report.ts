/** The report of `bluegreen measure`: what users got while a custom command ran. */
import type { MeasureReceipt } from "../../release/receipt";
import { html } from "./html";
import type { Piece } from "./html";
import { headlineOfLoad, keyFigures, measuredSection, notMeasured, person } from "./measured";
import { facts, figures, renderPage, section } from "./page";
import { axisOf } from "./traffic-chart";
import { dateAndTime, plural, seconds } from "./format";

export function renderMeasureReport(receipt: MeasureReceipt): string {
  const { command, application, environment, requests, outcome, exitCode, reason, formatVersion } = receipt;
  const where = [application, environment].filter((part) => part !== null).join(", ");
  return renderPage({
    kind: `${where === "" ? "" : `${where}: `}a command, measured`,
    title: `${command[0]}: ${outcome}`,
    headline: headlineOfLoad(requests),
    opening: html`<p class="lead">
        <strong class="${exitCode === 0 ? "good" : "bad"}">${outcome}</strong>:
        <code>${command.join(" ")}</code> took ${seconds(receipt.seconds)}. ${reason}
      </p>
      ${requests !== null && figures(keyFigures(requests))}`,
    sections: [section("Who, when and how", whoWhenHow(receipt)), traffic(receipt)],
    footer: `Rendered by bluegreen from a receipt of format ${formatVersion}. Times are UTC.`,
  });
}

function whoWhenHow(receipt: MeasureReceipt): Piece {
  const { who, startedAt, endedAt, commandExitCode, allowedFailures } = receipt;
  return facts([
    ["Who", person(who)],
    [
      "When",
      `${dateAndTime(Date.parse(startedAt))} to ${dateAndTime(Date.parse(endedAt))}, ${seconds(receipt.seconds)}`,
    ],
    ["The command", `exit code ${commandExitCode}`],
    ["Allowed", plural(allowedFailures, "failure")],
  ]);
}

function traffic(receipt: MeasureReceipt): Piece {
  const { requests, startedAt, endedAt } = receipt;
  if (requests === null) return notMeasured(receipt);
  const axis = axisOf(startedAt, endedAt, requests.timeline);
  const since = (time: string): number => (Date.parse(time) - axis.begin) / 1000;
  return measuredSection(requests, {
    ...axis,
    name: "measure",
    title: "The command",
    note: "Number 1 is the time of the command.",
    slotOf: {}, // unknown
    marks: [],
    bands: [{ number: 1, from: since(startedAt), to: since(endedAt) }],
  });
}
