/**
 * The journal on Azure, as far as it is known: only the operations server reaches the database, so this is the output of
 * the last migrate step, which Azure keeps and a refresh reads into Terraform's state.
 */
import type { AzureEnvironment } from "../../configuration/environment";
import { MigratorResult } from "../../release/migrations/migrator-words";
import { OPERATIONS_SERVER } from "../../configuration/naming";
import { parseEdition, parseStep, stepId } from "../../release/steps";
import { target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { readResultLine } from "../../release/result-line";
import { synthesize } from "../terraform/synth";
import type { Project } from "../project/project";
import type { TerraformBinary } from "../terraform/binary";
import { Stack } from "../terraform/stack";
import type { StateResource } from "../terraform/stack";
import type { KnownJournal, KnownScript } from "./journal";

export async function journalOfLastStep(
  project: Project,
  environment: AzureEnvironment,
  record: ReleaseRecord,
  terraform: () => Promise<TerraformBinary>,
): Promise<KnownJournal> {
  // Not in the folder of a release that may be running; the state is the same for any record.
  const aside = { ...project, environment: { ...environment, name: `${environment.name}/watch` } };
  const web = new Stack(await synthesize(aside, record), "web", await terraform());
  return readJournal(record, await web.refreshedState());
}

/** @param resources of the refreshed web state. */
export function readJournal(record: ReleaseRecord, resources: readonly StateResource[]): KnownJournal {
  const id = stepId.migrate(OPERATIONS_SERVER);
  const step = resources.find(({ address, deposed }) => !deposed && parseStep(address)?.id === id);
  const waiting = scripts(waitingContracts(record), "waiting");
  if (step === undefined) return { source: "lastStep", step: null, scripts: waiting, ahead: [] };
  const { name, exitCode, output } = step;
  const result = readResultLine(MigratorResult, output);
  const known = [
    ...scripts(result?.applied.map(({ script }) => script) ?? [], "applied"),
    ...scripts(result?.adopted ?? [], "applied"),
    ...scripts(result?.running ? [result.running] : [], "running"),
    ...scripts(result?.waiting ?? [], "waiting"),
    ...waiting,
  ];
  return {
    source: "lastStep",
    step: {
      name,
      sequence: parseEdition(name)?.sequence ?? null,
      exitCode,
      outcome: result?.outcome ?? "unknown",
      reason: result?.reason ?? null,
    },
    scripts: known
      .filter((each, index) => known.findIndex((other) => other.name === each.name) === index)
      .sort((one, other) => Number.parseInt(one.name, 10) - Number.parseInt(other.name, 10)),
    ahead: result?.ahead ?? [],
  };
}

function waitingContracts(record: ReleaseRecord): string[] {
  const { contracts = [] } = target(record) ?? {};
  return contracts.filter((script) => record.contracted?.includes(script) !== true);
}

function scripts(names: readonly string[], status: KnownScript["status"]): KnownScript[] {
  return names.map((name) => ({
    name,
    status,
    phase: status === "waiting" ? "contract" : null,
    release: null,
    started: null,
    finished: null,
  }));
}
