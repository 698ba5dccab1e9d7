/** The migrator's result lines (release/result-line.ts). The command reads them on the local platform and in Azure's state. */
import * as z from "zod/mini";

/**
 * `applied`: its work is done. `running`: it began without a transaction, and its progress is unknown. `pending`: the next
 * migration runs it. `waiting`: a contract script that would remove what a release still needs.
 */
export const SCRIPT_STATUSES = ["applied", "running", "pending", "waiting"] as const;

const ScriptStatus = z.object({
  name: z.string(),
  phase: z.string(),
  status: z.enum(SCRIPT_STATUSES),
  /** The release that brought it, and when it began and ended (ISO 8601); null if unknown or not yet. */
  release: z._default(z.nullable(z.string()), null),
  started: z._default(z.nullable(z.string()), null),
  finished: z._default(z.nullable(z.string()), null),
});
export type ScriptStatus = z.infer<typeof ScriptStatus>;

/** The output of `migrate.js status`. */
export const MigratorStatus = z.object({
  outcome: z.literal("status"),
  /** In the order of their numbers. */
  scripts: z.array(ScriptStatus),
  /** Scripts that are only in the journal: a later release brought them. */
  ahead: z.array(z.union([z.string(), ScriptStatus])),
});
export type MigratorStatus = z.infer<typeof MigratorStatus>;

/** How a migrate step ended. */
export const MigratorResult = z.object({
  outcome: z.string(),
  applied: z._default(z.array(z.object({ script: z.string() })), []),
  /** Scripts whose work was already done, and that it recorded. */
  adopted: z._default(z.array(z.string()), []),
  waiting: z._default(z.array(z.string()), []),
  ahead: z._default(z.array(z.string()), []),
  reason: z._default(z.nullable(z.string()), null),
  /** The script without a transaction that did not finish. */
  running: z._default(z.nullable(z.string()), null),
});
export type MigratorResult = z.infer<typeof MigratorResult>;
