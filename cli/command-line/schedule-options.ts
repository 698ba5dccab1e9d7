/** The command line's goal and schedule options, validated before anything happens. */
import type { Command } from "commander";
import * as z from "zod/mini";
import { parseSchedule, refuseConvergeSideBySide } from "../../release/schedule";
import { Goal } from "../../release/record";
import { quote } from "../../release/text";
import type { Schedule, ScheduleChoice } from "../../release/schedule";
import { InvalidInput } from "../../release/failure";
import type { Project } from "../project/project";
import { flagOf } from "./common";

const SECONDS = ["stepSeconds", "bakeSeconds", "drainSeconds", "retainSeconds"] as const;

/** A schedule's field in an error message, as in `steps.1` or `steps: "steps"`. */
const FIELD = /\b(strategy|steps|(?:step|bake|drain|retain)Seconds|onFailure|whileDown)\b(?:: "\1"|\.\d+)?/g;

export interface ScheduleOptions {
  readonly strategy?: string;
  readonly steps?: string;
  readonly stepSeconds?: string;
  readonly bakeSeconds?: string;
  readonly drainSeconds?: string;
  readonly retainSeconds?: string;
  readonly onFailure?: string;
  readonly whileDown?: string;
  readonly converge?: boolean;
  readonly expectChange?: boolean;
}

export const EXPECT_CHANGE = [
  "--expect-change",
  "pages may answer with another status or kind of content than now: reported, not judged",
] as const;

export function withSchedule(command: Command): Command {
  return command
    .option("--strategy <strategy>", "blueGreen, canary or recreate; default: the environment's")
    .option("--steps <weights>", "weights in per cent, as in 5,25,50,100")
    .option(
      "--step-seconds <seconds>",
      "how long each weight below 100 lasts; default: the environment's, 60",
    )
    .option(
      "--bake-seconds <seconds>",
      "how long the candidate is watched at 100 %; default: the environment's, 60",
    )
    .option(
      "--drain-seconds <seconds>",
      "how long running requests may take to finish; default: the environment's, 30",
    )
    .option("--retain-seconds <seconds>", "how long the old slot is retained for an instant rollback")
    .option("--on-failure <reaction>", "rollback, or freeze: leave the traffic until a person decides")
    .option("--while-down <what>", "during a recreate: hold requests, or show the maintenancePage")
    .option(
      "--converge",
      "after the promotion install the release on the old slot's servers too (topology split)",
    )
    .option(...EXPECT_CHANGE);
}

export function parseGoal(text: string): Goal {
  const goal = z.safeParse(Goal, /^\d+$/.test(text) ? Number(text) : text);
  if (goal.success) return goal.data;
  throw new InvalidInput(`${quote(text)} is not a goal: use staged, a weight from 1 to 99, or live`);
}

/** @returns undefined if no option is given: the environment's schedule applies. */
export function scheduleFrom(project: Project, options: ScheduleOptions): ScheduleChoice | undefined {
  const { strategy, steps, onFailure, whileDown, expectChange } = options;
  const { schedule } = project.environment;
  const given = {
    ...(steps === undefined ? {} : { steps: steps.split(",").map(Number) }),
    ...numbers(options, SECONDS),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(whileDown === undefined ? {} : { whileDown }),
    ...(options.converge === undefined ? {} : { afterPromotion: options.converge ? "converge" : "retain" }),
    ...(expectChange === undefined ? {} : { analysis: { ...schedule.analysis, expectChange } }),
  };
  if (strategy === undefined && Object.keys(given).length === 0) return undefined;
  // An option changes the environment's schedule; another strategy starts from its own defaults.
  const basis =
    strategy === undefined || strategy === schedule.strategy ? schedule : { strategy, ...pick(schedule) };
  return inOptions(() => {
    const resolved = parseSchedule({ ...basis, ...given }, "the options");
    refuseConvergeSideBySide(resolved, project.environment.topology, "the options");
    return resolved;
  });
}

/** Names options in errors as they are typed: `--step-seconds`, not `stepSeconds`. */
function inOptions<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new InvalidInput(error.message.replace(FIELD, (_all, field: string) => flagOf(field)));
  }
}

/** What depends on the site, not on the strategy. */
function pick({ bakeSeconds, drainSeconds, analysis }: Schedule): Partial<Schedule> {
  return { bakeSeconds, drainSeconds, analysis };
}

function numbers(options: ScheduleOptions, names: typeof SECONDS) {
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined ? [] : [[name, Number(options[name])]])),
  );
}
