/** Proxies on this machine: runs the director in each proxy's folder. */
import { Failure } from "../../release/failure";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import execa from "execa";
import type * as z from "zod/mini";
import { directorSpec } from "../../configuration/director-spec";
import { LastWords, ProxyStatus } from "../../release/director-status";
import type { LocalEnvironment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import { proxyPlaces, serverFolder } from "../../configuration/naming";
import type { ReleaseRecord } from "../../release/record";
import { parseFile } from "../../release/validation";
import { exists } from "../project/files";
import { directorInput } from "./director-input";
import type { Aborted, PollOptions, PollResult, Proxies } from "./proxies";
import type { StepResult } from "../../release/director-status";
import type { Silent, Survey } from "../../release/taking-part";

/** How long a proxy may take to answer a query, besides the time for a probe of its endpoints. */
const QUERY_SECONDS = 6;
/** For the abort of a proxy that did not answer. */
const ABORT_GRACE_MS = 2_000;
const ABORT_POLL_MS = 3_000;

export class LocalProxies implements Proxies {
  readonly reachable = true;

  constructor(
    private readonly projectFolder: string,
    private readonly environment: LocalEnvironment,
  ) {}

  /** A proxy whose port was in use did not start. Later a lost one does not hide the others. */
  baseIsDeployed({ sequence }: Pick<ReleaseRecord, "sequence">): boolean {
    const started = proxyPlaces(this.environment).map(({ name }) =>
      exists(join(this.folder(name), "admin.sock")),
    );
    return sequence === 0 ? started.every(Boolean) : started.some(Boolean);
  }

  async survey(record: ReleaseRecord, without: readonly string[] = []): Promise<Survey> {
    this.requireOne();
    const results = (await this.poll(record)).filter(({ proxy }) => !without.includes(proxy));
    return {
      statuses: results.flatMap(({ status }) => status ?? []),
      silent: results.flatMap(({ proxy, status, problem }) => (status === null ? [{ proxy, problem }] : [])),
    };
  }

  poll(record: ReleaseRecord, options: PollOptions = {}): Promise<PollResult[]> {
    return Promise.all(
      proxyPlaces(this.environment).map(async ({ name: proxy }, index): Promise<PollResult> => {
        try {
          return { proxy, status: await this.status(record, index, options), problem: null };
        } catch (error) {
          return { proxy, status: null, problem: (error as Error).message };
        }
      }),
    );
  }

  async abort(record: ReleaseRecord, without: readonly string[] = []): Promise<Aborted> {
    this.requireOne();
    const asked = proxyPlaces(this.environment).flatMap(({ name }, index) =>
      without.includes(name) ? [] : [this.abortOne(record, name, index)],
    );
    const ended = await Promise.all(asked);
    return {
      results: ended.flatMap((each) => ("problem" in each ? [] : [each])),
      silent: ended.flatMap((each) => ("problem" in each ? [each] : [])),
    };
  }

  /** An abort may drain for minutes. A proxy that does not answer a query meanwhile is not waited for. */
  private async abortOne(record: ReleaseRecord, proxy: string, index: number): Promise<StepResult | Silent> {
    const giveUp = new AbortController();
    const noAnswer = (): Promise<Silent | null> =>
      this.status(record, index).then(
        () => null,
        (error: Error) => ({ proxy, problem: error.message }),
      );
    const ended = this.run(record, index, "abort", giveUp.signal).then(
      ({ stdout, stderr, exitCode, signal }) => {
        // Its machine went down meanwhile.
        if (signal !== undefined) return { proxy, problem: `${proxy} could not abort: ended by ${signal}` };
        const line = stdout.split("\n").at(-1) ?? "";
        if (line.startsWith("{")) return readReport(LastWords, line, proxy);
        const code = exitCode === EXIT.refused ? EXIT.refused : EXIT.unexpected;
        throw new Failure(`${proxy} could not abort: ${stderr}`, code);
      },
    );
    // An abort that fails because the proxy does not answer says less than the query.
    ended.catch(() => undefined);
    // It may answer first, and stall then.
    let problem = await noAnswer();
    while (problem === null) {
      const result = await Promise.race([ended, pause(ABORT_POLL_MS, null)]);
      if (result !== null) return result;
      problem = await noAnswer();
    }
    const late = setTimeout(() => giveUp.abort(), ABORT_GRACE_MS);
    const result = await ended.catch(() => null);
    clearTimeout(late);
    return result !== null && "exitCode" in result && result.exitCode === EXIT.done ? result : problem;
  }

  private async status(
    record: ReleaseRecord,
    index: number,
    { unseen = false }: PollOptions = {},
  ): Promise<ProxyStatus> {
    const { name } = proxyPlaces(this.environment)[index]!;
    const seconds = this.environment.verification.timeoutSeconds + QUERY_SECONDS;
    const { stdout, stderr, exitCode } = await this.run(
      record,
      index,
      "status",
      AbortSignal.timeout(1000 * seconds),
      unseen ? ["--unseen"] : [],
    );
    if (exitCode === 0) return readReport(ProxyStatus, stdout, name);
    const ended = exitCode === undefined ? `no answer within ${seconds} s` : `exit code ${exitCode}`;
    throw new Failure(`${name} can't be queried: ${stderr || ended}`, EXIT.unexpected);
  }

  /** @throws Failure if there is no proxy at all. */
  private requireOne(): void {
    const places = proxyPlaces(this.environment);
    if (!places.some(({ name }) => exists(this.director(name)))) throw missing(places[0]!.name);
  }

  /** Runs the director until it ends, or is killed by the signal. */
  private async run(
    record: ReleaseRecord,
    index: number,
    command: string,
    signal: AbortSignal,
    more: readonly string[] = [],
  ) {
    const { name } = proxyPlaces(this.environment)[index]!;
    if (!exists(this.director(name))) throw missing(name);
    const { args, env } = directorInput(this.director(name), directorSpec(this.environment, record, index));
    const running = execa(
      process.execPath,
      [this.director(name), command, ...args, "--folder", this.folder(name), ...more],
      {
        env,
        reject: false,
        // Ctrl-C must reach this command only, not a director that rolls back.
        detached: true,
        stdin: "ignore",
      },
    );
    // A director that waits for its proxy does not react to a gentler signal in time.
    const kill = (): void => void running.kill("SIGKILL");
    signal.addEventListener("abort", kill);
    try {
      return await running;
    } finally {
      signal.removeEventListener("abort", kill);
    }
  }

  private director(proxy: string): string {
    return join(this.folder(proxy), "director.js");
  }

  private folder(proxy: string): string {
    return join(this.projectFolder, serverFolder(this.environment, proxy));
  }
}

function missing(proxy: string): Failure {
  return new Failure(
    `${proxy} does not exist: nothing was released yet, or \`bluegreen down\` removed it; \`bluegreen release\` starts it`,
    EXIT.refused,
  );
}

/** @throws Failure if the answer is not a director's, or has an unknown format version. */
function readReport<T extends z.ZodMiniType>(schema: T, text: string, proxy: string): z.infer<T> {
  try {
    return parseFile(schema, text, "its answer");
  } catch (error) {
    throw new Failure(
      `${proxy} can't be queried: ${(error as Error).message}; its director may be older than this command: deploy base`,
      EXIT.unexpected,
    );
  }
}
