/** Proxies on this machine: runs the director in each proxy's folder. */
import { Failure } from "../../release/failure";
import { existsSync } from "node:fs";
import { join } from "node:path";
import execa from "execa";
import type * as z from "zod/mini";
import { directorSpec, encodeSpec } from "../../configuration/director-spec";
import { LastWords, ProxyStatus } from "../../release/director-status";
import type { LocalEnvironment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import { proxyPlaces, serverFolder } from "../../configuration/naming";
import type { ReleaseRecord } from "../../release/record";
import { parseFile } from "../../release/validation";
import type { Proxies, PollResult } from "./proxies";
import type { StepResult } from "../../release/director-status";

export class LocalProxies implements Proxies {
  readonly reachable = true;

  constructor(
    private readonly projectFolder: string,
    private readonly environment: LocalEnvironment,
  ) {}

  /** A proxy whose port was in use did not start. */
  baseIsDeployed(): boolean {
    return proxyPlaces(this.environment).every(({ name }) =>
      existsSync(join(this.folder(name), "admin.sock")),
    );
  }

  statuses(record: ReleaseRecord): Promise<ProxyStatus[]> {
    return Promise.all(proxyPlaces(this.environment).map((_, index) => this.status(record, index)));
  }

  poll(record: ReleaseRecord): Promise<PollResult[]> {
    return Promise.all(
      proxyPlaces(this.environment).map(async ({ name: proxy }, index): Promise<PollResult> => {
        try {
          return { proxy, status: await this.status(record, index), problem: null };
        } catch (error) {
          return { proxy, status: null, problem: (error as Error).message };
        }
      }),
    );
  }

  abort(record: ReleaseRecord): Promise<StepResult[]> {
    return Promise.all(
      proxyPlaces(this.environment).map(async ({ name }, index) => {
        const { stdout, stderr, exitCode } = await this.direct(record, index, "abort");
        const line = stdout.split("\n").at(-1) ?? "";
        if (line.startsWith("{")) return readReport(LastWords, line, name);
        throw new Failure(
          `${name} could not abort: ${stderr}`,
          exitCode === EXIT.refused ? EXIT.refused : EXIT.unexpected,
        );
      }),
    );
  }

  private async status(record: ReleaseRecord, index: number): Promise<ProxyStatus> {
    const { name } = proxyPlaces(this.environment)[index]!;
    const { stdout, stderr, exitCode } = await this.direct(record, index, "status");
    if (exitCode !== 0)
      throw new Failure(`${name} can't be queried: ${stderr || `exit code ${exitCode}`}`, EXIT.unexpected);
    return readReport(ProxyStatus, stdout, name);
  }

  private async direct(record: ReleaseRecord, index: number, command: string) {
    const { name } = proxyPlaces(this.environment)[index]!;
    const director = join(this.folder(name), "director.js");
    if (!existsSync(director)) {
      throw new Failure(
        `${name} does not exist: nothing was released yet, or \`bluegreen down\` removed it; \`bluegreen release\` starts it`,
        EXIT.refused,
      );
    }
    const spec = encodeSpec(directorSpec(this.environment, record, index));
    return execa(process.execPath, [director, command, "--spec", spec, "--folder", this.folder(name)], {
      reject: false,
      // Ctrl-C must reach this command only, not a director that rolls back.
      detached: true,
      stdin: "ignore",
    });
  }

  private folder(proxy: string): string {
    return join(this.projectFolder, serverFolder(this.environment, proxy));
  }
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
