/** The last lines of a command that carried out a sequence: what became of it, what users got, and what is known of it. */
import { describeComparison } from "../../release/comparison-words";
import { EXIT } from "../../release/exit-code";
import { inOneLine } from "../../release/text";
import { describeUsersAnswers } from "../../release/users-answers";
import type { Deployment } from "../deployment/outcome";
import type { LastLines } from "../project/candidate-logs";
import { err, out } from "../terminal/colours";
import type { CommonOptions } from "./common";

export function printOutcome(options: CommonOptions, deployment: Deployment | null): void {
  if (deployment === null) {
    console.log(
      options.json ? JSON.stringify({ outcome: "unchanged", exitCode: EXIT.done }) : "nothing to abort",
    );
    return;
  }
  process.exitCode = deployment.exitCode;
  if (options.json) console.log(JSON.stringify(deployment, null, 2));
  report(deployment, options.json === true);
}

/** Success goes to stdout, unless stdout is JSON. A failure goes to stderr, with the application's own last lines. */
function report(deployment: Deployment, stdoutIsJson: boolean): void {
  const { sequence, outcome, exitCode, reason, from, to, seconds } = deployment;
  const { unfinished, receipt, logs, lastLines = [] } = deployment;
  const failed = exitCode !== EXIT.done;
  const colours = failed ? err : out;
  const rose = deployment.users?.worse === true ? [inOneLine(describeUsersAnswers(deployment.users))] : [];
  for (const { slot, running, cut } of unfinished) {
    const fate = cut ? "and were cut" : `and continue in ${slot}`;
    console.error(`  ${running} requests in ${slot} exceeded the drain time ${fate}`);
  }
  if (stdoutIsJson && !failed) return;
  const stable =
    from === to ? `stable: ${to ?? "nothing"}` : `stable: ${from ?? "nothing"} -> ${to ?? "nothing"}`;
  const waits = outcome === "staged" || outcome === "paused";
  const lines = [
    stable,
    ...whatIsKnown(deployment),
    ...(waits ? ["next: `bluegreen promote`, or `bluegreen abort`"] : []),
    ...logs.flatMap((log) => [`log: ${log}`, ...saidIn(lastLines, log).map((line) => `  | ${line}`)]),
    ...(receipt === null ? [] : [`receipt: ${receipt}`]),
  ];
  const mark = failed ? colours.red("✖") : colours.green("✔");
  const first = `${mark} record ${sequence} ${outcome}: ${reason} (${seconds.toFixed(1)} s)`;
  const all = [
    ...rose.map((words) => `${colours.red("!")} ${words}`),
    first,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
  if (failed) console.error(all);
  else console.log(all);
}

function saidIn(lastLines: readonly LastLines[], log: string): readonly string[] {
  return lastLines.find((each) => each.log === log)?.lines ?? [];
}

/** What all users got, what the last judgement knows, what was not judged, and what the command measured. */
function whatIsKnown({ users = null, comparison, notJudged = [], requests }: Deployment): string[] {
  const nothingCounted = users === null && requests === null;
  return [
    // What rose comes first of all.
    nothingCounted || users?.worse === true ? null : describeUsersAnswers(users),
    comparison === null ? null : describeComparison(comparison),
    notJudged.length === 0 ? null : `not judged: ${notJudged.join("; ")}`,
    requests === null
      ? null
      : `${requests.failed} of ${requests.sent} measured requests failed, longest gap ${Math.round(requests.longestGapMs)} ms`,
  ].flatMap((line) => (line === null ? [] : [inOneLine(line)]));
}
