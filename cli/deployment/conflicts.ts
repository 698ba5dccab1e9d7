/**
 * Azure answers 409 while another operation changes a server, such as a patch or an extension; azurerm does not try again.
 * If nothing ran yet, this does: with a plan that is equal to the proved one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Plan } from "../../release/terraform-plan";
import type { Progress } from "../terminal/progress";
import type { ApplyEvents, ApplyResult, Stack } from "../terraform/stack";

const PAUSES_SECONDS = [15, 30, 60];

export interface ConflictOptions {
  /** The plan that was proved, and is applied first. */
  readonly plan: Plan;
  readonly progress: Progress;
  /** Whether somebody wants it to stop. */
  readonly stopped: () => boolean;
  /** @default sleep */
  readonly pause?: (seconds: number) => Promise<unknown>;
}

export async function applyPastConflicts(
  web: Pick<Stack, "plan" | "apply">,
  events: ApplyEvents,
  applying: Parameters<Stack["apply"]>[1],
  { plan, progress, stopped, pause = (seconds) => sleep(seconds * 1000) }: ConflictOptions,
): Promise<ApplyResult> {
  let result = await web.apply(events, applying);
  for (const seconds of PAUSES_SECONDS) {
    if (result.conflictBeforeAll !== true || stopped()) return result;
    progress.note(`Azure is busy with this server (409), and nothing ran: trying again in ${seconds} s`);
    for (let waited = 0; waited < seconds && !stopped(); waited += 1) await pause(1);
    if (stopped()) return result;
    const again = await web.plan();
    // Something else changed meanwhile: what was proved does not hold for it.
    if (!isDeepStrictEqual(again.changes, plan.changes)) return result;
    result = await web.apply(events, applying);
  }
  return result;
}
