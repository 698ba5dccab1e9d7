/**
 * A file beside the migrator with the bundles that it found completely applied. They stay applied: so an abort, a
 * rollback or a heal to such a release does not need the database or the bundle, if they can't be reached.
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
  /** The digest of the database's address and access: an entry is only valid for this database. */
  database: z.string(),
  /** The bundle's contract scripts that were applied. */
  contracted: z.array(z.string()),
  /** ISO 8601. */
  at: z.string(),
});
const Remembered = z.strictObject({ formatVersion: z.literal(1), complete: z.array(Complete) });
type Complete = z.infer<typeof Complete>;

/** Records that the spec's bundle is applied as far as the spec requires. */
export function remember(folder: string, spec: MigrateSpec, at: Date): void {
  const now = { ...required(spec), at: at.toISOString() };
  const others = read(folder).filter(
    ({ bundle, database }) => bundle !== now.bundle || database !== now.database,
  );
  const complete = [now, ...others].slice(0, KEPT);
  writeAtomically(join(folder, FILE), JSON.stringify({ formatVersion: 1, complete }));
}

/** @returns when all that the spec requires was last seen applied; null if that is not recorded. */
export function seenComplete(folder: string, spec: MigrateSpec): string | null {
  const { bundle, database, contracted } = required(spec);
  const seen = read(folder).find(
    (each) =>
      each.bundle === bundle &&
      each.database === database &&
      contracted.every((script) => each.contracted.includes(script)),
  );
  return seen?.at ?? null;
}

function required({ bundle, database, contracts, contracted }: MigrateSpec): Omit<Complete, "at"> {
  return {
    bundle: bundle.sha256,
    database: createHash("sha256").update(JSON.stringify(database)).digest("hex"),
    contracted: contracts.filter((script) => contracted.includes(script)),
  };
}

/** An unreadable file counts as empty. */
function read(folder: string): Complete[] {
  try {
    return z.parse(Remembered, JSON.parse(readFileSync(join(folder, FILE), "utf8"))).complete;
  } catch {
    return [];
  }
}
