/** Runs a program for a check, and kills it with all that it started at its time limit. */
import execa from "execa";

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws Error if it can't be started, or did not end in time. */
export async function runLimited(
  program: string,
  args: readonly string[],
  {
    seconds,
    cwd,
    env,
  }: { readonly seconds: number; readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<ProgramResult> {
  const child = execa(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    stdin: "ignore",
    detached: true,
    reject: false,
    maxBuffer: 64 * 1024 * 1024,
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }, seconds * 1000);
  try {
    const { exitCode, stdout, stderr, failed, shortMessage } = (await child) as execa.ExecaReturnValue &
      Partial<execa.ExecaError>;
    if (late) throw new Error(`${program} ${args[0] ?? ""} did not end within ${seconds} s`);
    if (failed && exitCode === undefined) throw new Error(shortMessage ?? `${program} can't be started`);
    return { exitCode, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}
