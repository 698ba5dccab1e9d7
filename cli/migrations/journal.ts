/** The known part of a database's journal, and its source. */
import type { ScriptStatus } from "../../release/migrations/migrator-words";

/** A script; null for unknown fields. On Azure, a step names scripts without their times. */
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
  /** `database`: read now. `lastStep`: the database can't be reached from here, so this is the last step's output. */
  readonly source: "database" | "lastStep";
  /** null if read from the database, or no step ran yet. */
  readonly step: MigrateStep | null;
  readonly scripts: readonly KnownScript[];
  /** Scripts beyond the last bundle: they came with a later release. */
  readonly ahead: readonly string[];
}
