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
import type { Change } from "../../release/plan-proof";
import { keptFromDestruction } from "../terraform/error-messages";
import { Stack } from "../terraform/stack";

export interface BasePlan {
  readonly create: readonly string[];
  readonly update: readonly string[];
  readonly replace: readonly string[];
  readonly destroy: readonly string[];
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
  "azurerm_key_vault",
  "azurerm_public_ip",
]);
/** On the local platform a server is a folder that Terraform created. */
const LOCAL_SERVER = /^terraform_data\.web-\d+(_[0-9A-F]{8})?$/;

/** A running proxy of the local platform. */
const LOCAL_PROXY = /^terraform_data\.(proxy-\d+)(?:_[0-9A-F]{8})?$/;

/**
 * Plans base; applies nothing.
 * @throws Failure (refused) if a server, the SQL server, the database or a store would be replaced or destroyed.
 */
export async function planBase(
  project: Project,
  { progress, terraform }: Tools,
  allowed: readonly string[],
): Promise<BasePlan> {
  progress.now("planning base");
  try {
    const base = new Stack(await synthesize(project, readRecord(project)), "base", terraform);
    const { changes } = await base.plan().catch((error: Error) => {
      throw prevented(error);
    });
    const unknown = allowed.find((address) => !changes.some((change) => change.address === address));
    if (unknown !== undefined) {
      throw new InvalidInput(`--allow-replace ${unknown}: base's plan has no such address`);
    }
    refuseReplacements(changes, allowed);
    return summarize(changes);
  } finally {
    progress.stop();
  }
}

/** @throws Failure (refused) with every protected address that would be lost, and the options that permit it. */
export function refuseReplacements(changes: readonly Change[], allowed: readonly string[]): void {
  const gone = changes.filter(
    ({ address, actions }) =>
      actions.includes("delete") && isProtected(address) && !allowed.includes(address),
  );
  if (gone.length === 0) return;
  const each = gone.map(
    ({ address, actions }) => `${address} (${actions.includes("create") ? "replaced" : "destroyed"})`,
  );
  const options = gone.map(({ address }) => `--allow-replace ${address}`).join(" ");
  const webServers = gone.flatMap(({ address }) => /\.(web-\d+)(?:_|$)/.exec(address)?.[1] ?? []);
  const afterwards =
    webServers.length === 0 ? "" : `, and \`bluegreen heal ${webServers.join(" ")}\` afterwards`;
  throw new Failure(
    `base would lose ${each.join(", ")}; nothing was applied. To permit it: ${options}${afterwards}`,
    EXIT.refused,
  );
}

export function summarize(changes: readonly Change[]): BasePlan {
  const addresses = (wanted: (actions: readonly string[]) => boolean): string[] =>
    changes.filter(({ actions }) => wanted(actions)).map(({ address }) => address);
  const has = (actions: readonly string[], action: string) => actions.includes(action);
  const replace = addresses((actions) => has(actions, "create") && has(actions, "delete"));
  return {
    create: addresses((actions) => has(actions, "create") && !has(actions, "delete")),
    update: addresses((actions) => has(actions, "update")),
    replace,
    destroy: addresses((actions) => has(actions, "delete") && !has(actions, "create")),
    restarts: replace.flatMap((address) => LOCAL_PROXY.exec(address)?.[1] ?? []),
  };
}

export function formatBasePlan({ restarts, ...actions }: BasePlan): string {
  const lines = Object.entries(actions).flatMap(([action, addresses]) =>
    addresses.map((address) => `${action.padEnd(8)} ${address}`),
  );
  if (lines.length === 0) return "base: nothing to change";
  const outage = restarts.map(
    (proxy) =>
      `warning: ${proxy} restarts: users can't connect for a few seconds, and running requests fail. It then serves the same releases`,
  );
  return [...lines, ...outage, "apply it with `npx cdktf deploy base`"].join("\n");
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
