/** The names of a schema's fields, for a message about a field that it does not have. */
import type * as z from "zod/mini";
import { quote } from "../release/text";

/** Fewer letters have too many neighbours: with these one edit makes another name, with twice as many two. */
const LEAST_LENGTH = 4;
const MOST_LENGTH = 40;

/** @returns a question after an unknown field, as in ` (did you mean "topology"?)`; empty where no field is near. */
export function nearestField(schema: z.core.$ZodType): (key: string, path: readonly PropertyKey[]) => string {
  return (key, path) => {
    if (key.length < LEAST_LENGTH || key.length > MOST_LENGTH) return "";
    const [near] = namesAt(schema, path)
      .map((name) => ({ name, edits: editsBetween(key.toLowerCase(), name.toLowerCase()) }))
      .filter(({ edits }) => edits <= Math.min(2, key.length / LEAST_LENGTH))
      .sort((one, other) => one.edits - other.edits);
    return near === undefined ? "" : ` (did you mean ${quote(near.name)}?)`;
  };
}

/** The fields of what is at a path; of a union those of all its options. */
function namesAt(schema: z.core.$ZodType, [next, ...rest]: readonly PropertyKey[]): string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const path = next === undefined ? [] : [next, ...rest];
  switch (def.type) {
    case "object": {
      if (next === undefined) return Object.keys(def.shape);
      const field = def.shape[String(next)];
      return field === undefined ? [] : namesAt(field, rest);
    }
    case "array":
      return namesAt(def.element, rest);
    case "union":
      return def.options.flatMap((option) => namesAt(option, path));
    case "pipe":
      return namesAt(def.in, path);
    case "optional":
    case "default":
    case "nullable":
    case "readonly":
      return namesAt(def.innerType, path);
    default:
      return [];
  }
}

/** Levenshtein's distance, with a swap of neighbours as one edit. */
function editsBetween(one: string, other: string): number {
  const rows = Array.from({ length: one.length + 1 }, (_, row) => [row]);
  for (let column = 0; column <= other.length; column += 1) rows[0]![column] = column;
  for (let row = 1; row <= one.length; row += 1) {
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1];
      const swaps = row > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      rows[row]![column] = Math.min(
        rows[row - 1]![column]! + 1,
        rows[row]![column - 1]! + 1,
        rows[row - 1]![column - 1]! + (same ? 0 : 1),
        swaps && column > 1 ? rows[row - 2]![column - 2]! + 1 : Infinity,
      );
    }
  }
  return rows[one.length]![other.length]!;
}
