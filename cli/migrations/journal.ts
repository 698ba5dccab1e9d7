/** What is known of a database's journal, and where it is known from. */
import type { ScriptStatus } from "../../release/migrations/migrator-words";

/** A script; only what is known of it. On Azure a step names scripts without their times. */
export type KnownScript = Pick<ScriptStatus, "name" | "status"> & {
  [Field in "phase" | "release" | "started" | "finished"]: string | null;
};

/** The migrate step that ran last. */
interface MigrateStep {
  readonly name: string;
  readonly sequence: number | null;
  readonly exitCode: number | null;
  readonly outcome: string;
  readonly reason: string | null;
}

export interface KnownJournal {
  /** `database`: it was asked just now. `lastStep`: nobody reaches it from here, so this is what its last step said. */
  readonly source: "database" | "lastStep";
  /** null where the database was asked, or no step ran yet. */
  readonly step: MigrateStep | null;
  readonly scripts: readonly KnownScript[];
  /** Scripts beyond the last bundle: a later release brought them. */
  readonly ahead: readonly string[];
}
