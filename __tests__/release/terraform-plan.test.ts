/**
 * What a plan can have, word by word, each with its verdict for web and for base. The words are those of `internal/command/jsonplan`
 * in Terraform 1.5.7 to 1.16.0-rc2 and OpenTofu 1.6.0 to 1.12.6; __tests__/terraform/plans.test.ts makes such plans with the
 * Terraform that is here.
 */
import { formatBasePlan, summarize } from "../../cli/deployment/base";
import { proveLiveSlotUntouched } from "../../release/plan-proof";
import { readPlan } from "../../release/terraform-plan";

type Json = Readonly<Record<string, unknown>>;

const change = (address: string, actions: readonly string[], more: Json = {}, values: Json = {}) => ({
  address,
  mode: "managed",
  type: address.split(".")[0],
  name: address.split(".")[1],
  provider_name: "terraform.io/builtin/terraform",
  ...more,
  change: { actions, before: null, after: {}, after_unknown: {}, ...values },
});
/** Blue is live; the release goes to green. */
const STEPS = [
  change("terraform_data.install-blue-web-1", ["no-op"]),
  change("terraform_data.install-green-web-1", ["create", "delete"]),
];
const PLAN = {
  format_version: "1.2",
  terraform_version: "1.16.0",
  resource_changes: STEPS,
  timestamp: "2026-11-29T12:00:00Z",
  errored: false,
};

/** @returns null if web may be applied, otherwise why not. */
function web(more: Json): string | null {
  return refusalOf(() => proveLiveSlotUntouched(readPlan(JSON.stringify({ ...PLAN, ...more })), "blue"));
}

/** @returns the lines that `plan base` prints, or why it is refused. */
function base(more: Json): string {
  const text = JSON.stringify({ ...PLAN, resource_changes: [], ...more });
  let shown = "";
  const refusal = refusalOf(() => (shown = formatBasePlan(summarize(readPlan(text)))));
  return refusal ?? shown;
}

function refusalOf(judge: () => unknown): string | null {
  try {
    judge();
    return null;
  } catch (error) {
    const { message, exitCode } = error as { message: string; exitCode?: number };
    expect({ message, exitCode }).toEqual({ message, exitCode: 3 });
    expect(message).toMatch(/nothing was applied/);
    return message;
  }
}

const ACTION = {
  address: "action.local_command.mail",
  type: "local_command",
  name: "mail",
  config_values: { command: "mail" },
  provider_name: "registry.terraform.io/hashicorp/local",
  lifecycle_action_trigger: {
    triggering_resource_address: "terraform_data.begin-proxy-1",
    action_trigger_event: "after_create",
    action_trigger_block_index: 0,
    actions_list_index: 0,
  },
};
const NOTHING = "base: nothing to change";
const FREE = change("terraform_data.elsewhere", ["no-op"]);

interface Word {
  readonly key: string;
  /** Its first version. */
  readonly since: string;
  readonly value: unknown;
  /** null: it does nothing to web. */
  readonly web: RegExp | null;
  readonly base: string | RegExp;
}

const WORDS: readonly Word[] = [
  { key: "format_version", since: "1.5", value: "1.2", web: null, base: NOTHING },
  { key: "terraform_version", since: "1.5", value: "1.17.0", web: null, base: NOTHING },
  { key: "variables", since: "1.5", value: { v: { value: 1 } }, web: null, base: NOTHING },
  { key: "planned_values", since: "1.5", value: { root_module: {} }, web: null, base: NOTHING },
  { key: "resource_drift", since: "1.5", value: [change("a.b", ["delete"])], web: null, base: NOTHING },
  {
    key: "resource_changes",
    since: "1.5",
    value: [...STEPS, change("a.b", ["update"])],
    web: /change a\.b \(update\), which is not a release step/,
    base: /update {3}a\.b/,
  },
  {
    key: "deferred_changes",
    since: "1.9",
    value: [
      { reason: "deferred_prereq", resource_change: change("terraform_data.install-blue-web-1", ["delete"]) },
    ],
    web: /defers terraform_data\.install-blue-web-1 to a later plan/,
    base: /defers terraform_data\.install-blue-web-1 to a later plan/,
  },
  {
    key: "deferred_action_invocations",
    since: "1.14",
    value: [{ reason: "deferred_prereq", action_invocation: ACTION }],
    web: /defers action\.local_command\.mail to a later plan/,
    base: /defers action\.local_command\.mail to a later plan/,
  },
  {
    key: "output_changes",
    since: "1.5",
    value: { address: { actions: ["update"], before: 1, after: 2, after_unknown: false } },
    web: null,
    base: /^output {3}address$/m,
  },
  {
    key: "action_invocations",
    since: "1.14",
    value: [ACTION],
    web: /invoke action\.local_command\.mail \(after_create of terraform_data\.begin-proxy-1\)/,
    base: /^invoke {3}action\.local_command\.mail \(after_create of terraform_data\.begin-proxy-1\)$/m,
  },
  { key: "prior_state", since: "1.5", value: { values: {} }, web: null, base: NOTHING },
  { key: "configuration", since: "1.5", value: { root_module: {} }, web: null, base: NOTHING },
  {
    key: "relevant_attributes",
    since: "1.5",
    value: [{ resource: "a.b", attribute: ["id"] }],
    web: null,
    base: NOTHING,
  },
  {
    key: "checks",
    since: "1.5",
    value: [{ address: { kind: "check", name: "c" }, status: "fail" }],
    web: null,
    base: NOTHING,
  },
  { key: "timestamp", since: "1.5", value: "2026-11-29T12:00:00Z", web: null, base: NOTHING },
  { key: "applyable", since: "1.8", value: true, web: null, base: NOTHING },
  { key: "complete", since: "1.8", value: false, web: /is incomplete/, base: /is incomplete/ },
  { key: "errored", since: "1.5", value: true, web: /ended with an error/, base: /ended with an error/ },
];

/** Of the plan in Terraform 1.17's development. */
const TOP_LEVEL =
  "format_version terraform_version variables planned_values resource_drift resource_changes deferred_changes " +
  "deferred_action_invocations output_changes action_invocations prior_state configuration relevant_attributes checks " +
  "timestamp applyable complete errored";

test("every field of a plan has its verdict here", () => {
  expect(WORDS.map(({ key }) => key)).toEqual(TOP_LEVEL.split(" "));
});

test.each(WORDS)("$key, since $since", ({ key, value, web: forWeb, base: forBase }) => {
  const judged = web({ [key]: value });
  if (forWeb === null) expect(judged).toBeNull();
  else expect(judged).toMatch(forWeb);
  const shown = base({ [key]: value });
  if (typeof forBase === "string") expect(shown).toBe(forBase);
  else expect(shown).toMatch(forBase);
});

test.each([
  ["in the plan", { effects: [] }, `the field "effects"`],
  ["of a name that would not be shown as it is", { "a\u202eb": 1 }, `the field "a?b"`],
  ["for a resource", { resource_changes: [{ ...FREE, fate: 1 }] }, `"fate" for terraform_data.elsewhere`],
  [
    "for a change",
    { resource_changes: [change("a.b", ["no-op"], {}, { cost: 1 })] },
    `the field "cost" for a.b`,
  ],
  [
    "for an output",
    { output_changes: { o: { actions: ["no-op"], cost: 1 } } },
    `the field "cost" for output o`,
  ],
])("a field that no version has yet is refused by name: %s", (_, more, name) => {
  for (const judged of [web(more), base(more)]) {
    expect(judged).toMatch(`${name}, which this version can't judge`);
  }
});

const STEP = "terraform_data.install-green-web-1";

/** What happens to the idle slot's step in web, and to a resource of base. */
test.each<[readonly string[], RegExp | null, string]>([
  [["no-op"], null, NOTHING],
  [["create"], null, "create   "],
  [["update"], null, "update   "],
  [["delete"], null, "destroy  "],
  [["delete", "create"], null, "replace  "],
  [["create", "delete"], null, "replace  "],
  [["forget"], /would forget .* \(forget\)/, "forget   "],
  // Terraform 1.12 and later.
  [["create", "forget"], /would forget .* \(create, forget\)/, "forget   "],
  // OpenTofu 1.12.
  [["forget", "create"], /would forget .* \(forget, create\)/, "forget   "],
  [["read"], /can't judge/, `the actions "read"`],
  [[], /can't judge/, `the actions ""`],
  [["update", "delete"], /can't judge/, `the actions "update, delete"`],
  [["create", "create"], /can't judge/, `the actions "create, create"`],
  [["Renew"], /can't judge/, `the actions "Renew"`],
  [["hibernate"], /can't judge/, `the actions "hibernate"`],
])("the actions %j", (actions, forWeb, forBase) => {
  const judged = web({ resource_changes: [STEPS[0], change(STEP, actions)] });
  if (forWeb === null) expect(judged).toBeNull();
  else expect(judged).toMatch(forWeb);
  expect(base({ resource_changes: [change("terraform_data.elsewhere", actions)] })).toContain(forBase);
});

describe.each([
  ["data", ["no-op", "read"], ["create", "update", "delete"]],
  ["ephemeral", ["no-op", "read", "create", "Open", "Renew", "Close"], ["update", "delete", "forget"]],
])("%s resources", (mode, known, unknown) => {
  const read = (action: string) => change(`${mode}.a.b`, [action], { mode });

  test.each(known)("%s changes nothing; base shows it", (action) => {
    expect(web({ resource_changes: [...STEPS, read(action)] })).toBeNull();
    expect(base({ resource_changes: [read(action)] })).toContain(
      action === "no-op" ? NOTHING : `read     ${mode}.a.b`,
    );
  });

  test.each(unknown)("%s is refused", (action) => {
    expect(web({ resource_changes: [...STEPS, read(action)] })).toMatch(/can't judge/);
    expect(base({ resource_changes: [read(action)] })).toMatch(/can't judge/);
  });
});

test("another kind of resource is refused", () => {
  const listed = change("list.a.b", ["no-op"], { mode: "list" });
  const words = /a resource of the kind "list", list\.a\.b, which this version can't judge/;
  expect(web({ resource_changes: [...STEPS, listed] })).toMatch(words);
  expect(base({ resource_changes: [listed] })).toMatch(words);
});

test.each<[string, Json, Json, RegExp | null, RegExp]>([
  ["moved", { previous_address: "terraform_data.old" }, {}, null, /move {5}terraform_data\.old -> /],
  ["imported by id", {}, { importing: { id: "x" } }, /would import/, /import {3}/],
  ["imported by identity", {}, { importing: { identity: { id: "x" } } }, /would import/, /import {3}/],
  [
    "with a generated configuration",
    {},
    { generated_config: "{}" },
    /generates a config/,
    /generates a config/,
  ],
  ["with unknown instances", { index_unknown: true }, {}, /all instances of/, /all instances of/],
  ["deposed", { deposed: "1a2b3c4d" }, {}, null, /^base: nothing to change$/],
  ["for a reason", { action_reason: "delete_because_enabled_false" }, {}, null, /^base: nothing to change$/],
  ["with an index", { index: 0, module_address: "module.a" }, {}, null, /^base: nothing to change$/],
  [
    "with identities",
    {},
    { before_identity: {}, after_identity: {}, before_sensitive: {}, after_sensitive: {}, replace_paths: [] },
    null,
    /^base: nothing to change$/,
  ],
])("a resource that is %s", (_, more, values, forWeb, forBase) => {
  const judged = web({ resource_changes: [...STEPS, change(STEP, ["no-op"], more, values)] });
  if (forWeb === null) expect(judged).toBeNull();
  else expect(judged).toMatch(forWeb);
  expect(base({ resource_changes: [change("terraform_data.elsewhere", ["no-op"], more, values)] })).toMatch(
    forBase,
  );
});

describe("what -target, -exclude and -invoke leave out", () => {
  const resource = (address: string, more: Json = {}) => ({ address, mode: "managed", ...more });
  const configured = (resources: readonly Json[], calls: Json = {}) => ({
    configuration: { root_module: { resources, module_calls: calls } },
  });

  test("is refused in web where it is a step, with OpenTofu, too, which writes no `complete`", () => {
    const steps = [
      resource("terraform_data.install-blue-web-1"),
      resource("terraform_data.install-green-web-1"),
    ];
    expect(web(configured(steps))).toBeNull();
    const more = [...steps, resource("terraform_data.install-green-web-2")];
    expect(web(configured(more))).toMatch(/leaves out terraform_data\.install-green-web-2/);
    expect(base({ ...configured(more), resource_changes: STEPS })).toMatch(
      /^left out terraform_data\.install-green-web-2$/m,
    );
  });

  test("is seen in modules, and not asked of what may have no instances", () => {
    const call = (more: Json) => ({
      web: { module: { resources: [resource("terraform_data.switch-proxy-1")] }, ...more },
    });
    expect(web(configured([], call({})))).toMatch(/leaves out module\.web\.terraform_data\.switch-proxy-1/);
    expect(web(configured([], call({ count_expression: {} })))).toBeNull();
    expect(
      web(configured([resource("terraform_data.switch-proxy-1", { for_each_expression: {} })])),
    ).toBeNull();
    expect(web(configured([resource("data.a.b", { mode: "data" })]))).toBeNull();
    const planned = change("module.web.terraform_data.switch-proxy-1[0]", ["create"]);
    expect(web({ ...configured([], call({})), resource_changes: [...STEPS, planned] })).toBeNull();
  });

  test("-invoke plans an action alone, without a list of resources", () => {
    const { resource_changes: _, ...bare } = PLAN;
    const invoked = { ...ACTION, lifecycle_action_trigger: undefined, invoke_action_trigger: {} };
    const plan = readPlan(JSON.stringify({ ...bare, action_invocations: [invoked] }));
    expect(refusalOf(() => proveLiveSlotUntouched(plan, "blue"))).toMatch(/has no resources/);
    expect(formatBasePlan(summarize(plan))).toContain("invoke   action.local_command.mail (-invoke)");
    expect(plan.isEmpty).toBe(false);
  });
});
