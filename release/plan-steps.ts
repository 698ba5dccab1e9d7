/** A plan in words that a person follows: what is done already, what is cleared away, what will run, in order. */
import type { Change, Plan } from "./plan-proof";

export interface PlanSteps {
  /** Steps that stay as they are. */
  readonly done: readonly string[];
  /** What earlier executions left, and steps that are not needed any more: they go, nothing runs. */
  readonly undoing: readonly string[];
  readonly willRun: readonly string[];
}

const ORDER = ["begin", "migrate", "install", "switch", "converge", "share"];

export function stepsOf({ changes }: Plan): PlanSteps {
  const named = (isMeant: (change: Change) => boolean): string[] =>
    changes
      .filter(isMeant)
      .map(({ address, deposed }) =>
        deposed === undefined ? shortName(address) : `${shortName(address)} (left by a failed apply)`,
      )
      .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
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

function shortName(address: string): string {
  return address
    .replace(/^.*\b(?:terraform_data|azurerm_virtual_machine_run_command)\./, "")
    .replace(/_[0-9A-F]{8}(?=$|\[)/, "")
    .replace(/\[0\]$/, "");
}

/** Hooks stand where their phase does, before or after its steps. */
function rank(step: string): number {
  const phase = ORDER.findIndex((each) => step.includes(each));
  const side = step.includes("before-") ? -0.3 : step.includes("after-") ? 0.3 : 0;
  return phase < 0 ? ORDER.length : phase + side;
}
