/**
 * What a person found out about a script without a transaction that did not come to its end: the journal says `running`,
 * and no migrator goes on before it is known whether its work is done. The record carries the answer for one sequence
 * (`"resolve"`), so that it reaches the database by the same way as every release.
 */
import * as z from "zod/mini";
import { ScriptName } from "./release";

/** `applied`: its work is done, all of it. `pending`: it is undone, and the script runs again. */
export const RESOLUTIONS = ["applied", "pending"] as const;

export const Resolution = z.strictObject({ script: ScriptName, as: z.enum(RESOLUTIONS) });
export type Resolution = z.infer<typeof Resolution>;

/** At least one, and one answer for a script. */
export const Resolutions = z.array(Resolution).check(
  z.minLength(1),
  z.refine((all) => new Set(all.map(({ script }) => script)).size === all.length, {
    error: () => "has one answer for each script",
  }),
);

/** For a plan; null where the sequence resolves nothing. */
export function describeResolutions(resolve: readonly Resolution[] | undefined): string | null {
  if (resolve === undefined) return null;
  const each = resolve.map(({ script, as }) =>
    as === "applied"
      ? `${script} as applied, and does not run again`
      : `${script} as pending, and runs again`,
  );
  return `before the database is migrated, its journal has ${each.join("; ")}`;
}
