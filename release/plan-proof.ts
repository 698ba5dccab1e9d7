/**
 * Proves of a plan of web, see {@link Plan}, that a release does not touch the live slot, base or
 * the database. Only release steps may change, so no list of protected resources is needed.
 */
import { parseStep, shortAddress } from "./steps";
import { Refusal } from "./failure";
import type { Slot } from "./slot";
import { affects, forgets } from "./terraform-plan";
import type { Change, Plan } from "./terraform-plan";

/** Azure allows 25 run commands per machine, and each failed apply leaves one. This limit leaves room for more. */
const DEPOSED_LIMIT = 8;

/**
 * Only release steps may change. Servers, networks, stores and databases belong to base.
 * @throws Refusal naming the first other change.
 */
export function proveOnlySteps({ changes: all, invocations, leftOut }: Plan): void {
  if (all.length === 0) {
    throw refused("the plan has no resources, so it is no plan of web; nothing was applied");
  }
  const [invocation] = invocations;
  if (invocation !== undefined) {
    throw refused(
      `the plan would invoke ${invocation.address} (${invocation.trigger}): what an action does is not in the plan; nothing was applied. Take the action out of web`,
    );
  }
  const missing = leftOut.find((address) => parseStep(address) !== null);
  if (missing !== undefined) {
    throw refused(
      `the plan leaves out ${missing}, which the stack has; nothing was applied. Plan without -target and -exclude`,
    );
  }
  const other = all.find((change) => affects(change) && parseStep(change.address) === null);
  if (other !== undefined) {
    throw refused(
      `the plan would change ${describe(other)}, which is not a release step but belongs to base or another stack; nothing was applied. Is there a new resource in the web stack, or is this the plan of another stack?`,
    );
  }
  const forgotten = all.find(forgets);
  if (forgotten !== undefined) {
    throw refused(
      `the plan would forget ${describe(forgotten)}: what a step left on its machine must be removed with it; nothing was applied. Take "removed" and "destroy = false" out of web`,
    );
  }
  const imported = all.find((change) => change.imported === true);
  if (imported !== undefined) {
    throw refused(
      `the plan would import ${imported.address}: steps run, they are never imported; nothing was applied`,
    );
  }
}

/**
 * The live slot's install steps must exist and stay unchanged, and steps that run must run on other machines.
 * @returns the number of install steps. @throws Refusal naming the first that would run.
 */
export function proveLiveSlotUntouched(plan: Plan, live: Slot): number {
  proveOnlySteps(plan);
  const installs = installsOf(plan, live);
  if (installs.length === 0) {
    throw refused(
      `the plan has no install step for ${live}, which is live; nothing was applied. Is this the right Terraform state for web?`,
    );
  }
  const moved = plan.changes.find(
    ({ address, movedFrom }) =>
      movedFrom !== undefined && [address, movedFrom].some((each) => isInstallOf(each, live)),
  );
  if (moved !== undefined) {
    throw refused(
      `the plan would move ${moved.movedFrom} to ${moved.address}, in the live slot; nothing was applied. Move it without a release, then try again`,
    );
  }
  const touched = installs.filter(changes);
  const [first] = touched;
  if (first !== undefined) {
    const servers = touched.filter(runs).map(({ address }) => serverOf(address));
    const hint =
      servers.length === 0
        ? "Is this the right Terraform state for web?"
        : `If base replaced or added ${servers.join(", ")}, run \`bluegreen heal ${servers.join(" ")}\` first; otherwise, is this the right Terraform state for web?`;
    throw refused(`the plan would touch the live slot: ${describe(first)}; nothing was applied. ${hint}`);
  }
  refuseLiveMachines(plan, installs, live);
  return installs.length;
}

/**
 * Every server has an install step for each of its slots, in every sequence.
 * @param wanted the steps' ids. @throws Refusal naming those that the plan leaves out.
 */
export function requireInstalls({ changes: all }: Plan, wanted: readonly string[]): void {
  const ids = new Set(
    all.flatMap(({ address, deposed }) => (deposed === undefined ? parseStep(address)?.id : [])),
  );
  const missing = wanted.filter((id) => !ids.has(id));
  if (missing.length === 0) return;
  throw refused(
    `the plan leaves out ${missing.join(", ")}, of servers that the environment has; nothing was applied. Plan without -target and -exclude, and prove it with its own environment`,
  );
}

/** A step's name contains its server; its resource id shows where it really runs. */
function refuseLiveMachines({ changes: all }: Plan, installs: readonly Change[], live: Slot): void {
  const serverByMachine = new Map(
    installs.flatMap(({ address, machines = [] }) =>
      machines.map((machine) => [machine.toLowerCase(), serverOf(address)] as const),
    ),
  );
  for (const change of all.filter((each) => runs(each) && isInstall(each.address))) {
    for (const machine of change.machines ?? []) {
      const server = serverByMachine.get(machine.toLowerCase());
      if (server !== undefined && server !== serverOf(change.address)) {
        throw refused(
          `the plan would run ${change.address} on ${machine}, which is ${server} and serves ${live}; nothing was applied`,
        );
      }
    }
  }
}

/**
 * A server whose heal did not run needs another heal; other sequences must not repair it.
 * @param steps the steps of earlier heals. @throws Refusal naming the servers.
 */
export function refuseUnhealed(plan: Plan, steps: readonly { id: string; server: string }[]): void {
  const unhealed = steps.filter(({ id }) =>
    plan.changes.some((change) => parseStep(change.address)?.id === id && runs(change)),
  );
  if (unhealed.length === 0) return;
  const servers = [...new Set(unhealed.map(({ server }) => server))];
  throw refused(
    `the heal of ${servers.join(", ")} did not finish: run \`bluegreen heal ${servers.join(" ")}\` again first; nothing was applied`,
  );
}

/**
 * A heal only runs the install steps of its servers, between begin (with the checks of servers and database) and switch. It runs no
 * hooks, because it releases nothing.
 * @returns the steps that run. @throws Refusal naming the first that must not.
 */
export function proveOnlyHealed(plan: Plan, live: Slot, servers: readonly string[]): string[] {
  proveOnlySteps(plan);
  const isHealed = ({ address }: Change): boolean => {
    const step = parseStep(address);
    return step?.kind === "install" && servers.includes(step.server);
  };
  const isGate = ({ address }: Change): boolean => {
    const kind = parseStep(address)?.kind;
    return kind === "check" || kind === "begin" || kind === "migrate" || kind === "switch";
  };
  const others = plan.changes.filter((change) => !isHealed(change) && !isGate(change));
  // Leftovers of a convergence may be removed, which runs nothing. The live slot's steps must not change.
  const touched = others.find(runs) ?? installsOf({ ...plan, changes: others }, live).find(changes);
  if (touched !== undefined) {
    const step = parseStep(touched.address);
    const hint =
      step?.kind === "install" ? `. If base replaced or added ${step.server}, too, heal them together` : "";
    throw refused(
      `the plan would touch more than ${servers.join(", ")}: ${describe(touched)}; nothing was applied${hint}`,
    );
  }
  return plan.changes
    .filter((change) => isHealed(change) && runs(change))
    .map(({ address }) => shortAddress(address));
}

function installsOf({ changes: all }: Plan, slot: Slot): Change[] {
  return all.filter(({ address, deposed }) => deposed === undefined && isInstallOf(address, slot));
}

function isInstallOf(address: string, slot: Slot): boolean {
  const step = parseStep(address);
  return step?.kind === "install" && step.slot === slot;
}

function isInstall(address: string): boolean {
  return parseStep(address)?.kind === "install";
}

function serverOf(address: string): string {
  const step = parseStep(address);
  return step?.kind === "install" ? step.server : address;
}

function refused(message: string): Refusal {
  return new Refusal("not-in-the-plan", message);
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

/** @throws Refusal before deposed run commands reach a machine's limit. */
export function refuseManyDeposed(plan: Plan): void {
  const counts = new Map<string, number>();
  for (const { address, deposed } of plan.changes) {
    if (deposed !== undefined) counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  for (const [address, count] of counts) {
    if (count >= DEPOSED_LIMIT) {
      throw refused(
        `${count} failed applies left deposed objects of ${address}: \`bluegreen abort\` cancels the candidate and clears them`,
      );
    }
  }
}
