/** What ends a migration before its first statement, whatever is tried again. */

/** Bundle and database contradict each other: nothing was changed. */
export class MigrationRefused extends Error {
  override readonly name: string = "MigrationRefused";
}

/** The bundle itself can't be run. */
export class ScriptRefused extends Error {
  override readonly name = "ScriptRefused";
}
