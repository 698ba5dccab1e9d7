/** Run commands of virtual machines, as the versions of azurerm create, read and lose them. */
import { needsPersistedIds } from "../../../configuration/azure/azurerm";
import type { Answer, ResourceManager } from "./resource-manager";
import type { Value, Values } from "./values";

export const RUN_COMMAND = "azurerm_virtual_machine_run_command";

export interface Behaviour {
  /** As in `4.81.0`. */
  readonly version: string;
  /** The feature of 4.75 and later by this name. */
  readonly persistsIdBeforePolling: boolean;
}

/** What a create came to. `state` is null where the provider forgets what it began. */
export interface Created {
  readonly state: Values | null;
  readonly error: string | null;
}

const runCommandId = (values: Values): string =>
  `${String(values["virtual_machine_id"])}/runCommands/${String(values["name"])}`;

export async function createRunCommand(
  azure: ResourceManager,
  planned: Values,
  behaviour: Behaviour,
  stopped: () => boolean,
): Promise<Created> {
  const id = runCommandId(planned);
  if ((await azure.send("GET", id)).status === 200) {
    const advice = `to be managed via Terraform this resource needs to be imported into the State. Please see the resource documentation for "${RUN_COMMAND}" for more information.`;
    return { state: null, error: `A resource with the ID "${id}" already exists - ${advice}` };
  }
  const remembers = !needsPersistedIds(behaviour.version) || behaviour.persistsIdBeforePolling;
  const error = await putRunCommand(azure, planned, stopped);
  if (error === null) return { state: await readRunCommand(azure, id, planned), error: null };
  const begun = !error.startsWith("unexpected status");
  return {
    state: begun && remembers ? { ...planned, id, instance_view: [] } : null,
    error: !needsPersistedIds(behaviour.version)
      ? `running the command: ${error}`
      : `${describe(planned)}: ${begun ? "polling after CreateOrUpdate: " : ""}${error}`,
  };
}

export async function updateRunCommand(
  azure: ResourceManager,
  planned: Values,
  stopped: () => boolean,
): Promise<Created> {
  const error = await putRunCommand(azure, planned, stopped);
  const state = error === null ? await readRunCommand(azure, runCommandId(planned), planned) : planned;
  return { state, error: error === null ? null : `updating ${describe(planned)}: ${error}` };
}

/** @returns null where it does not exist. What Azure does not give back is taken from `known`. */
export async function readRunCommand(
  azure: ResourceManager,
  id: string,
  known: Values,
): Promise<Values | null> {
  const { status, body } = await azure.send("GET", `${id}?$expand=instanceView`);
  if (status !== 200) return null;
  const view = body.properties.instanceView;
  const instanceView: Values = {
    end_time: view?.endTime ?? "",
    error_message: view?.error ?? "",
    execution_message: view?.executionMessage ?? "",
    execution_state: view?.executionState ?? "",
    exit_code: view?.exitCode ?? 0,
    output: view?.output ?? "",
    start_time: view?.startTime ?? "",
  };
  return {
    ...known,
    id,
    name: body.name,
    location: body.location,
    virtual_machine_id: id.replace(/\/runCommands\/[^/]+$/, ""),
    instance_view: view === undefined ? [] : [instanceView],
    source: known["source"] ?? [
      {
        command_id: null,
        script: body.properties.source?.script ?? "",
        script_uri: null,
        script_uri_managed_identity: [],
      },
    ],
  };
}

/** @returns why it failed; null if it did not. */
async function putRunCommand(
  azure: ResourceManager,
  planned: Values,
  stopped: () => boolean,
): Promise<string | null> {
  const answer = await azure.send("PUT", runCommandId(planned), requestBody(planned));
  if (answer.status >= 400) return refusal(answer);
  const ended = await azure.ended(answer, stopped);
  if (ended === null) return "polling failed: context canceled";
  if (ended.status === "Succeeded") return null;
  return [
    "polling failed: the Azure API returned the following error:",
    "",
    `Status: "${ended.error.code}"`,
    'Code: ""',
    `Message: ${JSON.stringify(ended.error.message)}`,
    'Activity Id: ""',
    ...["", "---", "", "API Response:", "", "----[start]----", JSON.stringify(ended), "-----[end]-----", ""],
  ].join("\n");
}

function requestBody(planned: Values): object {
  const [source] = planned["source"] as Values[];
  const named = (block: string) =>
    ((planned[block] ?? []) as Values[]).map(({ name, value }) => ({ name, value }));
  return {
    location: planned["location"],
    tags: planned["tags"] ?? undefined,
    properties: {
      source: { script: source!["script"] },
      parameters: named("parameter"),
      protectedParameters: named("protected_parameter"),
      treatFailureAsDeploymentFailure: true,
    },
  };
}

function refusal({ status, body }: Answer): string {
  const { code, message } = body?.error ?? { code: "Unknown", message: "" };
  const words: Record<number, string> = {
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
  };
  return `unexpected status ${status} (${status} ${words[status] ?? ""}) with error: ${code}: ${message}`;
}

function describe(planned: Values): string {
  const [, subscription, , group, , , , machine] = String(planned["virtual_machine_id"])
    .slice(1)
    .split("/") as Value[];
  return `creating Virtual Machine Run Command (Subscription: "${String(subscription)}"\nResource Group Name: "${String(group)}"\nVirtual Machine Name: "${String(machine)}"\nRun Command Name: "${String(planned["name"])}")`;
}
