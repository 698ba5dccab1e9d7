/** What a saved plan would do, read from `terraform show -json`: the proof that a release leaves the live slot alone. */
import type { Slot } from "../../release/slot";
import { OperatorError } from "../operator-error";

/** Azure allows 25 run commands a machine, and each failed apply leaves one: far enough from that to go on. */
const DEPOSED_LIMIT = 8;

export interface Change {
  readonly address: string;
  readonly actions: readonly string[];
  /** Set for what an earlier, failed replacement left behind. */
  readonly deposed?: string;
}

export interface Plan {
  readonly changes: readonly Change[];
  readonly isEmpty: boolean;
}

interface PlanJson {
  readonly resource_changes?: readonly {
    readonly address: string;
    readonly deposed?: string;
    readonly change: { readonly actions: readonly string[] };
  }[];
}

export function readPlan(json: string): Plan {
  const { resource_changes = [] } = JSON.parse(json) as PlanJson;
  const changes = resource_changes.map(({ address, deposed, change }) => ({
    address,
    actions: change.actions,
    ...(deposed === undefined ? {} : { deposed }),
  }));
  return { changes, isEmpty: changes.every(({ actions }) => actions.every((action) => action === "no-op")) };
}

/**
 * The live slot's install steps must be there already and stay as they are.
 * @returns how many were seen. @throws OperatorError (refused) naming the first that would run.
 */
export function proveLiveSlotUntouched(plan: Plan, live: Slot): number {
  const installs = plan.changes.filter(
    ({ address, deposed }) => deposed === undefined && address.includes(`.install-${live}-`),
  );
  const touched = installs.find(({ actions }) => actions.some((action) => action !== "no-op"));
  if (touched !== undefined) {
    throw new OperatorError(
      `the plan would touch the live slot: ${touched.address} (${touched.actions.join(", ")}); nothing was applied. Is Terraform's state of web the right one?`,
      3,
    );
  }
  return installs.length;
}

/** @throws OperatorError (refused) before failed applies fill a machine up. */
export function refuseManyDeposed(plan: Plan): void {
  const counts = new Map<string, number>();
  for (const { address, deposed } of plan.changes) {
    if (deposed !== undefined) counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  for (const [address, count] of counts) {
    if (count >= DEPOSED_LIMIT) {
      throw new OperatorError(
        `${count} failed applies left a record of ${address}: \`bluegreen abort\` withdraws the candidate and clears them`,
        3,
      );
    }
  }
}
