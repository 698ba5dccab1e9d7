/** Time limits for answers: a server that no longer answers cannot be told from a slow one. */
import { SessionLost } from "./database";

/** The time limit for an answer to the migrator's short statements; after it the session counts as lost. */
const ANSWER_MS = 60_000;
const CLOSE_MS = 5_000;

/** @param abandon closes the session. @throws SessionLost if there is no answer in time; otherwise the answer's error. */
export async function answered<Result>(answer: Promise<Result>, abandon: () => void): Promise<Result> {
  const late = (): never => {
    abandon();
    throw new SessionLost(`the database did not answer within ${ANSWER_MS / 1000} s`);
  };
  return inTime(answer, ANSWER_MS, late);
}

/** Never fails, and ends even if the server no longer answers. */
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
