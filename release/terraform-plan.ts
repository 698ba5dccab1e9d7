/**
 * Reads a saved plan from `terraform show -json`, strictly. Each field that Terraform (1.5 to 1.16) and OpenTofu (1.6 to 1.12)
 * can write is listed here: it is judged, or it does nothing when the plan is applied. A field, an action or a kind of
 * resource that is not listed is refused, because a new word in a plan can mean a new effect.
 *
 * Source: `internal/command/jsonplan` of hashicorp/terraform and opentofu/opentofu, and
 * https://developer.hashicorp.com/terraform/internals/json-format
 */
import * as z from "zod/mini";
import { Refusal } from "./failure";
import { inOneLine, quote } from "./text";
import { parseFile } from "./validation";

/** Fields of a plan that have no effect of their own. Judged ones are in {@link PlanJson}. */
const INFORMATION = [
  "terraform_version",
  "timestamp",
  "variables",
  // What the changes result in.
  "planned_values",
  // What the refresh found. The changes are based on it.
  "prior_state",
  "resource_drift",
  "relevant_attributes",
  // A failed check block is a warning; a failed condition ends the plan with an error.
  "checks",
  // Whether there is anything to apply.
  "applyable",
];
const CHANGE_INFORMATION = [
  ...["module_address", "type", "name", "index", "provider_name"],
  // Why: the actions say what.
  "action_reason",
];
const VALUE_INFORMATION = [
  ...["after_unknown", "before_sensitive", "after_sensitive", "replace_paths"],
  ...["before_identity", "after_identity"],
];
/** By the kind of resource. Data is read, and an ephemeral resource opened and closed: both change nothing. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  managed: [
    ...["no-op", "create", "update", "delete", "delete, create", "create, delete"],
    // What Terraform forgets goes on without it: Terraform 1.7 and 1.12, OpenTofu 1.7.
    ...["forget", "create, forget", "forget, create"],
  ],
  data: ["no-op", "read"],
  // Terraform plans without them, and OpenTofu has none of its own words for what it does to them.
  ephemeral: ["no-op", "read", "create", "Open", "Renew", "Close"],
};
const OUTPUT_ACTIONS = ["no-op", "create", "update", "delete", "delete, create"];

/** Terraform escapes what it quotes, so its plans contain none of these characters. Refused values are printed. */
const Printable = z
  .string()
  .check(z.regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,2000}$/u, "is not something that Terraform writes"));

const Values = z.looseObject({
  actions: z.array(Printable),
  importing: z.optional(z.unknown()),
  generated_config: z.optional(z.string()),
  before: z.optional(z.unknown()),
  after: z.optional(z.unknown()),
});
const ChangeJson = z.looseObject({
  address: Printable,
  previous_address: z.optional(Printable),
  mode: z.optional(z.string()),
  index_unknown: z.optional(z.boolean()),
  deposed: z.optional(z.string()),
  change: Values,
});
const InvocationJson = z.looseObject({
  address: Printable,
  lifecycle_action_trigger: z.optional(
    z.looseObject({
      triggering_resource_address: z.optional(Printable),
      action_trigger_event: z.optional(Printable),
    }),
  ),
});
const ConfiguredModule = z.object({
  resources: z.optional(
    z.array(
      z.object({
        address: Printable,
        mode: z.optional(z.string()),
        count_expression: z.optional(z.unknown()),
        for_each_expression: z.optional(z.unknown()),
      }),
    ),
  ),
  module_calls: z.optional(z.record(z.string(), z.unknown())),
});
type ConfiguredModule = z.infer<typeof ConfiguredModule>;
const ModuleCall = z.object({
  count_expression: z.optional(z.unknown()),
  for_each_expression: z.optional(z.unknown()),
  module: z.optional(ConfiguredModule),
});

const PlanJson = z.looseObject({
  format_version: z.optional(
    z.string().check(z.regex(/^1\./, "is not 1.x, the format that this version can read")),
  ),
  errored: z.optional(z.boolean()),
  complete: z.optional(z.boolean()),
  resource_changes: z._default(z.array(ChangeJson), []),
  deferred_changes: z._default(z.array(z.looseObject({ resource_change: z.optional(z.unknown()) })), []),
  action_invocations: z._default(z.array(InvocationJson), []),
  deferred_action_invocations: z._default(
    z.array(z.looseObject({ action_invocation: z.optional(z.unknown()) })),
    [],
  ),
  output_changes: z._default(z.record(Printable, Values), {}),
  configuration: z.optional(z.object({ root_module: z.optional(ConfiguredModule) })),
});

/** What a plan does to one resource. */
export interface Change {
  readonly address: string;
  readonly actions: readonly string[];
  /** Set for a deposed object, left by a failed replacement. */
  readonly deposed?: string;
  /** Its previous address in the state. */
  readonly movedFrom?: string;
  readonly imported?: boolean;
  /** Resource ids of the step's machines, before and after; none on the local platform. */
  readonly machines?: readonly string[];
}

/** An `action` of a provider that runs during the apply, for example before a resource is created. */
export interface Invocation {
  readonly address: string;
  /** Such as "after_create of terraform_data.begin-proxy-1"; "-invoke" if it was asked for. */
  readonly trigger: string;
}

/** A Terraform plan, read by {@link readPlan}. */
export interface Plan {
  readonly changes: readonly Change[];
  /** Actions that it invokes, Terraform 1.14 and later. */
  readonly invocations: readonly Invocation[];
  /** Addresses of data sources and ephemeral resources that are read during the apply. */
  readonly reads: readonly string[];
  /** Names of outputs that change. */
  readonly outputs: readonly string[];
  /**
   * Configured resources that are not in the plan, because of `-target` or `-exclude`, or because OpenTofu's `enabled` is
   * false. One with a `count` or `for_each` is not listed: it may have no instances.
   */
  readonly leftOut: readonly string[];
  /** Applying it would change nothing. */
  readonly isEmpty: boolean;
}

/**
 * @throws InvalidInput if it is not a plan. @throws Refusal if Terraform could not finish it, left out or deferred a part of
 * it, or if it has something that this version can't judge.
 */
export function readPlan(json: string, file = "the plan"): Plan {
  const plan = parseFile(PlanJson, json, file);
  if (plan.errored === true) throw refused(`${file} ended with an error, so it is incomplete`);
  refuseUnknown(plan, PlanJson, INFORMATION, file);
  const deferred = [
    ...plan.deferred_changes.map((each) => addressIn(each.resource_change)),
    ...plan.deferred_action_invocations.map((each) => addressIn(each.action_invocation)),
  ];
  if (deferred.length > 0) {
    throw refused(`${file} defers ${deferred.join(", ")} to a later plan, so what it does is not known`);
  }
  for (const change of plan.resource_changes) refuseUnknownChange(change, file);
  for (const [name, change] of Object.entries(plan.output_changes)) {
    refuseUnknownValues(change, OUTPUT_ACTIONS, `output ${name}`, file);
  }
  if (plan.complete === false) {
    throw refused(`${file} is incomplete ("complete" is false): plan without -target`);
  }
  const managed = plan.resource_changes.filter((change) => isManaged(change));
  const changes = managed.map(({ address, previous_address, deposed, change }) => ({
    address,
    actions: change.actions,
    ...(deposed === undefined ? {} : { deposed }),
    ...(previous_address === undefined ? {} : { movedFrom: previous_address }),
    ...(isPresent(change.importing) ? { imported: true } : {}),
    machines: [change.before, change.after].flatMap(machineOf),
  }));
  const invocations = plan.action_invocations.map(invocationOf);
  const outputs = Object.entries(plan.output_changes).flatMap(([name, { actions }]) =>
    isNoOp(actions) ? [] : [name],
  );
  return {
    changes,
    invocations,
    reads: plan.resource_changes.flatMap((change) =>
      isManaged(change) || isNoOp(change.change.actions) ? [] : [change.address],
    ),
    outputs,
    leftOut: leftOut(plan.configuration?.root_module, plan.resource_changes),
    isEmpty: invocations.length === 0 && outputs.length === 0 && !changes.some(affects),
  };
}

/** The plan changes the resource or its state. */
export function affects({ actions, movedFrom, imported }: Change): boolean {
  return !isNoOp(actions) || movedFrom !== undefined || imported === true;
}

/** The resource, or what it was before, goes on without Terraform. */
export function forgets({ actions }: Change): boolean {
  return actions.includes("forget");
}

function refuseUnknownChange(change: z.infer<typeof ChangeJson>, file: string): void {
  const { address, mode = "managed" } = change;
  refuseUnknown(change, ChangeJson, CHANGE_INFORMATION, file, address);
  const known = Object.hasOwn(ACTIONS, mode) ? ACTIONS[mode] : undefined;
  if (known === undefined) throw unknown(`a resource of the kind ${quote(mode)}, ${address}`, file);
  if (change.index_unknown === true) throw refused(`${file} does not know all instances of ${address}`);
  refuseUnknownValues(change.change, known, address, file);
}

function refuseUnknownValues(
  change: z.infer<typeof Values>,
  known: readonly string[],
  what: string,
  file: string,
): void {
  refuseUnknown(change, Values, VALUE_INFORMATION, file, what);
  const actions = change.actions.join(", ");
  if (!known.includes(actions)) throw unknown(`the actions ${quote(actions)} for ${what}`, file);
  if (change.generated_config) {
    throw refused(`${file} generates a configuration for ${what}, which is not in the stack`);
  }
}

/** @param known fields that have no effect, besides those that the schema has. */
function refuseUnknown(
  json: Readonly<Record<string, unknown>>,
  { shape }: { readonly shape: Readonly<Record<string, unknown>> },
  known: readonly string[],
  file: string,
  what?: string,
): void {
  const key = Object.keys(json).find((each) => !Object.hasOwn(shape, each) && !known.includes(each));
  if (key === undefined) return;
  throw unknown(`the field ${quote(key)}${what === undefined ? "" : ` for ${what}`}`, file);
}

function unknown(what: string, file: string): Refusal {
  return refused(
    `${file} has ${what}, which this version can't judge; use another version of Terraform, or a newer bluegreen`,
  );
}

function refused(message: string): Refusal {
  return new Refusal("not-in-the-plan", `${message}; nothing was applied`);
}

function isManaged({ mode = "managed" }: { readonly mode?: string | undefined }): boolean {
  return mode === "managed";
}

function isNoOp(actions: readonly string[]): boolean {
  return actions.every((action) => action === "no-op");
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function invocationOf({
  address,
  lifecycle_action_trigger: trigger,
}: z.infer<typeof InvocationJson>): Invocation {
  if (trigger === undefined) return { address, trigger: "-invoke" };
  const { action_trigger_event: event = "an event", triggering_resource_address: resource } = trigger;
  return { address, trigger: resource === undefined ? event : `${event} of ${resource}` };
}

/** A deferred thing's address, for a message. */
function addressIn(json: unknown): string {
  const { address } = (json ?? {}) as { address?: unknown };
  return typeof address === "string" ? inOneLine(address).slice(0, 200) : "a resource without an address";
}

function machineOf(values: unknown): string[] {
  const { virtual_machine_id: id } = (values ?? {}) as { virtual_machine_id?: unknown };
  return typeof id === "string" ? [inOneLine(id)] : [];
}

/** A whole plan has at least one change, mostly a no-op, for each configured resource. */
function leftOut(
  root: ConfiguredModule | undefined,
  changes: readonly { readonly address: string }[],
): string[] {
  const planned = new Set(
    changes.map(({ address }) => address.replace(/\[(?:\d+|"(?:[^"\\]|\\.)*")\]/g, "")),
  );
  return root === undefined ? [] : configured(root, "").filter((address) => !planned.has(address));
}

function configured({ resources = [], module_calls = {} }: ConfiguredModule, prefix: string): string[] {
  const own = resources.flatMap((resource) =>
    isManaged(resource) && isSingle(resource) ? [`${prefix}${resource.address}`] : [],
  );
  const called = Object.entries(module_calls).flatMap(([name, call]) => {
    const read = z.safeParse(ModuleCall, call);
    if (!read.success || !isSingle(read.data) || read.data.module === undefined) return [];
    return configured(read.data.module, `${prefix}module.${name}.`);
  });
  return [...own, ...called];
}

function isSingle(json: {
  readonly count_expression?: unknown;
  readonly for_each_expression?: unknown;
}): boolean {
  return json.count_expression === undefined && json.for_each_expression === undefined;
}
