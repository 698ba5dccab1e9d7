/** Asks the directors on the proxies directly: what users get, and to abort. On the local platform a proxy is a folder. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import execa from "execa";
import { directorSpec, encodeSpec } from "../release/director-spec";
import { proxyPlaces, serverFolder } from "../release/naming";
import type { ReleaseRecord } from "../release/record";
import type { PerSlot, Slot } from "../release/slot";
import type { Observed } from "../release/transitions";
import { OperatorError } from "./operator-error";
import type { Project } from "./project";

/** What `director status` answers. */
export interface ProxyStatus {
  readonly proxy: string;
  readonly traffic: { readonly live: Slot | null; readonly share: number; readonly mode: string };
  readonly serving: readonly Slot[];
  readonly state: {
    readonly sequence: number;
    readonly phase: string;
    readonly finished: boolean;
    readonly stable: { readonly slot: Slot; readonly releaseId: string } | null;
    readonly candidate: { readonly slot: Slot; readonly releaseId: string } | null;
    readonly weight: number;
    readonly deadline: number | null;
    readonly result: StepResult | null;
  };
  readonly endpoints: PerSlot<
    readonly {
      readonly server: string;
      readonly address: string;
      readonly releaseId: string | null;
      readonly healthy: boolean;
      readonly inRotation: boolean;
    }[]
  >;
}

export interface StepResult {
  readonly step: string;
  readonly sequence: number;
  readonly exitCode: number;
  readonly outcome: string;
  readonly reason: string;
}

/** Whether every proxy was started; one whose port was taken was not. */
export function baseIsDeployed(project: Project): boolean {
  return proxyPlaces(project.environment).every(({ name }) =>
    existsSync(join(proxyFolder(project, name), "admin.sock")),
  );
}

export async function proxyStatuses(project: Project, record: ReleaseRecord): Promise<ProxyStatus[]> {
  return Promise.all(
    proxyPlaces(project.environment).map(async ({ name }, index) => {
      const { stdout, stderr, exitCode } = await direct(project, record, index, "status");
      if (exitCode !== 0)
        throw new OperatorError(`${name} can't be asked: ${stderr || `exit code ${exitCode}`}`, 1);
      return JSON.parse(stdout) as ProxyStatus;
    }),
  );
}

/** Puts traffic back on stable, on every proxy; whatever runs there ends first. */
export async function abortOnProxies(project: Project, record: ReleaseRecord): Promise<StepResult[]> {
  return Promise.all(
    proxyPlaces(project.environment).map(async ({ name }, index) => {
      const { stdout, stderr, exitCode } = await direct(project, record, index, "abort");
      const line = stdout.split("\n").at(-1) ?? "";
      if (line.startsWith("{")) return JSON.parse(line) as StepResult;
      throw new OperatorError(`${name} did not abort: ${stderr}`, exitCode === 3 ? 3 : 1);
    }),
  );
}

/**
 * What users get, as all proxies agree; null where they don't: one of several serves what another rejected.
 */
export function agreed(statuses: readonly ProxyStatus[]): Observed | null {
  const [first] = statuses;
  const id = (status: ProxyStatus) => status.state.stable?.releaseId ?? null;
  if (first === undefined || statuses.some((status) => id(status) !== id(first))) return null;
  const serving = [...new Set(statuses.flatMap((status) => status.serving))];
  return { live: first.state.stable?.slot ?? null, releaseId: id(first), serving };
}

async function direct(project: Project, record: ReleaseRecord, index: number, command: string) {
  const { name } = proxyPlaces(project.environment)[index]!;
  const director = directorOf(project, name);
  if (!existsSync(director)) {
    throw new OperatorError(
      `${name} does not exist: deploy the base stack first (\`npx cdktf deploy base\`)`,
      3,
    );
  }
  const spec = encodeSpec(directorSpec(project.environment, record, index));
  return execa(
    process.execPath,
    [director, command, "--spec", spec, "--folder", proxyFolder(project, name)],
    {
      reject: false,
      // Ctrl-C is for this command to understand, not for a director that puts traffic back.
      detached: true,
      stdin: "ignore",
    },
  );
}

function directorOf(project: Project, proxy: string): string {
  return join(proxyFolder(project, proxy), "director.js");
}

function proxyFolder(project: Project, proxy: string): string {
  return join(project.folder, serverFolder(project.environment, proxy));
}
