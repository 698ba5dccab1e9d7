/** How a migration ends; the step's exit code is Terraform's and the operator's. */
export const EXIT = {
  done: 0,
  unexpected: 1,
  badInput: 2,
  refused: 3,
  /** A script failed: the candidate can't be installed, and no traffic was touched. */
  failed: 4,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Bundle and database contradict each other: nothing was changed. */
export class MigrationRefused extends Error {
  override readonly name: string = "MigrationRefused";
}

/** The bundle itself can't be run. */
export class ScriptRefused extends Error {
  override readonly name = "ScriptRefused";
}
