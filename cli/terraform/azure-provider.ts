/** The azurerm provider of a synthesized stack: what is known about it before Terraform starts it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { isOf5 } from "../../configuration/azure/azurerm";
import { readState } from "./pulled-state";

const Required = z.object({
  terraform: z.object({
    required_providers: z.optional(
      z.object({ azurerm: z.optional(z.object({ version: z.optional(z.string()) })) }),
    ),
  }),
});

/** @returns the version that the stack requires; null if it has no azurerm, or not an exact version. */
export function requiredAzurerm(folder: string): string | null {
  const file = join(folder, "cdk.tf.json");
  if (!existsSync(file)) return null;
  const read = z.safeParse(Required, JSON.parse(readFileSync(file, "utf8")));
  const version = read.success ? read.data.terraform.required_providers?.azurerm?.version : undefined;
  return version !== undefined && /^\d+\.\d+\.\d+$/.test(version) ? version : null;
}

/** @returns the version that an earlier init chose; null if none did. */
export function lockedAzurerm(folder: string): string | null {
  const file = join(folder, ".terraform.lock.hcl");
  if (!existsSync(file)) return null;
  const block = /^provider "[^"]*\/azurerm" \{\n([\s\S]*?)^\}/m.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  return /^\s*version\s*=\s*"([^"]+)"/m.exec(block)?.[1] ?? null;
}

/** @param pulled the output of `terraform state pull`. @returns whether azurerm 5.x wrote it, so that 4.x refuses it. */
export function isStateOf5(pulled: string): boolean {
  const state = readState(pulled);
  return state !== null && isOf5State(state);
}

/** The part of a state that shows which azurerm wrote it. */
export interface WrittenState {
  readonly resources: readonly {
    readonly type: string;
    readonly instances: readonly { readonly schema_version: number }[];
  }[];
}

export function isOf5State({ resources }: WrittenState): boolean {
  return resources.some(({ type, instances }) =>
    instances.some(({ schema_version }) => isOf5(type, schema_version)),
  );
}
