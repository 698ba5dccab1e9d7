/**
 * A stand-in of the azurerm provider: Terraform talks to it by its own protocol. Run commands go to the stand-in of Azure
 * Resource Manager, which runs them; everything else is kept as it was planned.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPackageDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import type { GrpcObject, sendUnaryData, ServerUnaryCall, ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { needsPersistedIds } from "../../../configuration/azure/azurerm";
import { ResourceManager } from "./resource-manager";
import { createRunCommand, readRunCommand, RUN_COMMAND, updateRunCommand } from "./run-command";
import type { Behaviour } from "./run-command";
import { resourceSchemas } from "./schema";
import type { Attribute, Block } from "./schema";
import { decodeValues, encodeValues, isWriteOnly, planOf, withoutUnknowns } from "./values";
import type { DynamicValue, Value, Values } from "./values";
import { PROVIDER_BLOCK } from "./provider-block";

const ADDRESS = "registry.terraform.io/hashicorp/azurerm";
const SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000";
const FEATURE = "persist_id_on_create_before_polling_for_completion";

/** What needs another resource when it changes, as far as tests change it. */
const REPLACED_BY: Readonly<Record<string, readonly string[]>> = {
  [RUN_COMMAND]: ["name", "virtual_machine_id", "location"],
  azurerm_linux_virtual_machine: ["source_image_reference"],
  azurerm_windows_virtual_machine: ["source_image_reference"],
};

interface Request {
  readonly type_name: string;
  readonly id: string;
  readonly config: DynamicValue;
  readonly current_state: DynamicValue;
  readonly prior_state: DynamicValue;
  readonly proposed_new_state: DynamicValue;
  readonly planned_state: DynamicValue;
  readonly raw_state: { readonly json: Uint8Array };
}

export class StandInProvider {
  private readonly folder = mkdtempSync(join(tmpdir(), "bluegreen-azurerm-"));
  private readonly server = new Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  private readonly schemas: ReadonlyMap<string, Block>;
  private readonly azure: ResourceManager;
  private features: Values = {};
  private stops = 0;

  private constructor(
    readonly version: string,
    port: number,
    certificate: string,
  ) {
    this.schemas = resourceSchemas(version);
    this.azure = new ResourceManager(port, certificate);
  }

  /** @param version whose behaviour it shows, as in `4.81.0`. */
  static async start(version: string, port: number, certificate: string): Promise<StandInProvider> {
    const provider = new StandInProvider(version, port, certificate);
    await provider.listen();
    return provider;
  }

  /** For Terraform, which then neither installs nor starts a provider. */
  get env(): NodeJS.ProcessEnv {
    const address = { Network: "unix", String: join(this.folder, "socket") };
    const provider = { Protocol: "grpc", ProtocolVersion: 5, Pid: process.pid, Test: true, Addr: address };
    return { TF_REATTACH_PROVIDERS: JSON.stringify({ [ADDRESS]: provider }) };
  }

  end(): void {
    this.server.forceShutdown();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async listen(): Promise<void> {
    const definition = loadSync(join(__dirname, "tfplugin5.proto"), {
      keepCase: true,
      enums: String,
      bytes: Buffer,
    });
    const { Provider } = loadPackageDefinition(definition)["tfplugin5"] as GrpcObject;
    this.server.addService((Provider as ServiceClientConstructor).service, {
      GetSchema: this.answer(() => this.schema()),
      PrepareProviderConfig: this.answer(({ config }) => ({ prepared_config: config })),
      ValidateResourceTypeConfig: this.answer(() => ({})),
      Configure: this.answer(({ config }) => this.configure(decodeValues(config)!)),
      UpgradeResourceState: this.answer(({ raw_state }) => ({ upgraded_state: { json: raw_state.json } })),
      ReadResource: this.answer((request) => this.read(request)),
      PlanResourceChange: this.answer((request) => this.plan(request)),
      ApplyResourceChange: this.answer((request) => this.apply(request)),
      ImportResourceState: this.answer((request) => this.import(request)),
      Stop: this.answer(() => {
        this.stops++;
        return {};
      }),
    });
    await new Promise<void>((listening, failed) => {
      const address = `unix:${join(this.folder, "socket")}`;
      this.server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
        error ? failed(error) : listening(),
      );
    });
  }

  private answer(action: (request: Request) => object | Promise<object>) {
    return async (call: ServerUnaryCall<Request, object>, done: sendUnaryData<object>) => {
      try {
        done(null, await action(call.request));
      } catch (error) {
        done(error as Error);
      }
    };
  }

  private schema(): object {
    const schemas = Object.fromEntries(
      [...this.schemas].map(([type, block]) => [type, { block: blockMessage(block) }]),
    );
    return { provider: { block: blockMessage(PROVIDER_BLOCK) }, resource_schemas: schemas };
  }

  private configure(config: Values): object {
    const [features] = config["features"] as Values[];
    this.features = features ?? {};
    if (typeof this.features[FEATURE] === "boolean" && !needsPersistedIds(this.version))
      return { diagnostics: [problem(`Unsupported argument ${FEATURE} in azurerm ${this.version}`)] };
    return {};
  }

  private get behaviour(): Behaviour {
    return { version: this.version, persistsIdBeforePolling: this.features[FEATURE] === true };
  }

  private async read({ type_name, current_state }: Request): Promise<object> {
    const state = decodeValues(current_state)!;
    if (type_name !== RUN_COMMAND) return { new_state: current_state };
    return { new_state: encodeValues(await readRunCommand(this.azure, String(state["id"]), state)) };
  }

  private plan({ type_name, prior_state, proposed_new_state }: Request): object {
    const proposed = decodeValues(proposed_new_state);
    const prior = decodeValues(prior_state);
    if (proposed === null) return { planned_state: proposed_new_state };
    const block = this.schemas.get(type_name)!;
    const planned = planOf(proposed, block, prior === null);
    const replaced =
      prior === null
        ? []
        : (REPLACED_BY[type_name] ?? []).filter((name) => differ(prior[name], planned[name]));
    return {
      planned_state: encodeValues(planned),
      requires_replace: replaced.map((attribute_name) => ({ steps: [{ attribute_name }] })),
      legacy_type_system: true,
    };
  }

  private async apply({ type_name, prior_state, planned_state }: Request): Promise<object> {
    const prior = decodeValues(prior_state);
    const planned = decodeValues(planned_state);
    if (planned === null) {
      await this.azure.send("DELETE", String(prior!["id"]));
      return { new_state: planned_state };
    }
    if (type_name !== RUN_COMMAND) return this.keep(type_name, planned);
    const before = this.stops;
    const stopped = () => this.stops > before;
    const { state, error } =
      prior === null
        ? await createRunCommand(this.azure, planned, this.behaviour, stopped)
        : await updateRunCommand(this.azure, planned, stopped);
    return {
      new_state: encodeValues(state),
      diagnostics: error === null ? [] : [problem(error)],
      legacy_type_system: true,
    };
  }

  private async keep(type: string, planned: Values): Promise<object> {
    const id = resourceId(type, planned);
    const fill = (attribute: Attribute) => (attribute.name === "id" ? id : computed(attribute, planned));
    if (/(virtual_machine|resource_group)$/.test(type) && !/assignment/.test(type))
      await this.azure.send("PUT", id, { location: planned["location"], properties: {} });
    const state = withoutUnknowns({ ...planned }, this.schemas.get(type)!, fill);
    return { new_state: encodeValues(state), legacy_type_system: true };
  }

  private async import({ type_name, id }: Request): Promise<object> {
    const block = this.schemas.get(type_name)!;
    const nothing = Object.fromEntries([
      ...block.attributes.map(({ name }) => [name, null]),
      ...block.blocks.map(({ name, nesting }) => [name, nesting === "SINGLE" ? null : []]),
    ]) as Values;
    return { imported_resources: [{ type_name, state: encodeValues({ ...nothing, id, source: [] }) }] };
  }
}

const differ = (one: Value | undefined, other: Value | undefined) =>
  JSON.stringify(one) !== JSON.stringify(other);

function problem(summary: string): object {
  return { severity: "ERROR", summary, detail: "" };
}

function resourceId(type: string, planned: Values): string {
  const name = String(planned["name"] ?? randomUUID());
  const group = `${SUBSCRIPTION}/resourceGroups/${String(planned["resource_group_name"] ?? "none")}`;
  if (type === "azurerm_resource_group") return `${SUBSCRIPTION}/resourceGroups/${name}`;
  if (/^azurerm_(linux|windows)_virtual_machine$/.test(type))
    return `${group}/providers/Microsoft.Compute/virtualMachines/${name}`;
  return `${group}/providers/Microsoft.StandIn/${type}/${name}`;
}

/** What Azure would fill in. */
function computed({ name, type }: Attribute, planned: Values): Value {
  if (type === "number") return 0;
  if (type === "bool") return false;
  if (type !== "string") return type[0] === "map" ? {} : [];
  if (/ur[il]$|endpoint$/.test(name)) return `https://${String(planned["name"])}.stand-in.localhost/`;
  return /(principal|tenant|client)_id$/.test(name) ? randomUUID() : `${name}-of-${String(planned["name"])}`;
}

function blockMessage({ attributes, blocks }: Block): object {
  return {
    attributes: attributes.map(({ name, type, presence }) => ({
      name,
      type: Buffer.from(JSON.stringify(type)),
      required: presence === "required",
      optional: presence.includes("optional"),
      computed: presence.includes("computed"),
      sensitive:
        /password|(access|primary|secondary)_key|connection_string$/.test(name) && !/_wo_version$/.test(name),
      write_only: isWriteOnly(name),
    })),
    block_types: blocks.map(({ name, block, nesting, maxItems }) => ({
      type_name: name,
      block: blockMessage(block),
      nesting,
      max_items: maxItems,
    })),
  };
}
