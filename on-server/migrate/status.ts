/** The status of each script, from journal and bundle. */
import type { MigratorStatus, ScriptStatus } from "../../release/migrations/migrator-words";
import type { JournalRow } from "./databases/database";
import type { Wanted } from "./migrate";

export function statusOf({ scripts, contracted }: Wanted, journal: readonly JournalRow[]): MigratorStatus {
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
