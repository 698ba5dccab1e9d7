/** Waits no longer than it may: a server that does not answer any more looks like one that is slow. */
import { SessionLost } from "./database";

/** An answer to one of our own short statements takes no longer than this; after it the session counts as lost. */
const ANSWER_MS = 60_000;
const CLOSE_MS = 5_000;

/** @param abandon lets the session go. @throws SessionLost where there is no answer in time; else what the answer is. */
export async function answered<Result>(answer: Promise<Result>, abandon: () => void): Promise<Result> {
  const late = (): never => {
    abandon();
    throw new SessionLost(`the database did not answer within ${ANSWER_MS / 1000} s`);
  };
  return inTime(answer, ANSWER_MS, late);
}

/** Never fails, and ends where the server does not. */
export function closed(end: Promise<unknown>): Promise<unknown> {
  return inTime(
    end.catch(() => undefined),
    CLOSE_MS,
    () => undefined,
  );
}

async function inTime<Result>(
  work: Promise<Result>,
  milliseconds: number,
  late: () => Result,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  try {
    return await Promise.race([work, over.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}
