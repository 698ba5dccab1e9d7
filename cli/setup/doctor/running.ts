/** Checks what runs: the proxies and their record, the lock, Terraform's states and deposed objects there. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { stateFile } from "../../../configuration/naming";
import { parseEdition } from "../../../release/steps";
import {
  ENHANCED_VALIDATION,
  enhancedValidationAdvice,
  hasNamesOf5,
  olderProvider,
  untested,
} from "../../../configuration/azure/azurerm";
import { isLocal } from "../../../configuration/platform";
import { emptyRecord, recordDigest } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { isLocked, lockHolder } from "../../../system/process-lock";
import { textOrNull } from "../../project/files";
import type { Project } from "../../project/project";
import { lockFile, terraformLock } from "../../project/project-lock";
import { contradiction } from "../../live/users";
import { agreed, requireAll } from "../../proxies/proxies";
import { proxiesOf } from "../../proxies/proxies-of";
import type { TerraformBinary } from "../../terraform/binary";
import { cdktfCommand } from "../../project/cdktf-command";
import { isOf5State, requiredAzurerm } from "../../terraform/azure-provider";
import { firstErrorLines } from "../../terraform/error-messages";
import { failed, firstLine, ok, warning } from "./check";
import type { Check, Finding } from "./check";
import { recordOrNull } from "./project";
import { isOlder } from "../../terraform/binary";
import { readState } from "../../terraform/pulled-state";
import type { PulledState } from "../../terraform/pulled-state";
import { runLimited } from "../../../system/run-limited";

const PROXY_SECONDS = 30;
const STATE_SECONDS = 60;
/** Deposed objects per step. The command refuses at the second number. */
const MANY_LEFT = 4;
const MOST_LEFT = 8;

/** Azure's proxies are not reachable from here: the check of the state compares their steps. */
export function proxiesCheck(project: Project): Check[] {
  if (!isLocal(project.environment)) return [];
  return [
    {
      name: "proxies",
      seconds: PROXY_SECONDS,
      async run() {
        const proxies = proxiesOf(project, () =>
          Promise.reject(new Error("local proxies need no Terraform")),
        );
        const record = recordOrNull(project);
        const expected = record ?? emptyRecord(project.environment.application);
        if (!proxies.baseIsDeployed(expected)) return ok("not started yet: the first release starts them");
        const statuses = await proxies
          .survey(expected)
          .then(requireAll)
          .catch((error: Error) => error);
        if (statuses instanceof Error) {
          return failed(
            firstLine(statuses.message),
            `restart them: \`bluegreen down\`, then \`${cdktfCommand("deploy base")}\` (data and record stay)`,
          );
        }
        const states = statuses.map(({ state }) => state);
        const highest = Math.max(...states.map(({ sequence }) => sequence));
        const misfit = compare(record, {
          sequence: highest,
          digest: states.find(({ sequence }) => sequence === highest)?.recordDigest ?? "",
        });
        if (misfit !== null) return misfit;
        const stable = agreed(statuses);
        if (stable === null) {
          return failed("the proxies serve different releases", "`bluegreen retry` or `bluegreen rollback`");
        }
        const wrong = statuses.flatMap((status) => contradiction(status) ?? []);
        if (wrong.length > 0) {
          return failed(
            wrong.join("; "),
            "`bluegreen abort` sets the recorded release again if its servers answer, `bluegreen heal` installs it again if they don't",
          );
        }
        const down = statuses.flatMap(({ endpoints, serving }) =>
          serving.flatMap((slot) => endpoints[slot].filter(({ healthy }) => !healthy)),
        );
        const found = `${statuses.length} up, users get ${stable.releaseId ?? "nothing yet"}`;
        if (down.length === 0) return ok(found);
        const servers = [...new Set(down.map(({ server }) => server))];
        return warning(
          `${found}; ${servers.join(", ")} ${servers.length === 1 ? "does" : "do"} not answer`,
          `\`bluegreen heal ${servers.join(" ")}\``,
        );
      },
    },
  ];
}

/** @returns null if the record is the last one that began. Another check reports an unreadable record. */
function compare(
  record: ReleaseRecord | null,
  known: { readonly sequence: number; readonly digest: string },
): Finding | null {
  if (record === null) return null;
  const { sequence } = record;
  if (sequence < known.sequence) {
    return failed(
      `the record has sequence ${sequence}, but ${known.sequence} has already begun`,
      "pull the newer record, or `bluegreen recover`",
    );
  }
  if (sequence > known.sequence) {
    return warning(
      `the record has sequence ${sequence}, but the last one that began is ${known.sequence}`,
      "`bluegreen retry` applies it, if no release is running",
    );
  }
  if (known.digest === "" || recordDigest(record).startsWith(known.digest)) return null;
  return failed(
    `the record of sequence ${sequence} changed after it began`,
    "revert the change, give it the next sequence, or `bluegreen recover`",
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
        `Terraform is using the state of ${left}, or was killed while using it`,
        "wait for it; if none is running, the next command continues automatically",
      );
    },
  };
}

const Synthesized = z.object({ terraform: z.record(z.string(), z.unknown()) });
/**
 * Reads both states through the stacks' backends, without providers.
 * @param output the folder of the synthesized stacks, relative to the project.
 * @param onRunCommands gets the ids of the run commands in both states, if these can be read.
 */
export function stateCheck(
  project: Project,
  output: string,
  terraform: () => Promise<TerraformBinary>,
  onRunCommands: (ids: readonly string[]) => void = () => undefined,
): Check {
  return {
    name: "state",
    seconds: STATE_SECONDS + 5,
    async run() {
      const { path, name, version } = await terraform();
      const [base, web] = await Promise.all(
        (["base", "web"] as const).map((stack) => pull(project, output, stack, path)),
      );
      if ("problem" in base!) return unreadable("base", project, name, base.problem);
      if ("problem" in web!) return unreadable("web", project, name, web.problem);
      onRunCommands([base!.state, web!.state].flatMap(runCommandIds));
      const azurerm = requiredAzurerm(join(project.folder, output, "stacks", "base"));
      const provider = azurerm === null ? null : judgeProvider(azurerm, base!.state);
      if (provider !== null) return provider;
      const left = mostLeft(web!.state);
      const found = `base has ${count(base!.state)} addresses, web ${count(web!.state)}`;
      if (left >= MANY_LEFT) {
        const status = left >= MOST_LEFT ? failed : warning;
        return status(
          `${found}; at one of them are ${left} deposed objects of failed applies`,
          "`bluegreen abort` removes them",
        );
      }
      const newer = ["base", "web"]
        .map((stack) => writerOf(project, stack))
        .find((writer) => writer !== null && isOlder(coreOf(version), writer));
      if (newer !== undefined) {
        return warning(
          `${found}; version ${newer} wrote it, but this is ${name} ${version}`,
          "use the newer one for everybody (TERRAFORM_BINARY_NAME): an older one may not read all of this state",
        );
      }
      if (isLocal(project.environment)) return ok(found);
      const compared = compareSteps(project, web!.state, found);
      const other = azurerm === null ? null : untested(azurerm);
      if (compared.status !== "ok" || other === null) return compared;
      return warning(
        `${compared.found}; ${other}`,
        "read each plan of base before you apply it, or set platform.provider to one of these",
      );
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
  // As deep as the stack's folder: the local backend's path is relative to it.
  const cwd = join(folder, output, "stacks", `${stack}-state`);
  mkdirSync(cwd, { recursive: true });
  const settings = { terraform: backend === undefined ? { cloud } : { backend } };
  writeFileSync(join(cwd, "backend.tf.json"), JSON.stringify(settings));
  const options = { seconds: STATE_SECONDS / 2, cwd, env: { TF_IN_AUTOMATION: "1", TF_INPUT: "0" } };
  const init = await runLimited(terraform, ["init", "-input=false", "-no-color"], options);
  if (init.exitCode !== 0) return { problem: terraformError(init.stderr) };
  const { exitCode, stdout, stderr } = await runLimited(terraform, ["state", "pull"], options);
  if (exitCode !== 0) return { problem: terraformError(stderr) };
  const state = readState(stdout);
  return state === null ? { problem: "unknown format" } : { state };
}

function terraformError(stderr: string): string {
  return firstLine(firstErrorLines(stderr, 6));
}

function unreadable(
  stack: string,
  { environment }: Project,
  program: TerraformBinary["name"],
  problem: string,
): Finding {
  const { kind } = environment.backend;
  const fix = {
    local: `restore ${stateFile(environment, stack)} from ${stateFile(environment, stack)}.backup`,
    azurerm: "log in (`az login`), with the role Storage Blob Data Contributor on the state's container",
    cloud: `log in (\`${program} login\`), with the right to read the workspaces`,
  }[kind];
  const found = `the state of ${stack} can't be read: ${problem}`;
  if (/encrypt|decrypt/i.test(problem)) {
    return failed(
      found,
      "set TF_ENCRYPTION to what it was when the state was written: the state needs no repair",
    );
  }
  if (problem.includes("Hostname is required")) {
    return failed(
      found,
      'set backend.hostname in the environment file, as "app.terraform.io": OpenTofu has no default',
    );
  }
  return failed(found, `${fix}; docs/commands.md, "When a file or a lock is lost"`);
}

/**
 * The version that wrote a state, which only its file has: `state pull` puts its own. @returns null if it is not known.
 */
function writerOf({ folder, environment }: Project, stack: string): string | null {
  const text =
    environment.backend.kind === "local" ? textOrNull(join(folder, stateFile(environment, stack))) : null;
  return text === null ? null : (readState(text)?.terraform_version ?? null);
}

/** A release candidate writes states as its release. */
function coreOf(version: string): string {
  return version.replace(/-.*$/, "");
}

/** @returns null if the chosen azurerm reads this state, and this machine's variables don't stop it. */
function judgeProvider(version: string, base: PulledState): Finding | null {
  const advice = enhancedValidationAdvice(version, process.env);
  if (advice !== null) return failed(advice, `unset ${ENHANCED_VALIDATION}`);
  if (hasNamesOf5(version) || !isOf5State(base)) return null;
  return failed(olderProvider(version), 'set platform.provider to "5.2.0", or the 5.x that wrote it');
}

function count({ resources }: PulledState): number {
  return resources.reduce((sum, { instances }) => sum + instances.length, 0);
}

/** Deposed ones, too. */
function runCommandIds({ resources }: PulledState): string[] {
  const Identified = z.object({ id: z.string() });
  return resources
    .filter(({ type }) => type === "azurerm_virtual_machine_run_command")
    .flatMap(({ instances }) => instances)
    .flatMap(({ attributes }) => {
      const read = z.safeParse(Identified, attributes);
      return read.success ? [read.data.id] : [];
    });
}

function mostLeft({ resources }: PulledState): number {
  const left = resources.map(
    ({ instances }) => instances.filter(({ deposed }) => deposed !== undefined).length,
  );
  return Math.max(0, ...left);
}

/** Compares the record with the last sequence that began, by the steps' names in the state: it sends Azure no request. */
function compareSteps(project: Project, { resources }: PulledState, found: string): Finding {
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
  return compare(record, last) ?? ok(record === null ? found : `${found}, and the record matches`);
}
