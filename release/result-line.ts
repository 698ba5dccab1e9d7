/**
 * How every program on a server ends: with one JSON object with an `outcome`, as the last line on its stdout
 * (on-server/result.ts and on-server/result-line.sh see to that). This is how that line is found again in what Terraform,
 * Azure or a process passes on of the program's output.
 */
import * as z from "zod/mini";

/** What every result has in common; each program adds its own facts. */
export const ResultLine = z.object({
  outcome: z.string(),
  /** Where the program failed: its exit code, and why, in one line. */
  exitCode: z.optional(z.int()),
  reason: z.optional(z.nullable(z.string())),
});

/** Of an installer that a release came out of, or the one before it where that was put back. */
export const InstallResult = z.object({
  step: z.literal("install"),
  releaseId: z.string(),
  /** How long it took. */
  seconds: z.number(),
});

/**
 * @param schema what the line must be; other lines are passed over.
 * @returns the last line that fits; null where none does.
 */
export function readResultLine<T extends z.ZodMiniType>(schema: T, output: string): z.infer<T> | null {
  for (const line of output.split("\n").reverse()) {
    if (!line.startsWith("{")) continue;
    try {
      const read = z.safeParse(schema, JSON.parse(line));
      if (read.success) return read.data;
    } catch {
      // Another program's line, or one that was cut.
    }
  }
  return null;
}
