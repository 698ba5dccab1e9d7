/**
 * Maps field names of version 0.1.0 to today's names. Its records, receipts and director states can still be read;
 * nothing is written with a former name.
 */
import * as z from "zod/mini";

/** @param names former name to today's. If a value has both, it stays as it is and the schema refuses the former name. */
export function readsFormer<Schema extends z.ZodMiniType>(
  schema: Schema,
  names: Readonly<Record<string, string>>,
): z.ZodMiniType<z.output<Schema>, z.input<Schema>> {
  return z.pipe(
    z.transform((input: unknown) => renamed(input, names)),
    schema,
  ) as unknown as z.ZodMiniType<z.output<Schema>, z.input<Schema>>;
}

/** @param values former value to today's. */
export function readsFormerValues<Schema extends z.ZodMiniType>(
  schema: Schema,
  values: Readonly<Record<string, string>>,
): z.ZodMiniType<z.output<Schema>, z.input<Schema>> {
  return z.pipe(
    z.transform((input: unknown) =>
      typeof input === "string" && Object.hasOwn(values, input) ? values[input] : input,
    ),
    schema,
  ) as unknown as z.ZodMiniType<z.output<Schema>, z.input<Schema>>;
}

function renamed(input: unknown, names: Readonly<Record<string, string>>): unknown {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return input;
  const entries = Object.entries(input).map(([name, value]) => {
    const today = Object.hasOwn(names, name) ? names[name]! : name;
    return [Object.hasOwn(input, today) ? name : today, value] as const;
  });
  return Object.fromEntries(entries);
}
