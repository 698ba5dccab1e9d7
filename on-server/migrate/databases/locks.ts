/**
 * One migration at a time and database. The control session has the migration's lock for as long as it lives; the session
 * of a script has another one, as it may still be at work on the server after its migrator, and so the control session, is
 * gone. Who migrates next waits for both. The server lets go of them when their session ends, however it ends.
 */
import { SessionLost } from "./database";
import { inTurns } from "./turns";
import { whileHeld } from "./watch";

const MIGRATION = "cdktf-bluegreen migrations";
const SCRIPT = "cdktf-bluegreen script";
/** A script's lock was free a moment ago. */
const SCRIPT_SECONDS = 10;

/** What the locks ask of a session; a lock is the same for each migrator of a database. */
export interface LockingSession {
  /** @returns whether this session has it now; nothing waits. */
  tryLock(name: string): Promise<boolean>;
  unlock(name: string): Promise<void>;
  /** @throws SessionLost where the session is gone. */
  ping(): Promise<void>;
  close(): Promise<void>;
  abandon(): void;
}

export class Locks<Session extends LockingSession> {
  private isLocked = false;

  constructor(
    private readonly control: Session,
    private readonly open: () => Promise<Session>,
  ) {}

  /** Does nothing where this migrator has them. @returns whether they were got in time. */
  async lock(waitSeconds: number, onWait: () => void): Promise<boolean> {
    if (this.isLocked) return true;
    const until = Date.now() + waitSeconds * 1000;
    if (!(await inTurns(() => this.control.tryLock(MIGRATION), waitSeconds, onWait))) return false;
    const left = Math.max(0, (until - Date.now()) / 1000);
    this.isLocked = await inTurns(async () => !(await this.scriptRuns()), left, onWait);
    return this.isLocked;
  }

  /** A session for one script: gone when the script is over, with all that it set, made temporarily or became. */
  async withSession(work: (session: Session) => Promise<void>): Promise<void> {
    const session = await this.open();
    try {
      if (!(await inTurns(() => session.tryLock(SCRIPT), SCRIPT_SECONDS))) {
        throw new SessionLost("another session runs a script, so the lock of this migration was lost");
      }
      // While the control session lives, the migration's lock is held: nobody else is at this script.
      await this.control.ping();
      await whileHeld(work(session), () => this.scriptRuns());
    } catch (error) {
      if (error instanceof SessionLost) session.abandon();
      throw error;
    } finally {
      // What is open is rolled back with it.
      await session.close();
    }
  }

  private async scriptRuns(): Promise<boolean> {
    if (!(await this.control.tryLock(SCRIPT))) return true;
    await this.control.unlock(SCRIPT);
    return false;
  }
}
