/** How a hook ended: what on-server/hooks/run-hook.sh prints as its result line, and what a receipt keeps of it. */
import * as z from "zod/mini";
import { readResultLine } from "./result-line";

/** A hook that ran: what it was started for, and how it ended, whatever the step made of it. */
export const HookRun = z.strictObject({
  when: z.string(),
  name: z.string(),
  exitCode: z.int(),
  seconds: z.number(),
  /** The last line that it printed. */
  lastLine: z.string(),
});
export type HookRun = z.infer<typeof HookRun>;

/** `reason` is the same as a sentence. */
const HookResult = z.object({ step: z.literal("hook"), reason: z.string(), ...HookRun.shape });

/**
 * @param output of run-hook.sh on stdout, or a line that Terraform passes on.
 * @returns null where no hook's result line is there.
 */
export function readHookRun(output: string): { readonly run: HookRun; readonly reason: string } | null {
  const result = readResultLine(HookResult, output);
  if (result === null) return null;
  const { when, name, exitCode, seconds, lastLine, reason } = result;
  return { run: { when, name, exitCode, seconds, lastLine }, reason };
}
