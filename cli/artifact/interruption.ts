/** Ctrl-C during packing, fetching or publishing: stops at once, cleans up and reports the effect. */
import { Failure } from "../../release/failure";
import { EXIT } from "../../release/exit-code";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @throws Failure (aborted) after a signal, even if the work succeeded. @param effect as in "nothing was published". */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  effect: string,
): Promise<T> {
  const controller = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => controller.abort(signal);
  const aborted = (): boolean => controller.signal.aborted;
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    const result = await work(controller.signal);
    if (aborted())
      throw new Failure(`stopped by ${controller.signal.reason}, after everything was done`, EXIT.aborted);
    return result;
  } catch (error) {
    if (!aborted() || error instanceof Failure) throw error;
    throw new Failure(`stopped by ${controller.signal.reason}: ${effect}`, EXIT.aborted);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}
