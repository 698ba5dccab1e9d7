/** Summarizes a plan: the steps that are done, removed, and about to run, in order. */
import { STEP_KINDS } from "./hooks";
import { parseStep, shortAddress } from "./steps";
import type { Change, Plan } from "./terraform-plan";

export interface PlanSteps {
  /** Steps that stay as they are. */
  readonly done: readonly string[];
  /** Leftovers of earlier executions and steps no longer needed. They are removed, nothing runs. */
  readonly undoing: readonly string[];
  readonly willRun: readonly string[];
}

export function stepsOf({ changes }: Plan): PlanSteps {
  const named = (isMeant: (change: Change) => boolean): string[] =>
    changes
      .filter(isMeant)
      .map(({ address, deposed }) => ({
        rank: rank(address),
        text:
          deposed === undefined ? shortAddress(address) : `${shortAddress(address)} (left by a failed apply)`,
      }))
      .sort((one, other) => one.rank - other.rank || (one.text < other.text ? -1 : 1))
      .map(({ text }) => text);
  return {
    done: named(({ actions, deposed }) => deposed === undefined && actions.every((each) => each === "no-op")),
    undoing: named(({ actions }) => actions.includes("delete") && !actions.includes("create")),
    willRun: named(({ actions }) => actions.includes("create")),
  };
}

export function formatSteps({ done, undoing, willRun }: PlanSteps): string[] {
  const line = (title: string, steps: readonly string[]): string =>
    `${title.padEnd(10)} ${steps.length === 0 ? "nothing" : steps.join(", ")}`;
  return [line("done", done), line("undoing", undoing), line("will run", willRun)];
}

/** Hooks sort before or after the steps of their phase; anything that is not a step sorts last. */
function rank(address: string): number {
  const step = parseStep(address);
  if (step === null) return STEP_KINDS.length;
  if (step.kind === "check") return -1;
  if (step.kind !== "hook") return STEP_KINDS.indexOf(step.kind);
  return STEP_KINDS.indexOf(step.around) + (step.when.startsWith("before") ? -0.3 : 0.3);
}
