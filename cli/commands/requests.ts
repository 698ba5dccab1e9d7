/** What people ask for: release, stage, promote, rollback, retry, heal, resolve. Each can be carried out, or only be planned. */
import { Option } from "commander";
import type { Command } from "commander";
import { RESOLUTIONS } from "../../release/resolution";
import type { Resolution } from "../../release/resolution";
import { candidateFrom } from "../artifact/artifact";
import type { Operation } from "../deployment/operation";
import * as operations from "../deployment/operations";
import type { Tools } from "../deployment/tools";
import type { Project } from "../project/project";
import { parseGoal, scheduleFrom, withSchedule } from "./options";
import type { ScheduleOptions } from "./options";

export interface Request {
  readonly name: string;
  readonly description: string;
  /** Adds the arguments and options that say what is wanted. */
  declare(command: Command): Command;
  /** @param args and @param options as commander read them. */
  operation(
    project: Project,
    tools: Tools,
    args: readonly unknown[],
    options: never,
  ): Operation | Promise<Operation>;
}

interface ReleaseOptions extends ScheduleOptions {
  readonly artifact: string;
  readonly sha256?: string;
  readonly migrations?: string;
  readonly goal?: string;
}

const withArtifact = (command: Command): Command =>
  withSchedule(
    command
      .argument("<version>", "the version, as in 1.4.0")
      .requiredOption(
        "--artifact <folder|zip|url>",
        "the application: a folder, a packed file (zip, .tar.gz), or the address of one",
      )
      .option("--sha256 <digest>", "what the artifact must hash to")
      .option(
        "--migrations <folder|zip>",
        "SQL scripts that the release brings; else what the artifact has in migrations/",
      ),
  );

async function releaseOf(
  project: Project,
  tools: Tools,
  [version]: readonly unknown[],
  options: ReleaseOptions,
): Promise<Operation> {
  const goal = parseGoal(options.goal ?? "live");
  const schedule = scheduleFrom(project, options);
  const candidate = await candidateFrom(project, String(version), options, tools.progress);
  return operations.release(project, candidate, {
    goal,
    ...(schedule === undefined ? {} : { schedule }),
  });
}

export const REQUESTS: readonly Request[] = [
  {
    name: "release",
    description: "install a version into the idle slot, verify it, move the traffic to it",
    declare: (command) =>
      withArtifact(command).addOption(
        new Option(
          "--goal <goal>",
          "how far to go: staged, a share of the requests from 1 to 99, or live",
        ).default("live"),
      ),
    operation: (project, tools, args, options: ReleaseOptions) => releaseOf(project, tools, args, options),
  },
  {
    name: "stage",
    description: "install a version into the idle slot and verify it, without any of the users' requests",
    declare: withArtifact,
    operation: (project, tools, args, options: ReleaseOptions) =>
      releaseOf(project, tools, args, { ...options, goal: "staged" }),
  },
  {
    name: "promote",
    description: "take a staged or held candidate further",
    declare: (command) =>
      command.option("--to <share>", "a share of the requests from 1 to 99, or live", "live"),
    operation: (_project, _tools, _args, { to }: { to: string }) => operations.promote(parseGoal(to)),
  },
  {
    name: "rollback",
    description: "go back to the release that was live before; at once where it still runs",
    declare: withSchedule,
    operation: (project, _tools, _args, options: ScheduleOptions) =>
      operations.rollback(project, scheduleFrom(project, options)),
  },
  {
    name: "retry",
    description: "try the record again after a failure, under a new sequence",
    declare: (command) => command,
    operation: () => operations.retry(),
  },
  {
    name: "heal",
    description: "give servers that base replaced or added what the others serve, then their traffic",
    declare: (command) => command.argument("<server...>", "as in web-1 web-3"),
    operation: (project, tools, [servers]) => operations.heal(project, tools, servers as string[]),
  },
];

/** Below `migrations`, as it is about the database. */
export const RESOLVE: Request = {
  name: "resolve",
  description: "say what became of a script without a transaction that did not come to its end, and go on",
  declare: (command) =>
    command
      .argument("<script>", "its name, as in 0004-x.sql")
      .addOption(
        new Option("--as <outcome>", "applied: its work is done; pending: it is undone, and runs again")
          .choices(RESOLUTIONS)
          .makeOptionMandatory(),
      ),
  operation: (project, _tools, [script], { as }: { as: Resolution["as"] }) =>
    operations.resolve(project, { script: String(script), as }),
};
