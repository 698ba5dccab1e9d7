/** Runs a request as one sequence of the record, and prints the outcome. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { describeComparison } from "../../release/comparison-words";
import { inOneLine } from "../../release/text";
import { describeUsersAnswers } from "../../release/users-answers";
import { deploy } from "../deployment/deploy";
import type { Consent } from "../deployment/deploy";
import { stopHarmful } from "../deployment/operations";
import type { Deployment } from "../deployment/outcome";
import { formatPlan } from "../deployment/plan-text";
import { err, out } from "../terminal/colours";
import { canAsk, confirm } from "../terminal/questions";
import { common, findTools, open, optionsOf, progressFor } from "./common";
import type { CommonOptions } from "./common";
import type { Request } from "./request";

interface ConsentOptions extends CommonOptions {
  readonly yes?: boolean;
  readonly token?: string;
  readonly overrideFreeze?: string;
}

/** Adds the command that runs a request. @param parent its options apply too. */
export function addRequest(parent: Command, request: Request): void {
  const command = withConsent(request.declare(common(parent.command(request.name))));
  const { withoutTerraform } = request;
  (withoutTerraform?.declare(command) ?? command).description(request.description).action(async () => {
    const options = optionsOf<ConsentOptions>(command);
    if ((await withoutTerraform?.carriedOut(options)) === true) return;
    const project = open(options);
    const tools = await findTools(progressFor(options));
    const args = command.processedArgs as unknown[];
    const operation = await request.operation(project, tools, args, options as never);
    const deployment = await deploy(project, tools, operation, consentOf(options, request.name));
    printOutcome(options, await stopHarmful(project, tools, deployment));
  });
}

function withConsent(command: Command): Command {
  return command
    .option("--yes", "ask no questions; without a terminal there are none anyway")
    .option(
      "--token <token>",
      "the token of a plan that you reviewed; refused if record or traffic changed since",
    )
    .option("--override-freeze <why>", "release despite a freeze window; the receipt keeps the reason");
}

function consentOf({ yes, json, token, overrideFreeze }: ConsentOptions, what: string): Consent {
  const asks = yes !== true && json !== true && token === undefined && canAsk();
  return {
    ...(token === undefined ? {} : { token }),
    ...(overrideFreeze === undefined ? {} : { overrideFreeze }),
    ...(asks
      ? {
          confirm: (planned) => {
            console.error(formatPlan(planned, err));
            return confirm(`Continue with this ${what}?`);
          },
        }
      : {}),
  };
}

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

/** Success goes to stdout, unless stdout is JSON. A failure goes to stderr, in one line. */
function report(deployment: Deployment, stdoutIsJson: boolean): void {
  const { sequence, outcome, exitCode, reason, from, to, seconds, unfinished, receipt, logs } = deployment;
  const rose = deployment.users?.worse === true ? [inOneLine(describeUsersAnswers(deployment.users))] : [];
  for (const { slot, running, cut } of unfinished) {
    const fate = cut ? "and were cut" : `and continue in ${slot}`;
    console.error(`  ${running} requests in ${slot} exceeded the drain time ${fate}`);
  }
  const line = `record ${sequence} ${outcome}: ${reason} (${seconds.toFixed(1)} s)`;
  const stable =
    from === to ? `stable: ${to ?? "nothing"}` : `stable: ${from ?? "nothing"} -> ${to ?? "nothing"}`;
  const known = whatIsKnown(deployment);
  if (exitCode !== 0) {
    const details = [
      ...logs.map((log) => `log: ${log}`),
      ...(receipt === null ? [] : [`receipt: ${receipt}`]),
    ];
    console.error(`${err.red("✖")} ${[...rose, line, stable, ...known, ...details].join("; ")}`);
    return;
  }
  if (stdoutIsJson) return;
  const waits = outcome === "staged" || outcome === "paused";
  const next = waits ? ["next: `bluegreen promote`, or `bluegreen abort`"] : [];
  const lines = [stable, ...known, ...next, ...(receipt === null ? [] : [`receipt: ${receipt}`])];
  const first = rose.map((words) => `${out.red("!")} ${words}`);
  console.log([...first, `${out.green("✔")} ${line}`, ...lines.map((each) => `  ${each}`)].join("\n"));
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
