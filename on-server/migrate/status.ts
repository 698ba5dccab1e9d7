/** What journal and bundle say of each script, for a person who wants to know how far the database is. */
import type { JournalRow } from "./databases/database";
import type { Wanted } from "./migrate";

export interface ScriptStatus {
  readonly name: string;
  readonly phase: string;
  /** `waiting`: a contract script that still takes away what a release needs. */
  readonly status: "applied" | "running" | "pending" | "waiting";
  /** The release that brought it; null where none did yet. */
  readonly release: string | null;
  /** ISO 8601; null where it did not begin. */
  readonly started: string | null;
  readonly finished: string | null;
}

export interface Status {
  readonly outcome: "status";
  readonly scripts: readonly ScriptStatus[];
  /** Scripts that only the journal knows: a later release brought them. */
  readonly ahead: readonly string[];
}

export function statusOf({ scripts, contracted }: Wanted, journal: readonly JournalRow[]): Status {
  const newest = scripts.at(-1)?.number ?? 0;
  const known = journal.map(({ name, phase, status, release, started, finished }) => {
    return { name, phase, status, release, started, finished };
  });
  const missing = scripts
    .filter(({ number }) => !journal.some((row) => row.number === number))
    .map(({ name, phase }): ScriptStatus => {
      const status = phase === "expand" || contracted.includes(name) ? "pending" : "waiting";
      return { name, phase, status, release: null, started: null, finished: null };
    });
  return {
    outcome: "status",
    scripts: [...known, ...missing].sort((one, other) => parseInt(one.name, 10) - parseInt(other.name, 10)),
    ahead: journal.filter(({ number }) => number > newest).map(({ name }) => name),
  };
}
