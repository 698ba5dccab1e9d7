/** release, stage, promote, rollback, retry, heal, abort: each is one sequence of the record. */
import type { Command } from "commander";
import { candidateFrom } from "../artifact/artifact";
import * as operations from "../deployment/operations";
import type { Deployment, Tools } from "../deployment/deploy";
import type { Project } from "../project/project";
import { err, out } from "../terminal/colours";
import { common, findTools, open, progressFor } from "./command-line";
import type { CommonOptions } from "./command-line";
import { parseGoal, scheduleFrom, withSchedule } from "./options";
import type { ScheduleOptions } from "./options";

export function addReleaseCommands(program: Command): void {
  withSchedule(
    common(program.command("release").argument("<version>", "the version, as in 1.4.0"))
      .description("install a version into the idle slot, verify it, move the traffic to it")
      .requiredOption(
        "--artifact <folder|zip|url>",
        "the application: a folder, a packed file (zip, .tar.gz), or the address of one",
      )
      .option("--sha256 <digest>", "what the artifact must hash to")
      .option(
        "--migrations <folder|zip>",
        "SQL scripts that the release brings; else what the artifact has in migrations/",
      )
      .option(
        "--goal <goal>",
        "how far to go: staged, a share of the requests from 1 to 99, or live",
        "live",
      ),
  ).action(
    (
      version: string,
      options: CommonOptions &
        ScheduleOptions & { artifact: string; sha256?: string; migrations?: string; goal: string },
    ) =>
      carryOut(options, async (project, tools) => {
        const schedule = scheduleFrom(project, options);
        const goal = parseGoal(options.goal);
        const candidate = await candidateFrom(project, version, options, tools.progress);
        return operations.release(project, tools, candidate, {
          goal,
          ...(schedule === undefined ? {} : { schedule }),
        });
      }),
  );

  common(program.command("promote"))
    .description("take a staged or held candidate further")
    .option("--to <share>", "a share of the requests from 1 to 99, or live", "live")
    .action((options: CommonOptions & { to: string }) =>
      carryOut(options, (project, tools) => operations.promote(project, tools, parseGoal(options.to))),
    );

  withSchedule(common(program.command("rollback")))
    .description("go back to the release that was live before; at once where it still runs")
    .action((options: CommonOptions & ScheduleOptions) =>
      carryOut(options, (project, tools) =>
        operations.rollback(project, tools, scheduleFrom(project, options)),
      ),
    );

  common(program.command("retry"))
    .description("try the record again after a failure, under a new sequence")
    .action((options: CommonOptions) => carryOut(options, operations.retry));

  common(program.command("heal").argument("<server...>", "as in web-1 web-3"))
    .description("give servers that base replaced or added what the others serve, then their traffic")
    .action((servers: string[], options: CommonOptions) =>
      carryOut(options, (project, tools) => operations.heal(project, tools, servers)),
    );

  common(program.command("abort").alias("withdraw"))
    .description("put traffic back on the stable release at once, and withdraw the candidate")
    .action((options: CommonOptions) => carryOut(options, operations.abort));
}

async function carryOut(
  options: CommonOptions,
  operation: (project: Project, tools: Tools) => Promise<Deployment | null>,
): Promise<void> {
  const deployment = await operation(open(options), await findTools(progressFor(options)));
  if (deployment === null) {
    console.log(options.json ? JSON.stringify({ outcome: "unchanged", exitCode: 0 }) : "nothing to abort");
    return;
  }
  process.exitCode = deployment.exitCode;
  if (options.json) console.log(JSON.stringify(deployment, null, 2));
  report(deployment, options.json === true);
}

/** Success goes to stdout, unless that is for a machine; what went wrong goes to stderr, in one line. */
function report(
  { sequence, outcome, exitCode, reason, from, to, seconds, unfinished }: Deployment,
  stdoutIsTaken: boolean,
): void {
  for (const { slot, running, cut } of unfinished) {
    const fate = cut ? "and were cut" : `and go on in ${slot}`;
    console.error(`  ${running} requests in ${slot} took longer than the time to drain, ${fate}`);
  }
  const line = `record ${sequence} ${outcome}: ${reason} (${seconds.toFixed(1)} s)`;
  const stable =
    from === to ? `stable: ${to ?? "nothing"}` : `stable: ${from ?? "nothing"} -> ${to ?? "nothing"}`;
  if (exitCode !== 0) console.error(`${err.red("✖")} ${line}; ${stable}`);
  else if (!stdoutIsTaken) console.log(`${out.green("✔")} ${line}\n  ${stable}`);
}
