/**
 * Every program on a server ends with one JSON object with an `outcome` as the last line on stdout (written by
 * on-server/result.ts and on-server/result-line.sh). This file finds that line in the output that Terraform, Azure or a
 * process passes on.
 */
import * as z from "zod/mini";

/** Fields of every result; each program adds more. */
export const ResultLine = z.object({
  outcome: z.string(),
  /** If the program failed: its exit code, and why, in one line. */
  exitCode: z.optional(z.int()),
  reason: z.optional(z.nullable(z.string())),
});

/** The result of an installer: the installed release, or the one before if that was restored. */
export const InstallResult = z.object({
  step: z.literal("install"),
  releaseId: z.string(),
  /** How long it took. */
  seconds: z.number(),
});

/** @returns the lines that can be a result, the last one first. */
export function jsonLines(output: string): string[] {
  return output
    .split("\n")
    .reverse()
    .filter((line) => line.startsWith("{"));
}

/**
 * @param schema of the line; other lines are skipped.
 * @returns the last line that matches; null if none does.
 */
export function readResultLine<T extends z.ZodMiniType>(schema: T, output: string): z.infer<T> | null {
  for (const line of jsonLines(output)) {
    try {
      const read = z.safeParse(schema, JSON.parse(line));
      if (read.success) return read.data;
    } catch {
      // A line of another program, or a truncated one.
    }
  }
  return null;
}
