/**
 * One migration at a time and database. The control session has the migration's lock. A script's session has a second
 * one, because its statement may still run on the server after the migrator and the control session ended. The next
 * migration waits for both. The server releases a lock when its session ends.
 */
import { SessionLost } from "./database";
import { poll } from "./poll";
import { whileHeld } from "./watch";

const MIGRATION = "cdktf-bluegreen migrations";
const SCRIPT = "cdktf-bluegreen script";
/** The time limit for the script's lock, which was free a moment before. */
const SCRIPT_SECONDS = 10;

/** What the locks need of a session; all migrators of a database use the same lock names. */
export interface LockingSession {
  /** @returns whether this session has it now; does not wait. */
  tryLock(name: string): Promise<boolean>;
  unlock(name: string): Promise<void>;
  /** @throws SessionLost if the session has ended. */
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

  /** Does nothing if this migrator has the locks. @returns whether they were acquired in time. */
  async lock(waitSeconds: number, onWait: () => void): Promise<boolean> {
    if (this.isLocked) return true;
    const until = performance.now() + waitSeconds * 1000;
    if (!(await poll(() => this.control.tryLock(MIGRATION), waitSeconds, onWait))) return false;
    const left = Math.max(0, (until - performance.now()) / 1000);
    this.isLocked = await poll(async () => !(await this.scriptRuns()), left, onWait);
    return this.isLocked;
  }

  /** A session for one script. It ends with the script, and with it its settings, temporary tables and roles. */
  async withSession(work: (session: Session) => Promise<void>): Promise<void> {
    const session = await this.open();
    try {
      if (!(await poll(() => session.tryLock(SCRIPT), SCRIPT_SECONDS))) {
        throw new SessionLost("another session runs a script, so the lock of this migration was lost");
      }
      // While the control session lives, it has the migration's lock: no other migrator runs this script.
      await this.control.ping();
      await whileHeld(work(session), () => this.scriptRuns());
    } catch (error) {
      if (error instanceof SessionLost) session.abandon();
      throw error;
    } finally {
      // An open transaction is rolled back.
      await session.close();
    }
  }

  private async scriptRuns(): Promise<boolean> {
    if (!(await this.control.tryLock(SCRIPT))) return true;
    await this.control.unlock(SCRIPT);
    return false;
  }
}
