/**
 * What an operator can type on a proxy. The director works with the spec that the proxy has stored, and needs no Terraform, state
 * or record. Azure's proxies can't be reached from here.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import execa from "execa";
import { directorSpec } from "../../configuration/director-spec";
import type { AzureEnvironment, LocalEnvironment } from "../../configuration/environment";
import { proxyPlaces, serverFolder } from "../../configuration/naming";
import { EXIT } from "../../release/exit-code";
import { emptyRecord } from "../../release/record";
import { inOneLine } from "../../release/text";
import type { Project } from "../project/project";
import { shellWord } from "../terminal/shell-word";
import { directorInput } from "./director-input";

/** After a director's time limits, which are shorter. */
const DIRECTOR_SECONDS = 60;

export interface OnProxy {
  /** `refused`: the director did not accept it. `unreached`: it could not do it. */
  readonly end: "done" | "refused" | "unreached";
  readonly exitCode: number;
  readonly stdout: string;
  /** In one line; empty if it is done. */
  readonly problem: string;
}

/** @param args what is typed after the director's name */
export async function typeOnProxy(
  { folder }: Project,
  environment: LocalEnvironment,
  index: number,
  args: readonly string[],
): Promise<OnProxy> {
  const place = join(folder, serverFolder(environment, proxyPlaces(environment)[index]!.name));
  const director = join(place, "director.js");
  const failed = (end: OnProxy["end"], exitCode: number, problem: string): OnProxy => ({
    ...{ end, exitCode, stdout: "", problem: inOneLine(problem) },
  });
  if (!existsSync(director)) return failed("unreached", EXIT.unexpected, `there is no ${director}`);
  // Only for a proxy that has stored none: it was set up by an earlier version.
  const spec = directorSpec(environment, emptyRecord(environment.application), index);
  const input = directorInput(director, spec);
  const running = execa(process.execPath, [director, ...args, ...input.args, "--folder", place], {
    env: input.env,
    reject: false,
    // Ctrl-C must reach this command only.
    detached: true,
    stdin: "ignore",
    timeout: DIRECTOR_SECONDS * 1000,
  });
  const { stdout, stderr, exitCode = EXIT.unexpected, timedOut } = await running;
  const problem = stderr.trim().split("\n").at(-1) ?? "";
  if (exitCode === EXIT.done) return { end: "done", exitCode, stdout, problem: "" };
  if (exitCode === EXIT.refused || exitCode === EXIT.badInput) return failed("refused", exitCode, problem);
  const silence = timedOut ? `its director did not end within ${DIRECTOR_SECONDS} s` : problem;
  return failed("unreached", exitCode, silence || `exit code ${exitCode}`);
}

/** The same as a line for each proxy. */
export function linesToType(environment: AzureEnvironment, args: readonly string[]) {
  const line = `sudo bluegreen-director ${args.map(shellWord).join(" ")}`;
  return proxyPlaces(environment).map(({ name: proxy }) => ({ proxy, line }));
}
