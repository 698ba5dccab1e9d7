/** A check of `bluegreen doctor`: what it found, how to mend it, and no longer than its time. */
import type { Progress } from "../../terminal/progress";

type CheckStatus = "ok" | "warning" | "failed";

export interface Finding {
  readonly status: CheckStatus;
  readonly found: string;
  /** In one line; null where there is nothing to mend. */
  readonly mend: string | null;
}

export interface Check {
  readonly name: string;
  /** One that takes longer has failed. */
  readonly seconds: number;
  run(): Finding | Promise<Finding>;
}

export interface CheckResult extends Finding {
  readonly name: string;
}

export const ok = (found: string): Finding => ({ status: "ok", found, mend: null });
export const warning = (found: string, mend: string): Finding => ({ status: "warning", found, mend });
export const failed = (found: string, mend: string): Finding => ({ status: "failed", found, mend });

/** All at once, in the order in which they are given. What a check throws is what it found. */
export async function runChecks(checks: readonly Check[], progress: Progress): Promise<CheckResult[]> {
  const open = new Set(checks.map(({ name }) => name));
  const say = (): void => {
    if (open.size > 0) progress.now(`checking ${[...open].join(", ")}`);
  };
  // In a log, one line is enough.
  if (process.stderr.isTTY) say();
  else progress.now(`checking ${open.size} things`);
  const results = await Promise.all(
    checks.map(async (check) => {
      const finding = await withinTime(check);
      open.delete(check.name);
      if (process.stderr.isTTY) say();
      return { name: check.name, ...finding };
    }),
  );
  progress.stop();
  return results;
}

async function withinTime({ seconds, name, run }: Check): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(
      () => resolve(failed(`no answer within ${seconds} s`, `look why ${name} hangs, then check again`)),
      seconds * 1000,
    );
  });
  try {
    return await Promise.race([perform(run), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function perform(run: Check["run"]): Promise<Finding> {
  try {
    return await run();
  } catch (error) {
    return failed(firstLine((error as Error).message), "mend what it says, then check again");
  }
}

export function firstLine(text: string): string {
  return (text.split("\n").find((line) => line.trim() !== "") ?? "nothing").trim().slice(0, 300);
}
