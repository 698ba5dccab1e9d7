/**
 * Collects the traces of a lost record: receipts, the last planned record, Terraform's state, the fences on the local
 * platform's servers, kept artifacts, and the proxies' state. It only reads.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod/mini";
import { DirectorSpec } from "../../configuration/director-spec";
import type { LocalEnvironment } from "../../configuration/environment";
import { MigrateSpec } from "../../release/migrate-spec";
import { serverFolder, serverPlaces } from "../../configuration/naming";
import { parseEdition, parseSlotStepName, parseStep } from "../../release/steps";
import { isLocal } from "../../configuration/platform";
import { emptyRecord, parseRecord, ServerName } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Begun, Findings, FoundRecord } from "../../configuration/recovery";
import { InvalidInput } from "../../release/failure";
import { Artifact, Release } from "../../release/release";
import { artifactsFolder } from "../artifact/kept-files";
import { archiveExtension, digestFile } from "../artifact/local-file";
import { SCRATCH_FILE } from "../artifact/scratch";
import { plannedRecordFile, synthesize, synthesizedFolder } from "../terraform/synth";
import type { Project } from "../project/project";
import type { ProxyStatus } from "../../release/director-status";
import { requireAll } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import { receiptFiles } from "../receipts/receipt-store";
import { Stack } from "../terraform/stack";
import type { StateEntry } from "../terraform/pulled-state";
import type { TerraformBinary } from "../terraform/binary";
import { exists, textOrNull } from "../project/files";

/** A step that ran or was planned: its name and its script's parameters. */
interface Step {
  readonly address: string;
  readonly name: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export async function findTraces(
  project: Project,
  terraform: () => Promise<TerraformBinary>,
): Promise<Findings> {
  const { environment } = project;
  // Read first: a request to the proxies on Azure synthesizes, which replaces the planned record.
  const kept = [...receipts(project), ...plannedRecord(project)];
  const synthesized = synthesizedSteps(project);
  const applied = await appliedSteps(project, terraform, kept[0]?.record);
  const present = readPresent(project);
  const given = [...applied, ...synthesized];
  const specs = given.flatMap(({ parameters }) => decoded(DirectorSpec, parameters["DIRECTOR_SPEC"]));
  const { statuses, silent } = await readProxies(project, terraform, kept[0]?.record);
  const records = [
    ...kept,
    ...statuses.flatMap(({ proxy, state }) => carried(`the state of ${proxy}`, state.record)),
    ...specs.flatMap(({ record }) => carried("the parameters of Terraform's steps", record)),
  ];
  return {
    application: environment.application,
    present,
    proxies: statuses.map(({ proxy, state }) => ({ proxy, ...state })),
    silent,
    begun: [...applied.flatMap(begun), ...fences(project)],
    records,
    specs,
    releases: [
      ...[...records.map(({ record }) => record), ...(present === null ? [] : [present])].flatMap(releasesOf),
      ...installedReleases(given),
    ],
    artifacts: await keptArtifacts(project),
    heals: healsIn(applied),
  };
}

/** The current record; null if it is missing or can't be read. */
function readPresent({ folder, environment }: Project): ReleaseRecord | null {
  const record = readIfRecord(join(folder, environment.record));
  return record?.application === environment.application ? record : null;
}

// --- whole records ----------------------------------------------------------------------------------------------------

/** From receipts, the highest sequence first. A receipt with other damage still has its record. */
function receipts(project: Project): FoundRecord[] {
  return (
    receiptFiles(project)
      .flatMap((file) => {
        const { record } = parsed(join(project.folder, file)) as { record?: { after?: unknown } };
        return carried(`the receipt ${file}`, record?.after);
      })
      // Another application may use the same folder for its receipts.
      .filter(({ record }) => record.application === project.environment.application)
      .sort((one, other) => other.record.sequence - one.record.sequence)
  );
}

function plannedRecord(project: Project): FoundRecord[] {
  const file = plannedRecordFile(project);
  const record = readIfRecord(file);
  return record === null ? [] : [{ where: basename(file), record }];
}

/** A record inside another document; empty without a valid one. */
function carried(where: string, json: unknown): FoundRecord[] {
  const record = asRecord(JSON.stringify(json ?? null));
  return record === null ? [] : [{ where, record }];
}

function releasesOf({ slots, previous }: ReleaseRecord): Release[] {
  return [slots.blue, slots.green, previous].filter((release) => release !== null);
}

function readIfRecord(path: string): ReleaseRecord | null {
  const text = textOrNull(path);
  return text === null ? null : asRecord(text);
}

function asRecord(text: string): ReleaseRecord | null {
  try {
    return parseRecord(text, "the record");
  } catch (error) {
    if (error instanceof InvalidInput) return null;
    throw error;
  }
}

// --- steps ------------------------------------------------------------------------------------------------------------

const StateValues = z.object({
  name: z.optional(z.string()),
  triggers_replace: z.optional(z.unknown()),
  parameter: z.optional(z.nullable(z.array(z.object({ name: z.string(), value: z.string() })))),
});

/** The steps in Terraform's state: on Azure with all parameters, on the local platform with names only. */
async function appliedSteps(
  project: Project,
  terraform: () => Promise<TerraformBinary>,
  record: ReleaseRecord | undefined,
): Promise<Step[]> {
  const output = synthesizedFolder(project);
  const isSynthesized = existsSync(join(output, "stacks", "web", "cdk.tf.json"));
  const folder = isSynthesized
    ? output
    : await synthesize(project, record ?? emptyRecord(project.environment.application));
  const entries = await new Stack(folder, "web", await terraform()).state();
  return entries.flatMap(appliedStep);
}

function appliedStep({ address, values }: StateEntry): Step[] {
  const read = z.safeParse(StateValues, values);
  if (!read.success) return [];
  const { name, triggers_replace: trigger, parameter } = read.data;
  const stepName = name ?? (typeof trigger === "string" ? trigger : undefined);
  if (stepName === undefined) return [];
  const given = Object.fromEntries((parameter ?? []).map((each) => [each.name, each.value]));
  const [windows] = decoded(z.record(z.string(), z.string()), given["Parameters"]);
  return [{ address, name: stepName, parameters: { ...given, ...windows } }];
}

const SynthesizedStack = z.object({
  resource: z.object({
    terraform_data: z.record(
      z.string(),
      z.object({
        provisioner: z.array(
          z.object({
            "local-exec": z.object({
              command: z.string(),
              environment: z.record(z.string(), z.string()),
            }),
          }),
        ),
      }),
    ),
  }),
});

/** The parameters of the local platform's steps, from the last synth: the state does not have them. */
function synthesizedSteps(project: Project): Step[] {
  const path = join(synthesizedFolder(project), "stacks/web/cdk.tf.json");
  const read = z.safeParse(SynthesizedStack, parsed(path));
  if (!read.success) return [];
  return Object.entries(read.data.resource.terraform_data).flatMap(([id, { provisioner }]) =>
    provisioner.map(({ "local-exec": { command, environment } }) => ({
      address: `terraform_data.${id}`,
      name: command,
      parameters: environment,
    })),
  );
}

function begun({ name }: Step): Begun[] {
  const edition = parseEdition(name);
  if (edition === null || edition.kind === "migrate") return [];
  return [{ sequence: edition.sequence, digest: edition.digest }];
}

/** Each server of the local platform stores the highest sequence that it has installed. */
function fences({ folder, environment }: Project): Begun[] {
  if (!isLocal(environment)) return [];
  return serverPlaces(environment).flatMap(({ name }) => {
    const path = join(folder, serverFolder(environment as LocalEnvironment, name), "sequence");
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    const [, sequence, digest] = /^(\d{1,15}) ([0-9a-f]{64})\s*$/.exec(text) ?? [];
    return sequence === undefined || digest === undefined ? [] : [{ sequence: Number(sequence), digest }];
  });
}

/** The install step of a healed server has the heal's name, until the next release into that slot. */
function healsIn(steps: readonly Step[]): Record<string, number> {
  const heals: Record<string, number> = {};
  for (const { address, name } of steps) {
    const step = parseStep(address);
    const heal = parseSlotStepName(name);
    if (heal?.kind !== "heal" || step?.kind !== "install" || !z.safeParse(ServerName, step.server).success)
      continue;
    heals[step.server] = Math.max(heals[step.server] ?? 0, heal.sequence);
  }
  return heals;
}

function migrateSpecs({ parameters }: Step): MigrateSpec[] {
  return decoded(MigrateSpec, parameters["MIGRATE_SPEC"]);
}

function installedReleases(steps: readonly Step[]): Release[] {
  const bundles = steps.flatMap(migrateSpecs);
  return steps.flatMap(({ parameters }) => {
    const { RELEASE_ID: id, VERSION: version, ARTIFACT_SHA256: sha256 } = parameters;
    const url = Buffer.from(parameters["ARTIFACT_URL_BASE64"] ?? "", "base64").toString("utf8");
    const run = Number(/-(\d+)$/.exec(id ?? "")?.[1]);
    const migrations = bundles.find(({ releaseId }) => releaseId === id);
    const release = z.safeParse(Release, {
      version,
      run,
      artifact: { url, sha256 },
      ...(migrations === undefined ? {} : { migrations: migrations.bundle }),
    });
    return release.success ? [release.data] : [];
  });
}

function decoded<T extends z.ZodMiniType>(schema: T, text: string | undefined): z.infer<T>[] {
  if (text === undefined) return [];
  try {
    const read = z.safeParse(schema, JSON.parse(Buffer.from(text, "base64").toString("utf8")));
    return read.success ? [read.data] : [];
  } catch {
    return [];
  }
}

// --- artifacts --------------------------------------------------------------------------------------------------------

/** Artifacts from `publish`, or that a person added under any name: the content decides, as for the installers. */
async function keptArtifacts(project: Project): Promise<Artifact[]> {
  const folder = artifactsFolder(project);
  if (!isLocal(project.environment) || !exists(folder)) return [];
  const found: Artifact[] = [];
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
    if (!isFile || SCRATCH_FILE.test(name) || (await archiveExtension(path)) === null) continue;
    const { sha256 } = await digestFile(path);
    const artifact = z.safeParse(Artifact, { url: pathToFileURL(path).href, sha256 });
    if (artifact.success) found.push(artifact.data);
  }
  return found;
}

// --- proxies ----------------------------------------------------------------------------------------------------------

/**
 * After users were moved by hand, the proxies that answer suffice: the others follow the record.
 * @throws Failure if a proxy does not answer: otherwise recovery must know what users get.
 */
async function readProxies(
  project: Project,
  terraform: () => Promise<TerraformBinary>,
  record: ReleaseRecord | undefined,
): Promise<{ readonly statuses: readonly ProxyStatus[]; readonly silent: readonly string[] }> {
  const proxies = proxiesOf(project, terraform);
  const known = record ?? emptyRecord(project.environment.application);
  if (!proxies.baseIsDeployed(known)) return { statuses: [], silent: [] };
  const survey = await proxies.survey(known);
  const wasMoved = survey.statuses.some(({ state }) => (state.brokenGlass ?? null) !== null);
  const statuses = wasMoved ? survey.statuses : requireAll(survey);
  return { statuses, silent: survey.silent.map(({ proxy }) => proxy) };
}

/** @returns an empty object if the file is missing or is not a JSON object. */
function parsed(path: string): object {
  try {
    const json: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof json === "object" && json !== null ? json : {};
  } catch {
    return {};
  }
}
