/** release: a version into the idle slot, verified, then the traffic. */
import { Option } from "commander";
import type { Command } from "commander";
import { candidateFrom } from "../artifact/artifact";
import type { Request } from "../command-line/request";
import { parseGoal, scheduleFrom, withSchedule } from "../command-line/schedule-options";
import type { ScheduleOptions } from "../command-line/schedule-options";
import type { Operation } from "../deployment/operation";
import * as operations from "../deployment/operations";
import type { Tools } from "../deployment/tools";
import type { Project } from "../project/project";

export interface ReleaseOptions extends ScheduleOptions {
  readonly artifact: string;
  readonly sha256?: string;
  readonly migrations?: string;
  readonly goal?: string;
}

export const withArtifact = (command: Command): Command =>
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

export async function releaseOf(
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

export const release: Request = {
  name: "release",
  description: "install a version into the idle slot, verify it, move the traffic to it",
  declare: (command) =>
    withArtifact(command).addOption(
      new Option(
        "--goal <goal>",
        "how far to go: staged, a weight of the requests from 1 to 99, or live",
      ).default("live"),
    ),
  operation: (project, tools, args, options: ReleaseOptions) => releaseOf(project, tools, args, options),
};
