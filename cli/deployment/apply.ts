/**
 * Applies a saved plan. After Ctrl-C the directors first roll back, then Terraform stops. It stops also if a step hangs on
 * a proxy that no longer answers.
 */
import { EXIT } from "../../release/exit-code";
import { shortAddress } from "../../release/steps";
import type { ReleaseRecord } from "../../release/record";
import type { Proxies } from "../proxies/proxies";
import type { Progress } from "../terminal/progress";
import type { ApplyResult, Stack } from "../terraform/stack";
import { ProxySteps } from "./proxy-steps";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @param clearsUp no hook runs: none may delay a recovery. */
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
        ? "aborting: rolling back to stable (press Ctrl-C again to stop Terraform at once)"
        : "stopping: a running director ends by itself, with traffic on verified releases; run `bluegreen abort` afterwards",
    );
    proxies.abort(record).then(
      () => interruptTerraform(),
      (error: Error) => {
        progress.note(error.message);
        interruptTerraform();
      },
    );
  };
  const steps = new ProxySteps(proxies, record);
  const ended = new AbortController();
  void steps.hanging(ended.signal).then((step) => {
    if (step === null || interrupted) return;
    progress.note(`${step.id} hangs: stopping Terraform`);
    interruptTerraform();
  });
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    const result = await web.apply(
      {
        onStep: (address, event) => {
          steps.onStep(address, event);
          if (event === "started") progress.now(`${shortAddress(address)} (record ${record.sequence})`);
        },
        onStarted: (stop) => (interruptTerraform = stop),
        onHook: (line) => progress.note(line),
      },
      clearsUp ? { skipHooks: "no hook may delay an abort" } : {},
    );
    return interrupted && !result.succeeded ? { ...result, exitCode: EXIT.aborted } : steps.explained(result);
  } finally {
    ended.abort();
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}
