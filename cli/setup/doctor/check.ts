/** A check of `bluegreen doctor`: its finding, the fix, and its time limit. */
import type { Progress } from "../../terminal/progress";

type CheckStatus = "ok" | "warning" | "failed";

export interface Finding {
  readonly status: CheckStatus;
  readonly found: string;
  /** The fix, in one line; null if there is nothing to fix. */
  readonly mend: string | null;
}

export interface Check {
  readonly name: string;
  /** A check that takes longer fails. */
  readonly seconds: number;
  run(): Finding | Promise<Finding>;
}

export interface CheckResult extends Finding {
  readonly name: string;
}

export const ok = (found: string): Finding => ({ status: "ok", found, mend: null });
export const warning = (found: string, mend: string): Finding => ({ status: "warning", found, mend });
export const failed = (found: string, mend: string): Finding => ({ status: "failed", found, mend });

/** Runs all checks in parallel; the results keep their order. An error that a check throws is its finding. */
export async function runChecks(checks: readonly Check[], progress: Progress): Promise<CheckResult[]> {
  const open = new Set(checks.map(({ name }) => name));
  const show = (): void => {
    if (open.size > 0) progress.now(`checking ${[...open].join(", ")}`);
  };
  // A log gets one line only.
  if (process.stderr.isTTY) show();
  else progress.now(`running ${open.size} checks`);
  const results = await Promise.all(
    checks.map(async (check) => {
      const finding = await withinTime(check);
      open.delete(check.name);
      if (process.stderr.isTTY) show();
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
      () =>
        resolve(failed(`no answer within ${seconds} s`, `find out why ${name} hangs, then run doctor again`)),
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
    return failed(firstLine((error as Error).message), "fix this error, then run doctor again");
  }
}

export function firstLine(text: string): string {
  return (text.split("\n").find((line) => line.trim() !== "") ?? "nothing").trim().slice(0, 300);
}
