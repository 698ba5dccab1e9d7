/**
 * `bluegreen doctor`: checks whether a release can succeed here before you try one. It changes nothing except a temporary
 * folder, which it removes.
 */
import { EXIT } from "../../../release/exit-code";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { workFolder } from "../../../configuration/naming";
import { isLocal, requireAzure } from "../../../configuration/platform";
import { openProject } from "../../project/project";
import type { Project } from "../../project/project";
import { out } from "../../terminal/colours";
import type { Progress } from "../../terminal/progress";
import { findTerraform } from "../../terraform/binary";
import type { TerraformBinary } from "../../terraform/binary";
import { accountCheck } from "./account";
import { activationCheck } from "./activation";
import { azureChecks } from "./azure";
import { failed, firstLine, runChecks } from "./check";
import type { Check, CheckResult } from "./check";
import {
  databaseCheck,
  nodeCheck,
  programsCheck,
  proxyCheck,
  terraformCheck,
  warnAboutPlatform,
} from "./machine";
import {
  environmentCheck,
  packagesCheck,
  portsCheck,
  recordCheck,
  synthCheck,
  workFolderCheck,
} from "./project";
import { sharedStorageCheck } from "./shared-storage";
import { lockCheck, proxiesCheck, stateCheck } from "./running";

export interface Diagnosis {
  readonly checks: readonly CheckResult[];
  readonly exitCode: number;
}

export async function diagnose(
  folder: string,
  environmentFile: string,
  progress: Progress,
): Promise<Diagnosis> {
  const terraform = once(() => findTerraform({ log: (line) => progress.note(line) }));
  const opened = tryOpen(folder, environmentFile);
  const project = "problem" in opened ? null : opened;
  const problem = "problem" in opened ? opened.problem : "";
  const environment = project?.environment ?? null;
  const checks = [
    nodeCheck(),
    ...warnAboutPlatform(),
    terraformCheck(terraform),
    programsCheck(environment),
    environmentCheck(environmentFile, environment, problem),
    ...(project === null ? [] : projectChecks(project, terraform)),
  ];
  const results = await runChecks(checks, progress);
  const exitCode = results.some(({ status }) => status === "failed") ? EXIT.refused : EXIT.done;
  return { checks: results, exitCode };
}

export function formatDiagnosis({ checks }: Diagnosis): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const marks = { ok: out.green("✔"), warning: out.yellow("!"), failed: out.red("✖") };
  const lines = checks.flatMap(({ name, status, found, mend }) => [
    `${marks[status]} ${name.padEnd(width)}  ${found}`,
    ...(mend === null ? [] : [`  ${" ".repeat(width)}  -> ${mend}`]),
  ]);
  const number = (status: string): number => checks.filter((check) => check.status === status).length;
  const [failures, warnings] = [number("failed"), number("warning")];
  const end =
    failures === 0
      ? `all checks passed${warnings === 0 ? "" : `, with ${warnings} warning${warnings === 1 ? "" : "s"}`}`
      : `${failures} of ${checks.length} checks failed`;
  return [...lines, "", end].join("\n");
}

function projectChecks(project: Project, terraform: () => Promise<TerraformBinary>): Check[] {
  const { environment } = project;
  const output = `${workFolder(environment)}/doctor.out`;
  const synth = synthCheck(project, output);
  const synthesized = once(async () => await synth.run());
  let publish: (known: readonly string[] | null) => void = () => undefined;
  const runCommands = new Promise<readonly string[] | null>((resolve) => (publish = resolve));
  const state = stateCheck(project, output, terraform, publish);
  return [
    proxyCheck(environment),
    ...databaseCheck(environment),
    ...accountCheck(environment),
    recordCheck(project),
    packagesCheck(project),
    workFolderCheck(project),
    { ...synth, run: synthesized },
    {
      ...state,
      seconds: state.seconds + synth.seconds,
      async run() {
        try {
          const { status } = await synthesized();
          return status === "failed"
            ? failed("not checked, because the stacks can't be synthesized", "fix synth first")
            : await state.run();
        } finally {
          // If the states can't be read.
          publish(null);
          rmSync(join(project.folder, output), { recursive: true, force: true });
        }
      },
    },
    ...portsCheck(project),
    ...proxiesCheck(project),
    ...sharedStorageCheck(project),
    ...activationCheck(environment),
    lockCheck(project),
    ...(isLocal(environment) ? [] : azureChecks(requireAzure(environment), undefined, runCommands)),
  ];
}

function tryOpen(folder: string, file: string): Project | { readonly problem: string } {
  try {
    return openProject(folder, file);
  } catch (error) {
    return { problem: firstLine((error as Error).message) };
  }
}

/** Several checks need the result; it is made once. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
