/**
 * `bluegreen rollback --break-glass`: each proxy moves its users back by itself. It needs no Terraform, state, record or
 * lock, so that nothing that is down or hangs delays it.
 */
import type { AzureEnvironment, LocalEnvironment } from "../../configuration/environment";
import { proxyPlaces } from "../../configuration/naming";
import { isLocal, requireAzure } from "../../configuration/platform";
import { EXIT } from "../../release/exit-code";
import type { ExitCode } from "../../release/exit-code";
import { LastWords } from "../../release/director-status";
import { inOneLine } from "../../release/text";
import { parseFile } from "../../release/validation";
import type { Project } from "../project/project";
import { linesToType, typeOnProxy } from "./on-proxy";

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
  project: Project,
  environment: LocalEnvironment,
  index: number,
  why: string,
): Promise<ProxyEnd> {
  const { name: proxy } = proxyPlaces(environment)[index]!;
  const startedAt = performance.now();
  const { end, stdout, problem } = await typeOnProxy(project, environment, index, typed(why));
  const seconds = Math.round(performance.now() - startedAt) / 1000;
  if (end !== "done") return { proxy, outcome: end, reason: problem, seconds };
  const { outcome, reason } = parseFile(LastWords, stdout, `the answer of ${proxy}`);
  return {
    ...{ proxy, seconds, reason: inOneLine(reason) },
    outcome: outcome === "unchanged" ? "unchanged" : "rolledBack",
  };
}

function typed(why: string): string[] {
  return ["rollback", "--reason", why];
}

/** Azure's control plane may be what is down, and it is the only way to a proxy from here. */
function toType(environment: AzureEnvironment, why: string): ProxyEnd[] {
  return linesToType(environment, typed(why)).map(({ proxy, line }) => ({
    ...{ proxy, outcome: "toType", seconds: 0 },
    reason: line,
  }));
}
