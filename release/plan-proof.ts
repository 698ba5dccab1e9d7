/**
 * What a saved plan of web would do, read from `terraform show -json`: the proof that a release leaves the live slot,
 * base and the database alone. Whatever is no step of a release may not change, so nobody has to list what is precious.
 */
import * as z from "zod/mini";
import { parseStep, shortAddress } from "./steps";
import { Refusal } from "./failure";
import type { Slot } from "./slot";
import { parseFile } from "./validation";
import { inOneLine } from "./text";

/** Azure allows 25 run commands a machine, and each failed apply leaves one: far enough from that to go on. */
const DEPOSED_LIMIT = 8;

/** Terraform escapes what it quotes, so a plan of its own has none of these; and what is refused is shown. */
const Printable = z
  .string()
  .check(z.regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,2000}$/u, "is nothing that Terraform writes"));

/** Of Terraform's JSON format 1 (https://developer.hashicorp.com/terraform/internals/json-format), what the proof reads. */
const PlanJson = z.object({
  format_version: z.optional(
    z.string().check(z.regex(/^1\./, "is not 1.x, the format that this version can read")),
  ),
  errored: z.optional(z.boolean()),
  resource_changes: z._default(
    z.array(
      z.object({
        address: Printable,
        previous_address: z.optional(Printable),
        mode: z.optional(z.string()),
        deposed: z.optional(z.string()),
        change: z.object({
          actions: z.array(Printable),
          importing: z.optional(z.unknown()),
          before: z.optional(z.unknown()),
          after: z.optional(z.unknown()),
        }),
      }),
    ),
    [],
  ),
});

/** What a plan does to one resource. */
export interface Change {
  readonly address: string;
  readonly actions: readonly string[];
  /** Set for what an earlier, failed replacement left behind. */
  readonly deposed?: string;
  /** Where the state had it until now. */
  readonly movedFrom?: string;
  readonly imported?: boolean;
  /** Resource ids of the machines that the step runs on, before and after; none on the local platform. */
  readonly machines?: readonly string[];
}

/** A plan of Terraform, read by {@link readPlan}. */
export interface Plan {
  readonly changes: readonly Change[];
  readonly isEmpty: boolean;
}

/** @throws InvalidInput where it is no plan. @throws Refusal where Terraform could not finish it. */
export function readPlan(json: string, file = "the plan"): Plan {
  const { resource_changes, errored } = parseFile(PlanJson, json, file);
  if (errored === true) throw refused(`${file} ended with an error, so it is not whole; nothing was applied`);
  const read = resource_changes
    .filter(({ mode }) => mode !== "data")
    .map(({ address, previous_address, deposed, change }) => ({
      address,
      actions: change.actions,
      ...(deposed === undefined ? {} : { deposed }),
      ...(previous_address === undefined ? {} : { movedFrom: previous_address }),
      ...(change.importing === undefined ? {} : { imported: true }),
      machines: [change.before, change.after].flatMap(machineOf),
    }));
  const isEmpty = read.every(
    (change) => !changes(change) && change.movedFrom === undefined && change.imported !== true,
  );
  return { changes: read, isEmpty };
}

/**
 * Nothing but steps of a release may change: what is a server, a network, a store or a database is base's.
 * @throws Refusal naming the first change that is something else.
 */
export function proveOnlySteps({ changes: all }: Plan): void {
  const other = all.find((change) => affects(change) && parseStep(change.address) === null);
  if (other !== undefined) {
    throw refused(
      `the plan would change ${describe(other)}, which is no step of a release but base's, or somebody else's; nothing was applied. Is something new in the web stack, or is this another stack's plan?`,
    );
  }
  const imported = all.find((change) => change.imported === true);
  if (imported !== undefined) {
    throw refused(
      `the plan would import ${imported.address}: a step is run, never taken over; nothing was applied`,
    );
  }
}

/**
 * The live slot's install steps must be there already and stay as they are, and what changes must run elsewhere.
 * @returns how many were seen. @throws Refusal naming the first that would run.
 */
export function proveLiveSlotUntouched(plan: Plan, live: Slot): number {
  proveOnlySteps(plan);
  const installs = installsOf(plan, live);
  if (installs.length === 0) {
    throw refused(
      `the plan knows no install step of ${live}, which is live; nothing was applied. Is Terraform's state of web the right one?`,
    );
  }
  const moved = plan.changes.find(
    ({ address, movedFrom }) =>
      movedFrom !== undefined && [address, movedFrom].some((each) => isInstallOf(each, live)),
  );
  if (moved !== undefined) {
    throw refused(
      `the plan would move ${moved.movedFrom} to ${moved.address}, of the live slot; nothing was applied. Move it without a release, then try again`,
    );
  }
  const touched = installs.filter(changes);
  const [first] = touched;
  if (first !== undefined) {
    const servers = touched.filter(runs).map(({ address }) => serverOf(address));
    const way =
      servers.length === 0
        ? "Is Terraform's state of web the right one?"
        : `If base replaced or added ${servers.join(", ")}, \`bluegreen heal ${servers.join(" ")}\` comes first; else, is Terraform's state of web the right one?`;
    throw refused(`the plan would touch the live slot: ${describe(first)}; nothing was applied. ${way}`);
  }
  refuseLiveMachines(plan, installs, live);
  return installs.length;
}

/** A step's name says which server it is for; its resource id says where it runs. */
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
 * A server that a heal did not come to gets what it lacks from another heal, not from a sequence that is not about it.
 * @param steps what heals had to run. @throws Refusal naming the servers.
 */
export function refuseUnhealed(plan: Plan, steps: readonly { id: string; server: string }[]): void {
  const unhealed = steps.filter(({ id }) =>
    plan.changes.some((change) => parseStep(change.address)?.id === id && runs(change)),
  );
  if (unhealed.length === 0) return;
  const servers = [...new Set(unhealed.map(({ server }) => server))];
  throw refused(
    `the heal of ${servers.join(", ")} was not carried out: \`bluegreen heal ${servers.join(" ")}\` again comes first; nothing was applied`,
  );
}

/**
 * A heal runs the install steps of its servers between begin (and the check of the database) and switch, and nothing
 * else: no hooks either, as it brings no release to anybody.
 * @returns the steps that run. @throws Refusal naming the first that should not.
 */
export function proveOnlyHealed(plan: Plan, live: Slot, servers: readonly string[]): string[] {
  proveOnlySteps(plan);
  const isHealed = ({ address }: Change): boolean => {
    const step = parseStep(address);
    return step?.kind === "install" && servers.includes(step.server);
  };
  const isGate = ({ address }: Change): boolean => {
    const kind = parseStep(address)?.kind;
    return kind === "begin" || kind === "migrate" || kind === "switch";
  };
  const others = plan.changes.filter((change) => !isHealed(change) && !isGate(change));
  // What a convergence left in the state may go: that runs nothing. The live slot's steps stay as they are.
  const touched = others.find(runs) ?? installsOf({ ...plan, changes: others }, live).find(changes);
  if (touched !== undefined) {
    const step = parseStep(touched.address);
    const way =
      step?.kind === "install" ? `. If base replaced or added ${step.server}, too, heal them together` : "";
    throw refused(
      `the plan would touch more than ${servers.join(", ")}: ${describe(touched)}; nothing was applied${way}`,
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

function machineOf(values: unknown): string[] {
  const { virtual_machine_id: id } = (values ?? {}) as { virtual_machine_id?: unknown };
  return typeof id === "string" ? [inOneLine(id)] : [];
}

/** Something happens to it, or to what Terraform knows of it. */
function affects(change: Change): boolean {
  return changes(change) || change.movedFrom !== undefined || change.imported === true;
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

/** @throws Refusal before failed applies fill a machine up. */
export function refuseManyDeposed(plan: Plan): void {
  const counts = new Map<string, number>();
  for (const { address, deposed } of plan.changes) {
    if (deposed !== undefined) counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  for (const [address, count] of counts) {
    if (count >= DEPOSED_LIMIT) {
      throw refused(
        `${count} failed applies left a record of ${address}: \`bluegreen abort\` cancels the candidate and clears them`,
      );
    }
  }
}
