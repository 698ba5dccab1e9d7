/** How a hook ended: the result line of on-server/hooks/run-hook.sh, and the part of it that a receipt keeps. */
import * as z from "zod/mini";
import { readResultLine } from "./result-line";

/** A hook that ran: when, and how it ended, even if the step ignored that. */
export const HookRun = z.strictObject({
  when: z.string(),
  name: z.string(),
  exitCode: z.int(),
  seconds: z.number(),
  /** The last line of its output. */
  lastLine: z.string(),
});
export type HookRun = z.infer<typeof HookRun>;

/** `reason` is the result as a sentence. */
const HookResult = z.object({ step: z.literal("hook"), reason: z.string(), ...HookRun.shape });

/**
 * @param output stdout of run-hook.sh, or a line that Terraform passes on.
 * @returns null if there is no result line of a hook.
 */
export function readHookRun(output: string): { readonly run: HookRun; readonly reason: string } | null {
  const result = readResultLine(HookResult, output);
  if (result === null) return null;
  const { when, name, exitCode, seconds, lastLine, reason } = result;
  return { run: { when, name, exitCode, seconds, lastLine }, reason };
}
