/** What ends a migration before its first statement, however often it is tried. */
import { EXIT } from "../../release/exit-code";
import { Failure } from "../../release/failure";

/** Bundle and database contradict each other, or the way to it is not safe: nothing was changed. */
export class MigrationRefused extends Failure {
  constructor(message: string) {
    super(message, EXIT.refused);
  }
}
