/** `bluegreen drain`: each proxy takes a server out of use once its clients have left, or returns it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalEnvironment } from "../../configuration/environment";
import { proxyPlaces } from "../../configuration/naming";
import { describeServerDrain, ServerDrainEnd } from "../../release/server-drain";
import type { ServerDrain } from "../../release/server-drain";
import { EXIT } from "../../release/exit-code";
import type { ExitCode } from "../../release/exit-code";
import { Failure } from "../../release/failure";
import { parseFile } from "../../release/validation";
import type { Project } from "../project/project";
import type { Progress } from "../terminal/progress";
import { typeOnProxy } from "./on-proxy";

const POLL_MS = 2_000;

export interface DrainRequest {
  readonly server: string;
  /** Whether the server returns. */
  readonly ends: boolean;
  /** Whether its sessions end at once. */
  readonly isNow: boolean;
}

export interface DrainedByProxy {
  readonly proxy: string;
  readonly outcome: ServerDrainEnd["outcome"];
  readonly reason: string;
}

/** What is typed on a proxy. */
export function drainArguments({ server, ends, isNow }: DrainRequest): string[] {
  return ["drain", server, ...(ends ? ["--end"] : []), ...(isNow ? ["--now"] : [])];
}

/**
 * Waits until the server is free on all proxies. A wait that is interrupted changes nothing: the same command goes on.
 * @throws Failure if a proxy refuses it, or can't be reached
 */
export async function drainOnProxies(
  project: Project,
  environment: LocalEnvironment,
  request: DrainRequest,
  progress: Progress,
): Promise<DrainedByProxy[]> {
  for (;;) {
    const ends = await typeOnAll(project, environment, request);
    const left = ends.flatMap(({ outcome, drain }) =>
      outcome === "draining" && drain !== null ? [drain] : [],
    );
    if (left.length === 0) return ends.map(({ proxy, outcome, reason }) => ({ proxy, outcome, reason }));
    const longest = longestOf(left);
    // A client may use any of them.
    if (longest.secondsLeft === 0)
      return drainOnProxies(project, environment, { ...request, isNow: true }, progress);
    progress.now(`${describeServerDrain(longest, Date.now())}; --now ends those sessions`);
    await sleep(Math.min(POLL_MS, longest.secondsLeft * 1_000));
  }
}

/** One after another: what the first one refuses, no other one has begun. */
async function typeOnAll(project: Project, environment: LocalEnvironment, request: DrainRequest) {
  const ends: (DrainedByProxy & Pick<ServerDrainEnd, "drain">)[] = [];
  for (const [index, { name: proxy }] of proxyPlaces(environment).entries()) {
    const typed = await typeOnProxy(project, environment, index, drainArguments(request));
    const { end, exitCode, stdout, problem } = typed;
    if (end !== "done") throw failed(proxy, problem, exitCode as ExitCode, ends);
    ends.push({ proxy, ...parseFile(ServerDrainEnd, stdout, `the answer of ${proxy}`) });
  }
  return ends;
}

function longestOf(drains: readonly ServerDrain[]): ServerDrain {
  return drains.reduce((one, other) => (other.secondsLeft > one.secondsLeft ? other : one));
}

function failed(
  proxy: string,
  problem: string,
  exitCode: ExitCode,
  done: readonly { readonly proxy: string }[],
): Failure {
  const others = done.length === 0 ? "" : `; ${done.map((each) => each.proxy).join(", ")} did it`;
  return new Failure(
    `${proxy}: ${problem.replace(/^director: /, "")}${others}`,
    exitCode === EXIT.done ? EXIT.unexpected : exitCode,
  );
}
