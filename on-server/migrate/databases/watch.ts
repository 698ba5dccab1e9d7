/**
 * A script may run for an hour without an answer, so silence does not prove that its session is lost. Its lock does:
 * while it is held, the script runs; once it is free, the session has ended on the server, and no answer will come.
 */
import { SessionLost } from "./database";

const POLL_MS = 15_000;

/**
 * @param isHeld asks the server over another session; it fails with SessionLost if that one gets no answer either.
 * @throws SessionLost if the work's session has ended; otherwise what the work throws.
 */
export async function whileHeld<Result>(
  work: Promise<Result>,
  isHeld: () => Promise<boolean>,
  pollMs = POLL_MS,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const lost = new Promise<never>((_, reject) => {
    const poll = async (): Promise<void> => {
      const held = await isHeld();
      // The work may just have ended: then its answer is on the way.
      if (!held && !isOver) await new Promise((done) => (timer = setTimeout(done, pollMs)));
      if (isOver) return;
      if (!held) throw new SessionLost("the database no longer has a session that runs the script");
      timer = setTimeout(() => void poll().catch(reject), pollMs);
    };
    timer = setTimeout(() => void poll().catch(reject), pollMs);
  });
  try {
    return await Promise.race([work, lost]);
  } finally {
    isOver = true;
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
