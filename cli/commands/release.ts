/** release: installs a version into the idle slot, verifies it, then moves the traffic. */
import { Option } from "commander";
import type { Command } from "commander";
import { candidateFrom } from "../artifact/artifact";
import type { Request } from "../command-line/request";
import { endingSessions, NOW } from "../command-line/now-option";
import type { NowOptions } from "../command-line/now-option";
import { parseGoal, scheduleFrom, withSchedule } from "../command-line/schedule-options";
import type { ScheduleOptions } from "../command-line/schedule-options";
import type { Operation } from "../deployment/operation";
import * as operations from "../deployment/operations";
import type { Tools } from "../deployment/tools";
import type { Project } from "../project/project";

export interface ReleaseOptions extends ScheduleOptions, NowOptions {
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
        "the application: a folder, a packed file (zip, .tar.gz), or its address",
      )
      .option("--sha256 <digest>", "the artifact's expected digest")
      .option("--migrations <folder|zip>", "the release's SQL scripts; default: migrations/ in the artifact")
      .option(...NOW),
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
  const operation = operations.release(project, candidate, {
    goal,
    ...(schedule === undefined ? {} : { schedule }),
  });
  return endingSessions(operation, project, options);
}

export const release: Request = {
  name: "release",
  description: "install a version into the idle slot, verify it, and move the traffic to it",
  declare: (command) =>
    withArtifact(command).addOption(
      new Option("--goal <goal>", "how far to go: staged, a weight from 1 to 99, or live").default("live"),
    ),
  operation: (project, tools, args, options: ReleaseOptions) => releaseOf(project, tools, args, options),
};
