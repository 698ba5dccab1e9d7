/**
 * A script may take an hour without a word from the server, so silence alone says nothing about its session. The lock
 * that the session holds does: while it is held, the server is at work; once it is free, the session is gone there, and
 * no answer will come any more.
 */
import { SessionLost } from "./database";

const LOOK_MS = 15_000;

/**
 * @param isHeld asks the server over another session; it fails with SessionLost where that one has no answer either.
 * @throws SessionLost where the work's session is gone; else what the work throws.
 */
export async function whileHeld<Result>(
  work: Promise<Result>,
  isHeld: () => Promise<boolean>,
  lookMs = LOOK_MS,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const lost = new Promise<never>((_, reject) => {
    const look = async (): Promise<void> => {
      const held = await isHeld();
      // The work may have come to its end while this was asked: its answer is on its way then.
      if (!held && !isOver) await new Promise((done) => (timer = setTimeout(done, lookMs)));
      if (isOver) return;
      if (!held) throw new SessionLost("the database has no session any more that runs the script");
      timer = setTimeout(() => void look().catch(reject), lookMs);
    };
    timer = setTimeout(() => void look().catch(reject), lookMs);
  });
  try {
    return await Promise.race([work, lost]);
  } finally {
    isOver = true;
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
