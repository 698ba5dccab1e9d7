/**
 * Plans the base stack. A release never touches it, a changed environment file may. Changes that would replace servers
 * or data are refused, unless `--allow-replace` names them.
 */
import { Failure, InvalidInput } from "../../release/failure";
import { EXIT } from "../../release/exit-code";
import { synthesize } from "../terraform/synth";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import type { Tools } from "./tools";
import { affects, forgets } from "../../release/terraform-plan";
import type { Change, Plan } from "../../release/terraform-plan";
import { keptFromDestruction } from "../terraform/error-messages";
import { cdktfCommand } from "../project/cdktf-command";
import { Stack } from "../terraform/stack";

export interface BasePlan {
  readonly create: readonly string[];
  readonly update: readonly string[];
  readonly replace: readonly string[];
  readonly destroy: readonly string[];
  /** Terraform forgets these, and they go on without it: `removed`, or `destroy = false`. */
  readonly forget: readonly string[];
  readonly import: readonly string[];
  /** As in "old -> new". */
  readonly move: readonly string[];
  /** Data that is read during the apply. It changes nothing. */
  readonly read: readonly string[];
  /** Actions that run, with what triggers each. What they do is not in the plan. */
  readonly invoke: readonly string[];
  /** Names of outputs. */
  readonly output: readonly string[];
  /** Resources of base that are not in the plan. */
  readonly leaveOut: readonly string[];
  /** Local proxies that stop and start again: users can't connect meanwhile. */
  readonly restarts: readonly string[];
}

/** Replacing one of these loses data, or a server that serves users. */
const PROTECTED_TYPES = new Set([
  "azurerm_linux_virtual_machine",
  "azurerm_windows_virtual_machine",
  "azurerm_mssql_server",
  "azurerm_mssql_database",
  "azurerm_storage_account",
  "azurerm_storage_container",
  "azurerm_storage_share",
  "azurerm_key_vault",
  "azurerm_public_ip",
]);
/** On the local platform a server is a folder that Terraform created. */
const LOCAL_SERVER = /^terraform_data\.web-\d+(_[0-9A-F]{8})?$/;

/** A running proxy of the local platform. */
const LOCAL_PROXY = /^terraform_data\.(proxy-\d+)(?:_[0-9A-F]{8})?$/;

/**
 * Plans base; applies nothing.
 * @throws Failure (refused) if a server, the SQL server, the database or a store would be replaced, destroyed or forgotten;
 * Refusal if the plan has something that can't be judged.
 */
export async function planBase(
  project: Project,
  { progress, terraform }: Tools,
  allowed: readonly string[],
): Promise<BasePlan> {
  progress.now("planning base");
  try {
    const base = new Stack(await synthesize(project, readRecord(project)), "base", terraform);
    const plan = await base.plan().catch((error: Error) => {
      throw prevented(error);
    });
    const { changes } = plan;
    const unknown = allowed.find((address) => !changes.some((change) => change.address === address));
    if (unknown !== undefined) {
      throw new InvalidInput(`--allow-replace ${unknown}: base's plan has no such address`);
    }
    refuseReplacements(changes, allowed);
    return summarize(plan);
  } finally {
    progress.stop();
  }
}

/** @throws Failure (refused) with every protected address that would be lost, and the options that permit it. */
export function refuseReplacements(changes: readonly Change[], allowed: readonly string[]): void {
  const gone = changes.filter(
    (change) =>
      (change.actions.includes("delete") || forgets(change)) &&
      isProtected(change.address) &&
      !allowed.includes(change.address),
  );
  if (gone.length === 0) return;
  const each = gone.map((change) => `${change.address} (${fateOf(change)})`);
  const options = gone.map(({ address }) => `--allow-replace ${address}`).join(" ");
  const webServers = gone.flatMap(({ address }) => /\.(web-\d+)(?:_|$)/.exec(address)?.[1] ?? []);
  const afterwards =
    webServers.length === 0 ? "" : `, and \`bluegreen heal ${webServers.join(" ")}\` afterwards`;
  throw new Failure(
    `base would lose ${each.join(", ")}; nothing was applied. To permit it: ${options}${afterwards}`,
    EXIT.refused,
  );
}

function fateOf(change: Change): string {
  if (change.actions.includes("create")) return "replaced";
  return forgets(change) ? "forgotten" : "destroyed";
}

export function summarize({ changes, invocations, reads, outputs, leftOut }: Plan): BasePlan {
  const addresses = (wanted: (has: (action: string) => boolean, change: Change) => boolean): string[] =>
    changes
      .filter((change) => affects(change) && wanted((action) => change.actions.includes(action), change))
      .map(({ address }) => address);
  const replace = addresses((has) => has("create") && has("delete"));
  return {
    create: addresses((has) => has("create") && !has("delete")),
    update: addresses((has) => has("update")),
    replace,
    destroy: addresses((has) => has("delete") && !has("create")),
    forget: addresses((has) => has("forget")),
    import: addresses((_, { imported }) => imported === true),
    move: changes.flatMap(({ address, movedFrom }) =>
      movedFrom === undefined ? [] : [`${movedFrom} -> ${address}`],
    ),
    read: reads,
    invoke: invocations.map(({ address, trigger }) => `${address} (${trigger})`),
    output: outputs,
    leaveOut: leftOut,
    restarts: replace.flatMap((address) => LOCAL_PROXY.exec(address)?.[1] ?? []),
  };
}

export function formatBasePlan({ restarts, leaveOut, ...actions }: BasePlan): string {
  const lines = [...Object.entries(actions), ["left out", leaveOut] as const].flatMap(([action, addresses]) =>
    addresses.map((address) => `${action.padEnd(8)} ${address}`),
  );
  if (lines.length === 0) return "base: nothing to change";
  const outage = restarts.map(
    (proxy) =>
      `warning: ${proxy} restarts: users can't connect for a few seconds, and running requests fail. It then serves the same releases`,
  );
  return [...lines, ...outage, `apply it with \`${cdktfCommand("deploy base")}\``].join("\n");
}

function isProtected(address: string): boolean {
  return PROTECTED_TYPES.has(address.split(".")[0]!) || LOCAL_SERVER.test(address);
}

/** Terraform itself refuses to plan what `prevent_destroy` protects. */
function prevented(error: Error): Error {
  const address = keptFromDestruction(error.message);
  if (address === undefined) return error;
  return new Failure(
    `base would destroy ${address}, which platform.protect forbids; nothing was applied. Revert the change to the environment file`,
    EXIT.refused,
  );
}
