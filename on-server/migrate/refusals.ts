/** Refuses a migration before its first statement; a retry does not help. */
import { EXIT } from "../../release/exit-code";
import { Failure } from "../../release/failure";

/** Bundle and database contradict each other, or the connection is not safe: nothing was changed. */
export class MigrationRefused extends Failure {
  constructor(message: string) {
    super(message, EXIT.refused);
  }
}
