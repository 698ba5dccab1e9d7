/**
 * A person's answer about a script without a transaction that did not finish. The journal lists it as `running`, and no
 * migrator continues until it is known whether its work is done. The record carries the answer for one sequence
 * (`"resolve"`), so it reaches the database like every release.
 */
import * as z from "zod/mini";
import { ScriptName } from "./release";

/** `applied`: all of its work is done. `pending`: its work is undone, and the script runs again. */
export const RESOLUTIONS = ["applied", "pending"] as const;

export const Resolution = z.strictObject({ script: ScriptName, as: z.enum(RESOLUTIONS) });
export type Resolution = z.infer<typeof Resolution>;

/** At least one, and one answer per script. */
export const Resolutions = z.array(Resolution).check(
  z.minLength(1),
  z.refine((all) => new Set(all.map(({ script }) => script)).size === all.length, {
    error: () => "must have one answer per script",
  }),
);

/** For a plan; null if the sequence resolves nothing. */
export function describeResolutions(resolve: readonly Resolution[] | undefined): string | null {
  if (resolve === undefined) return null;
  const each = resolve.map(({ script, as }) =>
    as === "applied"
      ? `${script} as applied, and does not run again`
      : `${script} as pending, and runs again`,
  );
  return `before the migration, the journal lists ${each.join("; ")}`;
}
