/**
 * Reads `terraform state pull`: the state as it is stored. Unlike `terraform show -json` it needs no provider's schema, so it
 * works for a state that a newer Terraform or provider wrote.
 */
import * as z from "zod/mini";
import { jsonOf } from "./json-output";

/** Format 4, since Terraform 0.12, of which only a part is read. */
const PulledState = z.object({
  terraform_version: z._default(z.string(), "0.0.0"),
  resources: z._default(
    z.array(
      z.object({
        module: z.optional(z.string()),
        mode: z._default(z.string(), "managed"),
        type: z._default(z.string(), ""),
        name: z.string(),
        instances: z.array(
          z.object({
            index_key: z.optional(z.union([z.string(), z.number()])),
            deposed: z.optional(z.string()),
            /** Of the provider's schema of this type. */
            schema_version: z._default(z.number(), 0),
            attributes: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
          }),
        ),
      }),
    ),
    [],
  ),
});
export type PulledState = z.infer<typeof PulledState>;

/** An object in Terraform's state, in the provider's schema. */
export interface StateEntry {
  readonly address: string;
  readonly deposed: boolean;
  readonly values: Readonly<Record<string, unknown>>;
}

/** @param text empty for a state that was never written. @returns null if the format is not known. */
export function readState(text: string): PulledState | null {
  if (text.trim() === "") return { terraform_version: "0.0.0", resources: [] };
  const read = z.safeParse(PulledState, parsed(text));
  return read.success ? read.data : null;
}

export function entriesOf({ resources }: PulledState): StateEntry[] {
  return resources.flatMap(({ module, mode, type, name, instances }) =>
    instances.map(({ index_key: key, deposed, attributes }) => ({
      address: [
        ...(module === undefined ? [] : [module]),
        ...(mode === "managed" ? [] : [mode]),
        type,
        name + (key === undefined ? "" : `[${JSON.stringify(key)}]`),
      ].join("."),
      deposed: deposed !== undefined,
      values: Object.fromEntries(
        Object.entries(attributes ?? {}).map(([each, value]) => [each, plain(value)]),
      ),
    })),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(jsonOf(text));
  } catch {
    return undefined;
  }
}

/** An attribute of any type is stored with its type. */
function plain(value: unknown): unknown {
  const isTyped =
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length === 2 &&
    Object.hasOwn(value, "value") &&
    Object.hasOwn(value, "type");
  return isTyped ? (value as { value: unknown }).value : value;
}
