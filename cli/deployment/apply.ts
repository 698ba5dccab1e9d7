/**
 * Applies a saved plan. After Ctrl-C the directors first roll back, then Terraform stops. It stops also if a step hangs on
 * a proxy that no longer answers, or harms users.
 */
import { EXIT } from "../../release/exit-code";
import { shortAddress } from "../../release/steps";
import type { Action } from "../../release/receipt";
import { idOrNull, target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Proxies } from "../proxies/proxies";
import type { Progress } from "../terminal/progress";
import type { ApplyResult } from "../terraform/stack";
import { applyPastConflicts } from "./conflicts";
import { HarmWatch } from "./harm-watch";
import type { Operation } from "./operation";
import type { Planned } from "./planning";
import { ProxySteps } from "./proxy-steps";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What may be ended because it harms users. A rollback must not be, and others install nothing new. */
const ENDED_BY_HARM: readonly Action[] = ["release", "stage", "retry"];

export interface Applied extends ApplyResult {
  /** After Terraform or a step was ended by a signal: the proxies whose directors may still be at work. */
  readonly working: readonly string[];
}

/** @param plan the web stack's last plan. @param operation if it clears up, no hook runs: none may delay a recovery. */
export async function applyInterruptibly(
  proxies: Proxies,
  progress: Progress,
  { web, plan }: Pick<Planned, "web" | "plan">,
  record: ReleaseRecord,
  { action, clearsUp = false }: Pick<Operation, "action" | "clearsUp">,
): Promise<Applied> {
  let interruptTerraform: () => void = () => undefined;
  let interrupted = false;
  let harm: string | null = null;
  const end = (): void =>
    void proxies.abort(record).then(
      () => interruptTerraform(),
      (error: Error) => {
        progress.note(error.message);
        interruptTerraform();
      },
    );
  const interrupt = (): void => {
    // The directors roll back already.
    if (interrupted || harm !== null) {
      interrupted = true;
      return interruptTerraform();
    }
    interrupted = true;
    progress.note(
      proxies.reachable
        ? "aborting: rolling back to stable (press Ctrl-C again to stop Terraform at once)"
        : "stopping: a running director ends by itself, with traffic on verified releases; run `bluegreen abort` afterwards",
    );
    end();
  };
  const steps = new ProxySteps(proxies, record);
  const over = new AbortController();
  void steps.hanging(over.signal).then((step) => {
    if (step === null || interrupted) return;
    progress.note(`${step.id} hangs: stopping Terraform`);
    interruptTerraform();
  });
  const watch = new HarmWatch(proxies, record);
  const mayEnd = ENDED_BY_HARM.includes(action);
  void (mayEnd ? watch.harm(over.signal) : Promise.resolve(null)).then((found) => {
    if (found === null || interrupted) return;
    harm = found;
    progress.note(`${found}: the release is stopped`);
    end();
  });
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    const ended = await applyPastConflicts(
      web,
      {
        onStep: (address, event) => {
          steps.onStep(address, event);
          watch.onStep(address, event);
          if (event === "started") progress.now(`${shortAddress(address)} (record ${record.sequence})`);
        },
        onStarted: (stop) => (interruptTerraform = stop),
        onHook: (line) => progress.note(line),
      },
      clearsUp ? { skipHooks: "no hook may delay an abort" } : {},
      { plan, progress, stopped: () => interrupted || harm !== null },
    );
    const result = { ...ended, working: ended.cutOff ? steps.unsettled() : [] };
    if (harm !== null && !result.succeeded) {
      return {
        ...result,
        exitCode: EXIT.rejected,
        reasons: [`${idOrNull(target(record))} got no requests: ${harm}`],
      };
    }
    return interrupted && !result.succeeded
      ? { ...result, exitCode: EXIT.aborted }
      : { ...result, ...steps.explained(result) };
  } finally {
    over.abort();
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}
