/**
 * After each step the proxy announces the last sequence that ended here. A proxy that starts compares it with its own; see
 * arrive.ts. A single proxy announces nothing.
 */
import { EXIT } from "../../release/exit-code";
import type { ExitCode } from "../../release/exit-code";
import { forgetArrival, prepareAnnouncements } from "./arrive";
import type { Director } from "./director";

export async function announceEnd(
  director: Director,
  { step, exitCode }: { readonly step: string; readonly exitCode: ExitCode },
): Promise<void> {
  const { spec, driver, logEvent } = director;
  const hasPeers = (spec.proxy.peers ?? []).length > 0;
  // A begin that was refused shows nothing about this proxy's state, and what was done by hand is in no record.
  if (
    !hasPeers ||
    exitCode === EXIT.refused ||
    step === "rollback" ||
    (step === "begin" && exitCode !== EXIT.done)
  )
    return;
  prepareAnnouncements(spec);
  const { finished, sequence } = director.state;
  if (step !== "begin" && finished) director.save({ announced: sequence });
  try {
    await driver.announce?.({ sequence: director.state.announced ?? 0, ready: true });
    forgetArrival();
  } catch (error) {
    // The step's result stands. The next step, or the next start, announces again.
    logEvent("announce-failed", { problem: (error as Error).message });
  }
}
