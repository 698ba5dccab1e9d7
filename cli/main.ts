#!/usr/bin/env node
/**
 * The operator's command `bluegreen`: one release after another, from the project's folder.
 *
 * Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused; 4 candidate rejected, traffic untouched; 5 aborted,
 * traffic back on stable; 6 frozen, a person decides.
 */
import { Command, CommanderError } from "commander";
import { err, out } from "./colours";
import { InvalidInput, Refusal } from "../release/refusal";
import { candidateFrom } from "./artifact";
import { formatBasePlan, planBase } from "./base";
import * as commands from "./commands";
import { takeDown } from "./deploy";
import type { Deployment, Tools } from "./deploy";
import { migrationsFrom } from "./migrations";
import { OperatorError } from "./operator-error";
import { parseGoal, scheduleFrom } from "./options";
import type { ScheduleOptions } from "./options";
import { formatPreview, newPreview } from "./preview";
import { createProgress, SILENT } from "./progress";
import type { Progress } from "./progress";
import { DEFAULT_ENVIRONMENT, openProject, readRecord } from "./project";
import type { Project } from "./project";
import { prove } from "./prove";
import { agreed, proxiesOf } from "./proxies";
import { formatStatus } from "./status";
import { findTerraform } from "./terraform/binary";

const EXIT_CODES = `
Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused, 4 candidate rejected (traffic untouched),
            5 aborted (traffic back on stable), 6 frozen (a person decides)`;

interface CommonOptions {
  readonly environment: string;
  readonly json?: boolean;
}

function buildProgram(): Command {
  const program = new Command("bluegreen")
    .description("Upgrade a web application instead of removing it.")
    .exitOverride()
    .addHelpText("after", EXIT_CODES);

  withSchedule(
    common(program.command("release").argument("<version>", "the version, as in 1.4.0"))
      .description("install a version into the idle slot, verify it, move the traffic to it")
      .requiredOption(
        "--artifact <zip|url>",
        "the packed application: a file, or an address together with --sha256",
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
      carryOut(options, (project, tools) => {
        const schedule = scheduleFrom(project, options);
        const goal = parseGoal(options.goal);
        const say = (line: string): void => tools.progress.note(line);
        return commands.release(project, tools, candidateFrom(project, version, options, say), {
          goal,
          ...(schedule === undefined ? {} : { schedule }),
        });
      }),
  );

  common(program.command("promote"))
    .description("take a staged or held candidate further")
    .option("--to <share>", "a share of the requests from 1 to 99, or live", "live")
    .action((options: CommonOptions & { to: string }) =>
      carryOut(options, (project, tools) => commands.promote(project, tools, parseGoal(options.to))),
    );

  withSchedule(common(program.command("rollback")))
    .description("go back to the release that was live before; at once where it still runs")
    .action((options: CommonOptions & ScheduleOptions) =>
      carryOut(options, (project, tools) =>
        commands.rollback(project, tools, scheduleFrom(project, options)),
      ),
    );

  common(program.command("retry"))
    .description("try the record again after a failure, under a new sequence")
    .action((options: CommonOptions) => carryOut(options, commands.retry));

  common(program.command("heal").argument("<server...>", "as in web-1 web-3"))
    .description("give servers that base replaced or added what the others serve, then their traffic")
    .action((servers: string[], options: CommonOptions) =>
      carryOut(options, (project, tools) => commands.heal(project, tools, servers)),
    );

  common(program.command("abort").alias("withdraw"))
    .description("put traffic back on the stable release at once, and withdraw the candidate")
    .action((options: CommonOptions) => carryOut(options, commands.abort));

  common(program.command("status"))
    .description("show what users get, slot by slot")
    .action(async (options: CommonOptions) => {
      const project = open(options);
      const record = readRecord(project);
      const terraform = async () => (await findTools(SILENT)).terraform;
      const statuses = await proxiesOf(project, terraform).statuses(record);
      console.log(
        options.json
          ? JSON.stringify({ record, proxies: statuses }, null, 2)
          : formatStatus(record, statuses),
      );
    });

  common(program.command("plan").argument("<stack>", "base"))
    .description("show what a change of the environment would do; refuses to lose data or servers")
    .option("--allow-replace <address...>", "an address that may be replaced or destroyed", [])
    .action(async (stack: string, options: CommonOptions & { allowReplace: string[] }) => {
      if (stack !== "base")
        throw new OperatorError(`there is no plan of "${stack}": base is what can be planned`, 2);
      const plan = await planBase(open(options), await findTools(progressFor(options)), options.allowReplace);
      console.log(options.json ? JSON.stringify({ ...plan, exitCode: 0 }, null, 2) : formatBasePlan(plan));
    });

  common(
    program.command("prove").argument("<plan>", "a file with `terraform show -json <plan>`, or - for stdin"),
  )
    .description("prove that a plan of web leaves the live slot, base and the database alone; else exit 3")
    .option("--live <slot>", "blue or green; else what the proxies say")
    .action(async (file: string, options: CommonOptions & { live?: string }) => {
      const live = async () => {
        const project = open(options);
        const terraform = async () => (await findTools(SILENT)).terraform;
        return agreed(await proxiesOf(project, terraform).statuses(readRecord(project)))?.live;
      };
      const proof = await prove(file, options.live, live);
      console.log(options.json ? JSON.stringify({ ...proof, exitCode: 0 }, null, 2) : proof.words);
    });

  program
    .command("preview")
    .description("make a secret with which people see a release before it gets traffic")
    .option("--json", "print it as JSON on stdout")
    .action(({ json }: { json?: boolean }) => {
      const made = newPreview();
      console.log(json === true ? JSON.stringify(made, null, 2) : formatPreview(made));
    });

  common(
    program.command("migrations").argument("<folder|zip>", "SQL scripts, or an artifact that carries them"),
  )
    .description("check a release's SQL scripts, pack them, and tell what the record says of them")
    .action((source: string, options: CommonOptions) => {
      const notes: string[] = [];
      const brought = migrationsFrom(open(options), { given: source, artifact: null }, (line) =>
        notes.push(line),
      );
      for (const line of notes) console.error(line);
      console.log(JSON.stringify(brought, null, 2));
    });

  common(program.command("down"))
    .description("stop everything that the local environment runs; data and record stay")
    .action(async (options: CommonOptions) => {
      const project = open(options);
      await takeDown(project, await findTools(progressFor(options)));
      if (options.json)
        console.log(JSON.stringify({ environment: project.environment.name, outcome: "down", exitCode: 0 }));
    });

  program
    .command("rehearse")
    .description("play a whole series of releases on this machine, under load, with the sample application")
    .option("--driver <driver>", "haproxy, nginx or embedded", undefined)
    .option("--json <file>", "write what was measured")
    .option("--quick", "shorter waits; the same steps")
    .option("--keep", "leave the environment running at the end")
    .action(async (options: { driver?: string; json?: string; quick?: boolean; keep?: boolean }) => {
      const { rehearse } = await import("./rehearsal/rehearse.js");
      process.exitCode = (await rehearse(options, await findTools(createProgress()))) ? 0 : 1;
    });
  return program;
}

function common(command: Command): Command {
  return command
    .option("--environment <file>", "the environment file; else BLUEGREEN_ENVIRONMENT", DEFAULT_ENVIRONMENT)
    .option("--json", "print the result as JSON on stdout");
}

function withSchedule(command: Command): Command {
  return command
    .option("--strategy <strategy>", "blueGreen, canary or recreate; else as the environment says")
    .option("--steps <shares>", "shares of the requests, as in 5,25,50,100")
    .option("--step-seconds <seconds>", "how long each share lasts")
    .option("--bake-seconds <seconds>", "how long the candidate is watched at 100 %")
    .option("--drain-seconds <seconds>", "how long running requests may take to finish")
    .option("--retain-seconds <seconds>", "how long the old slot is kept for an instant rollback")
    .option("--on-failure <reaction>", "rollback or freeze")
    .option("--while-down <what>", "for recreate: hold requests, or show a page")
    .option("--converge", "give the old slot's servers the new release too (topology split)");
}

function open({ environment }: CommonOptions): Project {
  return openProject(process.cwd(), environment);
}

async function carryOut(
  options: CommonOptions,
  command: (project: Project, tools: Tools) => Promise<Deployment | null>,
): Promise<void> {
  const deployment = await command(open(options), await findTools(progressFor(options)));
  if (deployment === null) {
    console.log(options.json ? JSON.stringify({ outcome: "unchanged", exitCode: 0 }) : "nothing to abort");
    return;
  }
  process.exitCode = deployment.exitCode;
  if (options.json) console.log(JSON.stringify(deployment, null, 2));
  report(deployment, options.json === true);
}

/** A machine that reads JSON is told nothing else, unless a person watches too. */
function progressFor({ json }: CommonOptions): Progress {
  return json === true && !process.stderr.isTTY ? SILENT : createProgress();
}

async function findTools(progress: Progress): Promise<Tools> {
  return { progress, terraform: await findTerraform({ say: (line) => progress.note(line) }) };
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

async function main(): Promise<void> {
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    process.exitCode = explain(error);
  }
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const say = (text: string): void => console.error(err.red(text));
  if (error instanceof OperatorError) {
    say(error.message);
    return error.exitCode;
  }
  if (error instanceof InvalidInput) {
    say(error.message);
    return 2;
  }
  if (error instanceof Refusal) {
    say(error.message);
    return 3;
  }
  console.error(error);
  return 1;
}

void main();
