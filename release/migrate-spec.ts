/**
 * The migrator's input: which bundle, and which of its contract scripts may run. Synth writes it; the migrator on the
 * operations server (locally: a process) reads it.
 */
import * as z from "zod/mini";
import { ApplicationName, Sha256 } from "./patterns";
import { recordDigest } from "./record";
import type { ReleaseRecord } from "./record";
import { Migrations, releaseId, ScriptName } from "./release";
import type { Release } from "./release";
import { Resolutions } from "./resolution";
import { bringsMigrations } from "./needed-schema";

const SPEC_FORMAT = 1;

/** @internal */
export const DatabaseAccess = z.discriminatedUnion("kind", [
  /** Azure SQL with Entra: the token comes from the machine's identity. */
  z.strictObject({
    kind: z.literal("entra"),
    server: z.string().check(z.regex(/^[0-9A-Za-z.-]{1,253}$/)),
    database: z.string().check(z.regex(/^[0-9A-Za-z_-]{1,128}$/)),
    /** The identity's resource id. */
    identity: z.string(),
  }),
  /** A secret in a Key Vault whose value is an address, as in `mssql://user:password@host/database`. */
  z.strictObject({
    kind: z.literal("secret"),
    vault: z.string().check(z.regex(/^[0-9A-Za-z.-]{1,253}$/)),
    secret: z.string().check(z.regex(/^[0-9A-Za-z-]{1,127}$/)),
    identity: z.string(),
  }),
  /** A file on the machine with the address. Local platform only. */
  z.strictObject({ kind: z.literal("file"), file: z.string().check(z.minLength(1)) }),
]);
/** The database, and where its credentials are. Never a password. @useDeclaredType */
export type DatabaseAccess = z.infer<typeof DatabaseAccess>;

export const MigrateSpec = z.strictObject({
  formatVersion: z.literal(SPEC_FORMAT),
  application: ApplicationName,
  sequence: z.int().check(z.minimum(1)),
  recordDigest: Sha256,
  releaseId: z.string().check(z.regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,56}$/)),
  bundle: Migrations,
  /** The contract scripts in the bundle, according to the record. */
  contracts: z.array(ScriptName),
  /** Those that may run now: no release that gets or can get traffic needs what they remove. */
  contracted: z.array(ScriptName),
  /** Corrections to the journal before planning, for scripts that it lists as `running`. @default none */
  resolve: z.optional(Resolutions),
  database: DatabaseAccess,
  /** The only host that gets a token of the server's identity for the bundle. @default none */
  artifactHost: z.optional(z.string().check(z.regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,253}(:[1-9][0-9]{0,4})?$/))),
  /** How long it waits for another migration of this database. */
  waitSeconds: z.int().check(z.minimum(1), z.maximum(86_400)),
});
export type MigrateSpec = z.infer<typeof MigrateSpec>;

/** The default of `waitSeconds`. */
const WAIT_SECONDS = 600;

export function migrateSpec(
  record: ReleaseRecord,
  release: Release & { readonly migrations: Migrations },
  database: DatabaseAccess,
  artifactHost?: string,
): MigrateSpec {
  return {
    formatVersion: SPEC_FORMAT,
    application: record.application,
    sequence: record.sequence,
    recordDigest: recordDigest(record),
    releaseId: releaseId(release),
    bundle: release.migrations,
    contracts: release.contracts ?? [],
    contracted: bringsMigrations(record) ? (record.contracted ?? []) : [],
    ...(record.resolve === undefined ? {} : { resolve: record.resolve }),
    database,
    ...(artifactHost === undefined ? {} : { artifactHost }),
    waitSeconds: WAIT_SECONDS,
  };
}
