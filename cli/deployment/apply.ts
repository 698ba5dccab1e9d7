/** Applies a saved plan so that Ctrl-C leaves traffic safe: the directors put it back first, then Terraform stops. */
import { EXIT } from "../../release/exit-code";
import { shortAddress } from "../../release/steps";
import type { ReleaseRecord } from "../../release/record";
import type { Proxies } from "../proxies/proxies";
import type { Progress } from "../terminal/progress";
import type { ApplyResult, Stack } from "../terraform/stack";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @param clearsUp no hook holds up the way out. */
export async function applyInterruptibly(
  proxies: Proxies,
  progress: Progress,
  web: Stack,
  record: ReleaseRecord,
  clearsUp: boolean,
): Promise<ApplyResult> {
  let interruptTerraform: () => void = () => undefined;
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return interruptTerraform();
    interrupted = true;
    progress.note(
      proxies.reachable
        ? "aborting: traffic goes back to what is stable (once more stops Terraform at once)"
        : "stopping: a director that is at work ends by itself, with traffic on verified releases; then `bluegreen abort`",
    );
    proxies.abort(record).then(
      () => interruptTerraform(),
      (error: Error) => {
        progress.note(error.message);
        interruptTerraform();
      },
    );
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    const result = await web.apply(
      {
        onStep: (address, event) => {
          if (event === "started") progress.now(`${shortAddress(address)} (record ${record.sequence})`);
        },
        onStarted: (stop) => (interruptTerraform = stop),
        onHook: (line) => progress.note(line),
      },
      clearsUp ? { skipHooks: "an abort is not held up" } : {},
    );
    return interrupted && !result.succeeded ? { ...result, exitCode: EXIT.aborted } : result;
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}
