/** What a saved plan would do, read from `terraform show -json`: the proof that a release leaves the live slot alone. */
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { stepId } from "../../release/naming";
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
  const installs = installsOf(plan, live);
  const touched = installs.filter(changes);
  const [first] = touched;
  if (first !== undefined) {
    const servers = touched.filter(runs).map(({ address }) => address.split(`.install-${live}-`)[1]);
    const way =
      servers.length === 0
        ? "Is Terraform's state of web the right one?"
        : `If base replaced or added ${servers.join(", ")}, \`bluegreen heal ${servers.join(" ")}\` comes first; else, is Terraform's state of web the right one?`;
    throw new OperatorError(
      `the plan would touch the live slot: ${describe(first)}; nothing was applied. ${way}`,
      3,
    );
  }
  return installs.length;
}

/**
 * A server that a heal did not come to gets what it lacks from another heal, not from a sequence that is not about it.
 * @param steps what heals had to run. @throws OperatorError (refused) naming the servers.
 */
export function refuseUnhealed(plan: Plan, steps: readonly { id: string; server: string }[]): void {
  const unhealed = steps.filter(({ id }) =>
    plan.changes.some((change) => change.address.endsWith(`.${id}`) && runs(change)),
  );
  if (unhealed.length === 0) return;
  const servers = [...new Set(unhealed.map(({ server }) => server))];
  throw new OperatorError(
    `the heal of ${servers.join(", ")} was not carried out: \`bluegreen heal ${servers.join(" ")}\` again comes first; nothing was applied`,
    3,
  );
}

/**
 * A heal runs the install steps of its servers between begin and switch, and nothing else.
 * @returns the steps that run. @throws OperatorError (refused) naming the first that should not.
 */
export function proveOnlyHealed(plan: Plan, live: Slot, servers: readonly string[]): string[] {
  const isHealed = ({ address }: Change): boolean =>
    SLOTS.some((slot) => servers.some((server) => address.endsWith(`.${stepId.install(slot, server)}`)));
  const isGate = ({ address }: Change): boolean => /\.(begin|switch)-[a-z0-9-]+$/.test(address);
  const others = plan.changes.filter((change) => !isHealed(change) && !isGate(change));
  // What a convergence left in the state may go: that runs nothing. The live slot's steps stay as they are.
  const touched = others.find(runs) ?? installsOf({ ...plan, changes: others }, live).find(changes);
  if (touched !== undefined) {
    const server = SLOTS.map((slot) => touched.address.split(`.install-${slot}-`)[1]).find(Boolean);
    const way = server === undefined ? "" : `. If base replaced or added ${server}, too, heal them together`;
    throw new OperatorError(
      `the plan would touch more than ${servers.join(", ")}: ${describe(touched)}; nothing was applied${way}`,
      3,
    );
  }
  return plan.changes
    .filter((change) => isHealed(change) && runs(change))
    .map(({ address }) => address.replace(/^.*\./, ""));
}

function installsOf({ changes: all }: Plan, slot: Slot): Change[] {
  return all.filter(({ address, deposed }) => deposed === undefined && address.includes(`.install-${slot}-`));
}

function changes({ actions }: Change): boolean {
  return actions.some((action) => action !== "no-op");
}

/** A step runs when it is created, or replaced by one with another name. */
function runs({ actions }: Change): boolean {
  return actions.includes("create");
}

function describe({ address, actions }: Change): string {
  return `${address} (${actions.join(", ")})`;
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
