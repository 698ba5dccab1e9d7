/**
 * `bluegreen rollback --break-glass`: each proxy moves its users back by itself. It needs no Terraform, state, record or
 * lock, so that nothing that is down or hangs delays it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import execa from "execa";
import { directorSpec } from "../../configuration/director-spec";
import type { AzureEnvironment, LocalEnvironment } from "../../configuration/environment";
import { proxyPlaces, serverFolder } from "../../configuration/naming";
import { isLocal, requireAzure } from "../../configuration/platform";
import { EXIT } from "../../release/exit-code";
import type { ExitCode } from "../../release/exit-code";
import { LastWords } from "../../release/director-status";
import { emptyRecord } from "../../release/record";
import { inOneLine } from "../../release/text";
import { parseFile } from "../../release/validation";
import type { Project } from "../project/project";
import { directorInput } from "./director-input";
import { shellWord } from "../terminal/shell-word";

/** After a director's time limits, which are shorter. */
const DIRECTOR_SECONDS = 60;

export interface ProxyEnd {
  readonly proxy: string;
  /** `unreached`: its users stay where they are. `toType`: it can't be reached from here, `reason` is what to type there. */
  readonly outcome: "rolledBack" | "unchanged" | "refused" | "unreached" | "toType";
  readonly reason: string;
  readonly seconds: number;
}

export interface BrokenGlassEnd {
  readonly outcome: "rolledBack" | "unchanged" | "refused" | "frozen";
  readonly exitCode: ExitCode;
  readonly proxies: readonly ProxyEnd[];
}

/** @param ended gets each proxy's result as it comes: one that hangs must not hide the others. */
export async function breakGlass(
  project: Project,
  reason: string,
  ended: (end: ProxyEnd) => void,
): Promise<BrokenGlassEnd> {
  const { environment } = project;
  const ends = isLocal(environment)
    ? await Promise.all(
        proxyPlaces(environment).map(async (_, index) => {
          const end = await moveUsers(project, environment, index, reason);
          ended(end);
          return end;
        }),
      )
    : toType(requireAzure(environment), reason);
  if (!isLocal(environment)) ends.forEach(ended);
  return { ...conclusion(ends), proxies: ends };
}

/** A mixture of releases is for a person to decide. */
function conclusion(ends: readonly ProxyEnd[]): Pick<BrokenGlassEnd, "outcome" | "exitCode"> {
  const isOneOf = (...outcomes: ProxyEnd["outcome"][]) =>
    ends.every(({ outcome }) => outcomes.includes(outcome));
  if (isOneOf("unchanged")) return { outcome: "unchanged", exitCode: EXIT.done };
  if (isOneOf("rolledBack", "unchanged")) return { outcome: "rolledBack", exitCode: EXIT.done };
  if (isOneOf("refused", "toType")) return { outcome: "refused", exitCode: EXIT.refused };
  return { outcome: "frozen", exitCode: EXIT.frozen };
}

async function moveUsers(
  { folder }: Project,
  environment: LocalEnvironment,
  index: number,
  why: string,
): Promise<ProxyEnd> {
  const { name: proxy } = proxyPlaces(environment)[index]!;
  const place = join(folder, serverFolder(environment, proxy));
  const director = join(place, "director.js");
  const startedAt = performance.now();
  const end = (outcome: ProxyEnd["outcome"], reason: string): ProxyEnd => ({
    ...{ proxy, outcome, reason: inOneLine(reason) },
    seconds: Math.round(performance.now() - startedAt) / 1000,
  });
  if (!existsSync(director)) return end("unreached", `there is no ${director}`);
  // Only for a proxy that has stored none: it was set up by an earlier version.
  const spec = directorSpec(environment, emptyRecord(environment.application), index);
  const input = directorInput(director, spec);
  const args = ["rollback", "--reason", why, ...input.args, "--folder", place];
  const { stdout, stderr, exitCode, timedOut } = await execa(process.execPath, [director, ...args], {
    env: input.env,
    reject: false,
    // Ctrl-C must reach this command only.
    detached: true,
    stdin: "ignore",
    timeout: DIRECTOR_SECONDS * 1000,
  });
  const problem = stderr.trim().split("\n").at(-1) ?? "";
  if (exitCode === EXIT.refused || exitCode === EXIT.badInput) return end("refused", problem);
  if (exitCode !== EXIT.done) {
    return end(
      "unreached",
      timedOut ? `its director did not end within ${DIRECTOR_SECONDS} s` : problem || `exit code ${exitCode}`,
    );
  }
  const { outcome, reason } = parseFile(LastWords, stdout, `the answer of ${proxy}`);
  return end(outcome === "unchanged" ? "unchanged" : "rolledBack", reason);
}

/** Azure's control plane may be what is down, and it is the only way to a proxy from here. */
function toType(environment: AzureEnvironment, why: string): ProxyEnd[] {
  return proxyPlaces(environment).map(({ name: proxy }) => ({
    ...{ proxy, outcome: "toType", seconds: 0 },
    reason: `sudo bluegreen-director rollback --reason ${shellWord(why)}`,
  }));
}
