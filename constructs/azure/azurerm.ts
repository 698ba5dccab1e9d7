/** The azurerm provider of a stack: its version, and the arguments that this version knows. */
import type { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import { TerraformStack } from "cdktf";
import type { TerraformResource } from "cdktf";
import type { Construct } from "constructs";
import * as z from "zod/mini";
import { InvalidInput } from "../../release/failure";
import {
  AzurermVersion,
  DEFAULT_AZURERM,
  hasNamesOf5,
  needsPersistedIds,
  RENAMED_IN_5,
} from "../../configuration/azure/azurerm";

/** The version that a stack's arguments are written for. */
const chosen = new WeakMap<TerraformStack, string>();
/** Of stacks that have arguments already. */
const written = new WeakMap<TerraformStack, string>();

/**
 * Chooses the version of azurerm for a provider's stack: the stack requires exactly this one, this package's constructs
 * write the arguments that it knows, and from 4.75 on the provider keeps failed run commands in the state. Call it before
 * the stack's first construct of this package.
 *
 * @param version from 4.55.0 to 5.x. @default - that of the bindings
 * @throws InvalidInput if it is no version in this range.
 */
export function useAzurerm(provider: AzurermProvider, version?: string): void {
  if (version !== undefined && !z.safeParse(AzurermVersion, version).success) {
    throw new InvalidInput(
      `azurerm "${version}": must be an exact version from 4.55.0 to 5.x, as in "4.81.0"`,
    );
  }
  const stack = TerraformStack.of(provider);
  const used = version ?? versionOf(provider);
  const before = written.get(stack) ?? used;
  if (hasNamesOf5(before) !== hasNamesOf5(used)) {
    throw new Error(`useAzurerm: the stack has resources for azurerm ${before} already; call it before them`);
  }
  chosen.set(stack, used);
  if (version !== undefined) stack.addOverride("terraform.required_providers.azurerm.version", version);
  if (needsPersistedIds(used)) {
    provider.addOverride("features.0.persist_id_on_create_before_polling_for_completion", true);
  }
}

/** @throws InvalidInput if the environment chooses another version than the stack has. */
export function requireAzurerm(scope: Construct, version: string | undefined): void {
  const used = chosen.get(TerraformStack.of(scope));
  if (version === undefined || version === used) return;
  throw new InvalidInput(
    `platform.provider is "${version}", but the stack has ${used ?? "azurerm as in its bindings"}: call useAzurerm(provider, environment.platform.provider) before`,
  );
}

/**
 * Replaces what 5.0 renamed, where the stack's azurerm knows the new names only.
 * @param values of the new arguments.
 */
export function inNamesOf5(resource: TerraformResource, values: Readonly<Record<string, unknown>>): void {
  const stack = TerraformStack.of(resource);
  const version = chosen.get(stack) ?? versionOf(resource);
  written.set(stack, version);
  if (!hasNamesOf5(version)) return;
  const renamed = RENAMED_IN_5[resource.terraformResourceType]!;
  for (const [name, former] of Object.entries(renamed)) {
    resource.addOverride(name, values[name]);
    for (const each of former) resource.addOverride(each, undefined);
  }
}

/** Of the bindings, which each of their classes names. */
function versionOf({
  terraformGeneratorMetadata,
}: Pick<TerraformResource, "terraformGeneratorMetadata">): string {
  return terraformGeneratorMetadata?.providerVersion ?? DEFAULT_AZURERM;
}
