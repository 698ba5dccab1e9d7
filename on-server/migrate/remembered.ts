/**
 * Which bundles the migrator saw completely applied, beside it on its server. What was complete stays complete: where
 * database or bundle can't be reached, a way back (an abort, a rollback, a heal) to such a release need not wait for them.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import type { MigrateSpec } from "../../release/migrate-spec";
import { writeAtomically } from "../../system/atomic-file";

const FILE = "migrations-complete.json";
const KEPT = 50;

const Complete = z.strictObject({
  bundle: z.string(),
  /** Of how the database is opened: another one knows nothing of this. */
  database: z.string(),
  /** The contract scripts of the bundle that were applied, too. */
  contracted: z.array(z.string()),
  /** ISO 8601. */
  at: z.string(),
});
const Remembered = z.strictObject({ formatVersion: z.literal(1), complete: z.array(Complete) });
type Complete = z.infer<typeof Complete>;

/** The spec's bundle is applied as far as the spec asks for. */
export function remember(folder: string, spec: MigrateSpec, at: Date): void {
  const now = { ...asked(spec), at: at.toISOString() };
  const others = read(folder).filter(
    ({ bundle, database }) => bundle !== now.bundle || database !== now.database,
  );
  const complete = [now, ...others].slice(0, KEPT);
  writeAtomically(join(folder, FILE), JSON.stringify({ formatVersion: 1, complete }));
}

/** @returns when all that the spec asks for was seen applied; null where that is not known. */
export function seenComplete(folder: string, spec: MigrateSpec): string | null {
  const { bundle, database, contracted } = asked(spec);
  const seen = read(folder).find(
    (each) =>
      each.bundle === bundle &&
      each.database === database &&
      contracted.every((script) => each.contracted.includes(script)),
  );
  return seen?.at ?? null;
}

function asked({ bundle, database, contracts, contracted }: MigrateSpec): Omit<Complete, "at"> {
  return {
    bundle: bundle.sha256,
    database: createHash("sha256").update(JSON.stringify(database)).digest("hex"),
    contracted: contracts.filter((script) => contracted.includes(script)),
  };
}

/** A file that can't be read remembers nothing. */
function read(folder: string): Complete[] {
  try {
    return z.parse(Remembered, JSON.parse(readFileSync(join(folder, FILE), "utf8"))).complete;
  } catch {
    return [];
  }
}
