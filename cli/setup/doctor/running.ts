/** What runs: the proxies and whether the record fits them, the lock, Terraform's states and what failures left there. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { stateFile } from "../../../configuration/naming";
import { parseEdition } from "../../../release/steps";
import { isLocal } from "../../../configuration/platform";
import { emptyRecord, recordDigest } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { isLocked, lockHolder } from "../../../system/process-lock";
import type { Project } from "../../project/project";
import { lockFile, terraformLock } from "../../project/project-lock";
import { agreed } from "../../proxies/proxies";
import { proxiesOf } from "../../proxies/proxies-of";
import type { TerraformBinary } from "../../terraform/binary";
import { firstErrorLines } from "../../terraform/error-words";
import { failed, firstLine, ok, warning } from "./check";
import type { Check, Finding } from "./check";
import { recordOrNull } from "./project";
import { runLimited } from "../../../system/run-limited";

const PROXY_SECONDS = 30;
const STATE_SECONDS = 60;
/** The command refuses at 8 a step. */
const MANY_LEFT = 4;
const MOST_LEFT = 8;

/** On Azure nobody reaches them from here: what Terraform knows of their steps is in the check of the state. */
export function proxiesCheck(project: Project): Check[] {
  if (!isLocal(project.environment)) return [];
  return [
    {
      name: "proxies",
      seconds: PROXY_SECONDS,
      async run() {
        const proxies = proxiesOf(project, () => Promise.reject(new Error("no Terraform is needed here")));
        if (!proxies.baseIsDeployed()) return ok("not started yet: the first release does that");
        const record = recordOrNull(project);
        const asked = record ?? emptyRecord(project.environment.application);
        const statuses = await proxies.statuses(asked).catch((error: Error) => error);
        if (statuses instanceof Error) {
          return failed(
            firstLine(statuses.message),
            "start them again: `bluegreen down`, then `npx cdktf deploy base` (data and record stay)",
          );
        }
        const told = statuses.map(({ state }) => state);
        const highest = Math.max(...told.map(({ sequence }) => sequence));
        const misfit = compare(record, {
          sequence: highest,
          digest: told.find(({ sequence }) => sequence === highest)?.recordDigest ?? "",
        });
        if (misfit !== null) return misfit;
        const stable = agreed(statuses);
        if (stable === null) {
          return failed("the proxies serve different releases", "`bluegreen retry` or `bluegreen rollback`");
        }
        const down = statuses.flatMap(({ endpoints, serving }) =>
          serving.flatMap((slot) => endpoints[slot].filter(({ healthy }) => !healthy)),
        );
        const words = `${statuses.length} up, users get ${stable.releaseId ?? "nothing yet"}`;
        if (down.length === 0) return ok(words);
        const servers = [...new Set(down.map(({ server }) => server))];
        return warning(
          `${words}; ${servers.join(", ")} ${servers.length === 1 ? "does" : "do"} not answer`,
          `\`bluegreen heal ${servers.join(" ")}\``,
        );
      },
    },
  ];
}

/** @returns null where the record is what was begun last; one that can't be read is another check's finding. */
function compare(
  record: ReleaseRecord | null,
  known: { readonly sequence: number; readonly digest: string },
): Finding | null {
  if (record === null) return null;
  const { sequence } = record;
  if (sequence < known.sequence) {
    return failed(
      `the record is of sequence ${sequence}, ${known.sequence} was begun already`,
      "pull the newer record, or `bluegreen recover`",
    );
  }
  if (sequence > known.sequence) {
    return warning(
      `the record is of sequence ${sequence}, ${known.sequence} was begun last`,
      "`bluegreen retry` applies it, if no release is at work",
    );
  }
  if (known.digest === "" || recordDigest(record).startsWith(known.digest)) return null;
  return failed(
    `the record of sequence ${sequence} was changed after it was begun`,
    "take the change back, give it the next sequence, or `bluegreen recover`",
  );
}

export function lockCheck(project: Project): Check {
  const { folder, environment } = project;
  return {
    name: "lock",
    seconds: PROXY_SECONDS,
    async run() {
      const file = join(folder, lockFile(project));
      if (!existsSync(file)) return ok("free");
      if (await isLocked(file)) {
        return warning(`held by ${firstLine(lockHolder(file))}`, "wait for it, or `bluegreen abort`");
      }
      const left = ["base", "web"].find((stack) =>
        existsSync(terraformLock(folder, stateFile(environment, stack))),
      );
      if (left === undefined) return ok("free");
      return warning(
        `a terraform works on the state of ${left}, or was killed at it`,
        "wait for it; if none runs, the next command goes on by itself",
      );
    },
  };
}

const Synthesized = z.object({ terraform: z.record(z.string(), z.unknown()) });
const PulledState = z.object({
  resources: z._default(
    z.array(
      z.object({
        name: z.string(),
        instances: z.array(
          z.object({ deposed: z.optional(z.string()), attributes: z.optional(z.unknown()) }),
        ),
      }),
    ),
    [],
  ),
});
type PulledState = z.infer<typeof PulledState>;

/**
 * Reads both states where they are, with the stacks' backends and nothing else of them: no provider is needed.
 * @param output where the stacks were synthesized, relative to the project.
 */
export function stateCheck(
  project: Project,
  output: string,
  terraform: () => Promise<TerraformBinary>,
): Check {
  return {
    name: "state",
    seconds: STATE_SECONDS + 5,
    async run() {
      const { path } = await terraform();
      const [base, web] = await Promise.all(
        (["base", "web"] as const).map((stack) => pull(project, output, stack, path)),
      );
      if ("problem" in base!) return cantRead("base", project, base.problem);
      if ("problem" in web!) return cantRead("web", project, web.problem);
      const left = mostLeft(web!.state);
      const words = `base has ${count(base!.state)} addresses, web ${count(web!.state)}`;
      if (left >= MANY_LEFT) {
        const status = left >= MOST_LEFT ? failed : warning;
        return status(
          `${words}; ${left} failed applies left something at one of them`,
          "`bluegreen abort` clears them",
        );
      }
      return isLocal(project.environment) ? ok(words) : fits(project, web!.state, words);
    },
  };
}

async function pull(
  { folder }: Project,
  output: string,
  stack: string,
  terraform: string,
): Promise<{ readonly state: PulledState } | { readonly problem: string }> {
  const synthesized = join(folder, output, "stacks", stack, "cdk.tf.json");
  const read = z.parse(Synthesized, JSON.parse(readFileSync(synthesized, "utf8")));
  const { backend, cloud } = read.terraform;
  // As deep as the stack: the local backend's file is named relative to it.
  const cwd = join(folder, output, "stacks", `${stack}-state`);
  mkdirSync(cwd, { recursive: true });
  const settings = { terraform: backend === undefined ? { cloud } : { backend } };
  writeFileSync(join(cwd, "backend.tf.json"), JSON.stringify(settings));
  const options = { seconds: STATE_SECONDS / 2, cwd, env: { TF_IN_AUTOMATION: "1", TF_INPUT: "0" } };
  const init = await runLimited(terraform, ["init", "-input=false", "-no-color"], options);
  if (init.exitCode !== 0) return { problem: terraformError(init.stderr) };
  const { exitCode, stdout, stderr } = await runLimited(terraform, ["state", "pull"], options);
  if (exitCode !== 0) return { problem: terraformError(stderr) };
  if (stdout.trim() === "") return { state: { resources: [] } };
  const state = z.safeParse(PulledState, JSON.parse(stdout));
  return state.success ? { state: state.data } : { problem: "its format is unknown" };
}

function terraformError(stderr: string): string {
  return firstLine(firstErrorLines(stderr, 3));
}

function cantRead(stack: string, { environment }: Project, problem: string): Finding {
  const { kind } = environment.backend;
  const mend = {
    local: `restore ${stateFile(environment, stack)} from ${stateFile(environment, stack)}.backup`,
    azurerm: "log in (`az login`), and have Storage Blob Data Contributor on the container of the state",
    cloud: "log in (`terraform login`), and have the right to read the workspaces",
  }[kind];
  return failed(`the state of ${stack} can't be read: ${problem}`, `${mend}; docs/recovery.md`);
}

function count({ resources }: PulledState): number {
  return resources.reduce((sum, { instances }) => sum + instances.length, 0);
}

function mostLeft({ resources }: PulledState): number {
  const left = resources.map(
    ({ instances }) => instances.filter(({ deposed }) => deposed !== undefined).length,
  );
  return Math.max(0, ...left);
}

/** What was begun last, by the names of the steps: all that is known of proxies on Azure without asking Azure. */
function fits(project: Project, { resources }: PulledState, words: string): Finding {
  const Named = z.object({ name: z.string() });
  const begun = resources.flatMap(({ instances }) =>
    instances.flatMap(({ attributes }) => {
      const named = z.safeParse(Named, attributes);
      const edition = named.success ? parseEdition(named.data.name) : null;
      return edition?.kind === "begin" ? [edition] : [];
    }),
  );
  const last = begun.sort((one, other) => other.sequence - one.sequence)[0] ?? { sequence: 0, digest: "" };
  const record = recordOrNull(project);
  return compare(record, last) ?? ok(record === null ? words : `${words}, and the record fits`);
}
