/** Ctrl-C while something is packed, fetched or published: it ends at once, tidied up, and says what that means. */
import { Failure } from "../../release/failure";
import { EXIT } from "../../release/exit-code";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @throws Failure (aborted) after a signal, whatever came of the work. @param meaning as in "nothing was published". */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  meaning: string,
): Promise<T> {
  const controller = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => controller.abort(signal);
  const aborted = (): boolean => controller.signal.aborted;
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    const result = await work(controller.signal);
    if (aborted())
      throw new Failure(`stopped by ${controller.signal.reason}, after all was done`, EXIT.aborted);
    return result;
  } catch (error) {
    if (!aborted() || error instanceof Failure) throw error;
    throw new Failure(`stopped by ${controller.signal.reason}: ${meaning}`, EXIT.aborted);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}
