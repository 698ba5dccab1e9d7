/** What a plan may do to the servers, from Terraform's JSON. */
import {
  proveLiveSlotUntouched,
  proveOnlyHealed,
  proveOnlySteps,
  refuseUnhealed,
} from "../../release/plan-proof";
import { readPlan } from "../../release/terraform-plan";
import type { Plan } from "../../release/terraform-plan";

const REPLACED = ["create", "delete"];

/** Blue and green on web-1, web-2 and web-10; all that is not named is a no-op. */
function planOf(changed: Readonly<Record<string, readonly string[]>>): Plan {
  const steps = ["web-1", "web-2", "web-10"].flatMap((server) => [
    `install-blue-${server}`,
    `install-green-${server}`,
  ]);
  const names = new Set([...steps, "begin-proxy-1", "switch-proxy-1", ...Object.keys(changed)]);
  const resource_changes = [...names].map((name) => ({
    address: `terraform_data.${name}`,
    change: { actions: changed[name] ?? ["no-op"] },
  }));
  return readPlan(JSON.stringify({ resource_changes }));
}

const GATES = { "begin-proxy-1": REPLACED, "switch-proxy-1": REPLACED };

describe("an ordinary release", () => {
  test("is proved to leave the live slot alone", () => {
    const plan = planOf({ ...GATES, "install-green-web-1": REPLACED });
    expect(proveLiveSlotUntouched(plan, "blue")).toBe(3);
  });

  test("is sent to heal where a server of the live slot would be installed", () => {
    const plan = planOf({ ...GATES, "install-blue-web-2": REPLACED, "install-blue-web-10": ["create"] });
    expect(() => proveLiveSlotUntouched(plan, "blue")).toThrow(
      "the plan would touch the live slot: terraform_data.install-blue-web-2 (create, delete); nothing was applied. " +
        "If base replaced or added web-2, web-10, run `bluegreen heal web-2 web-10` first; " +
        "otherwise, is this the right Terraform state for web?",
    );
  });

  test("is not sent to heal where a step of the live slot would only go", () => {
    const plan = planOf({ "install-blue-web-10": ["delete"] });
    expect(() => proveLiveSlotUntouched(plan, "blue")).toThrow(
      "install-blue-web-10 (delete); nothing was applied. Is this the right Terraform state for web?",
    );
  });

  test("comes after a heal that was not carried out, in either slot", () => {
    const steps = [{ id: "install-green-web-1", server: "web-1" }];
    expect(() => refuseUnhealed(planOf(GATES), steps)).not.toThrow();
    expect(() => refuseUnhealed(planOf({ "install-green-web-10": ["create"] }), steps)).not.toThrow();
    expect(() => refuseUnhealed(planOf({ "install-green-web-1": REPLACED }), steps)).toThrow(
      "the heal of web-1 did not finish: run `bluegreen heal web-1` again first; nothing was applied",
    );
  });
});

describe("a heal", () => {
  const healed = { ...GATES, "install-blue-web-1": REPLACED, "install-green-web-1": ["create"] };

  test("is proved to run the install steps of its servers, and names them", () => {
    expect(proveOnlyHealed(planOf(healed), "blue", ["web-1"])).toEqual([
      "install-blue-web-1",
      "install-green-web-1",
    ]);
  });

  test("may ask the database, as every sequence does", () => {
    const plan = planOf({ ...healed, "migrate-operations-1": ["create"] });
    expect(() => proveOnlyHealed(plan, "blue", ["web-1"])).not.toThrow();
  });

  test("may drop what a convergence left: that runs nothing", () => {
    const plan = planOf({ ...healed, "converge-green-web-2": ["delete"], "share-proxy-1": ["delete"] });
    expect(() => proveOnlyHealed(plan, "blue", ["web-1"])).not.toThrow();
  });

  test("may drop the hooks of the release before: that runs nothing", () => {
    const plan = planOf({ ...healed, "hook-before-switch-1": ["delete"] });
    expect(() => proveOnlyHealed(plan, "blue", ["web-1"])).not.toThrow();
  });

  test.each<[string, Record<string, readonly string[]>]>([
    ["another server's live release", { "install-blue-web-2": REPLACED }],
    ["a server whose name begins as the healed one's", { "install-blue-web-10": ["create"] }],
    ["another server's retained release", { "install-green-web-2": ["create"] }],
    ["a convergence", { "converge-green-web-1": ["create"] }],
    ["a hook: it brings no release to anybody", { "hook-before-switch-1": ["create"] }],
    ["a live step that goes", { "install-blue-web-2": ["delete"] }],
  ])("is refused with %s", (_, more) => {
    const plan = planOf({ ...healed, ...more });
    expect(() => proveOnlyHealed(plan, "blue", ["web-1"])).toThrow(
      `the plan would touch more than web-1: terraform_data.${Object.keys(more)[0]}`,
    );
  });
});

describe("a deployment in a construct of the project, in a module", () => {
  const nested = (changed: Readonly<Record<string, readonly string[]>>): Plan => {
    const { changes, ...plan } = planOf(changed);
    const address = (step: string) =>
      step.replace("terraform_data.", "module.web.terraform_data.release_").concat("_1A2B3C4D[0]");
    return { ...plan, changes: changes.map((each) => ({ ...each, address: address(each.address) })) };
  };
  const healed = { ...GATES, "install-blue-web-1": REPLACED, "migrate-operations-1": ["create"] };

  test("is healed like one in the stack, and the steps have the same names", () => {
    expect(proveOnlyHealed(nested(healed), "blue", ["web-1"])).toEqual(["install-blue-web-1"]);
  });

  test("is not healed where another server's live release would be installed", () => {
    const plan = nested({ ...healed, "install-blue-web-2": REPLACED });
    expect(() => proveOnlyHealed(plan, "blue", ["web-1"])).toThrow(
      "If base replaced or added web-2, too, heal them together",
    );
  });

  test("gets no ordinary release before a heal that was not carried out", () => {
    const plan = nested({ "install-green-web-1": REPLACED });
    const steps = [{ id: "install-green-web-1", server: "web-1" }];
    expect(() => refuseUnhealed(plan, steps)).toThrow("the heal of web-1 did not finish");
  });
});

/** Split, on Azure: blue on web-1, green on web-2. */
const MACHINE = (name: string) =>
  `/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/${name}`;
const run = (step: string, server: string, actions: string[], more: object = {}, values: object = {}) => {
  const virtual_machine_id = MACHINE(server);
  return {
    address: `azurerm_virtual_machine_run_command.${step}`,
    mode: "managed",
    ...more,
    change: { actions, before: { virtual_machine_id }, after: { virtual_machine_id }, ...values },
  };
};
const LIVE = run("install-blue-web-1", "web-1", ["no-op"]);
const BEGIN = run("begin-proxy-1", "proxy-1", REPLACED);
const INSTALL = run("install-green-web-2", "web-2", REPLACED);
const SWITCH = run("switch-proxy-1", "proxy-1", REPLACED);
const USUAL = [LIVE, BEGIN, INSTALL, SWITCH];
const other = (address: string, actions: string[], more: object = {}) => ({
  address,
  change: { actions },
  ...more,
});

const ON_LIVE_MACHINE = {
  before: { virtual_machine_id: MACHINE("web-2") },
  after: { virtual_machine_id: MACHINE("WEB-1").toUpperCase() },
};

describe("a plan of web, blue being live", () => {
  const provePlan = (resource_changes: readonly object[], more: object = {}) =>
    proveLiveSlotUntouched(
      readPlan(JSON.stringify({ format_version: "1.2", resource_changes, ...more })),
      "blue",
    );

  test.each<[string, readonly object[]]>([
    ["a release", USUAL],
    ["a release with a migration", [...USUAL, run("migrate-operations-1", "operations-1", ["create"])]],
    ["a convergence after the promotion", [...USUAL, run("converge-blue-web-1", "web-1", ["create"])]],
    ["what an earlier convergence left goes", [...USUAL, run("converge-green-web-2", "web-2", ["delete"])]],
    ["create before destroy", [LIVE, run("install-green-web-2", "web-2", ["create", "delete"])]],
    ["the idle slot's step goes, with its server", [LIVE, run("install-green-web-2", "web-2", ["delete"])]],
    [
      "the rest of a failed replacement goes, even the live slot's",
      [...USUAL, run("install-blue-web-1", "web-1", ["delete"], { deposed: "1a2b3c4d" })],
    ],
    [
      "hooks before and after its phases, the first time and again",
      [
        ...USUAL,
        other("terraform_data.hook-before-switch-1", ["create"]),
        other("terraform_data.hook-after-share-1", REPLACED),
        other("module.web.terraform_data.deployment_hook-before-begin-2_1A2B3C4D[0]", ["create"]),
      ],
    ],
    [
      "a hook that was taken out of the environment",
      [...USUAL, other("terraform_data.hook-after-switch-1", ["delete"])],
    ],
    ["data is read", [...USUAL, other("data.azurerm_key_vault.keys", ["read"], { mode: "data" })]],
    ["nothing at all", [LIVE]],
    [
      "a step of cdktf's long names, in a construct",
      [...USUAL, run("deployment_install-green-web-2_1A2B3C4D", "web-2", REPLACED)],
    ],
    [
      "the idle slot's step was moved",
      [
        LIVE,
        run("install-green-web-2", "web-2", ["no-op"], {
          previous_address: "azurerm_virtual_machine_run_command.green-web-2",
        }),
      ],
    ],
  ])("is passed: %s", (_, changes) => expect(provePlan(changes)).toBe(1));

  test.each<[string, readonly object[], RegExp]>([
    [
      "the live slot's install is replaced",
      [run("install-blue-web-1", "web-1", REPLACED)],
      /touch the live slot: .*install-blue-web-1/,
    ],
    [
      "the live slot's install is updated in place",
      [run("install-blue-web-1", "web-1", ["update"])],
      /touch the live slot/,
    ],
    [
      "the live slot's install is deleted",
      [...USUAL.slice(1), run("install-blue-web-1", "web-1", ["delete"])],
      /touch the live slot/,
    ],
    [
      "the live slot's install is forgotten",
      [run("install-blue-web-1", "web-1", ["forget"])],
      /would forget .*install-blue-web-1/,
    ],
    [
      "the live slot has a new server",
      [...USUAL, run("install-blue-web-3", "web-3", ["create"])],
      /heal web-3/,
    ],
    [
      "no step of the live slot is known: a lost state, or another stack",
      [BEGIN, INSTALL, SWITCH],
      /has no install step for blue/,
    ],
    [
      "the idle slot's step runs on the live slot's machine",
      [LIVE, run("install-green-web-2", "web-2", REPLACED, {}, ON_LIVE_MACHINE)],
      /is web-1 and serves blue/,
    ],
    [
      "a server is replaced",
      [...USUAL, other("azurerm_linux_virtual_machine.web-2", REPLACED)],
      /is not a release step/,
    ],
    [
      "a network is changed",
      [...USUAL, other("azurerm_virtual_network.network", ["update"])],
      /is not a release step/,
    ],
    [
      "the database goes",
      [...USUAL, other("azurerm_mssql_database.database", ["delete"])],
      /is not a release step/,
    ],
    ["a folder of base", [...USUAL, other("terraform_data.web-1", REPLACED)], /is not a release step/],
    [
      "a program of base whose name begins as a step's",
      [...USUAL, other("terraform_data.installer", ["create"])],
      /is not a release step/,
    ],
    ...[
      "terraform_data.hookish-before-switch-1",
      "terraform_data.hook",
      "terraform_data.hook-switch-1",
      "terraform_data.hook-before-switch",
      "terraform_data.hook-before-switch-smoke",
      "terraform_data.hook-before-release-1",
      "terraform_data.web-1-hook-before-switch-1",
      "null_resource.hook-before-switch-1",
      "azurerm_virtual_machine_run_command.hook-before-switch-1",
    ].map((address): [string, readonly object[], RegExp] => [
      `what is not quite a hook: ${address}`,
      [...USUAL, other(address, ["create"])],
      /is not a release step/,
    ]),
    [
      "another provider's resource named as a step",
      [...USUAL, other("null_resource.install-green-web-2", ["create"])],
      /is not a release step/,
    ],
    [
      "a server is forgotten",
      [...USUAL, other("azurerm_linux_virtual_machine.web-1", ["forget"])],
      /is not a release step/,
    ],
    [
      "a server is imported",
      [...USUAL, { address: "azurerm_public_ip.ip", change: { actions: ["no-op"], importing: { id: "x" } } }],
      /is not a release step/,
    ],
    [
      "a step is imported",
      [...USUAL, run("install-green-web-3", "web-3", ["no-op"], {}, { importing: { id: "x" } })],
      /would import/,
    ],
    [
      "the live slot's step was moved away",
      [
        LIVE,
        run("install-green-web-1", "web-1", ["no-op"], {
          previous_address: "azurerm_virtual_machine_run_command.install-blue-web-1",
        }),
      ],
      /would move .*in the live slot/,
    ],
    [
      "a step was moved into the live slot",
      [
        run("install-blue-web-1", "web-1", ["no-op"], {
          previous_address: "azurerm_virtual_machine_run_command.old",
        }),
      ],
      /would move/,
    ],
    [
      "a server was moved",
      [...USUAL, other("azurerm_public_ip.ip", ["no-op"], { previous_address: "azurerm_public_ip.old" })],
      /is not a release step/,
    ],
  ])("is refused: %s", (_, changes, words) => expect(() => provePlan(changes)).toThrow(words));

  test("is refused where Terraform could not finish it", () => {
    expect(() => provePlan(USUAL, { errored: true })).toThrow("is incomplete");
  });

  test.each([
    ["no JSON", "{", /is not JSON/],
    ["another format", `{"format_version":"2.0"}`, /format_version: is not 1\.x/],
    ["no list of changes", `{"resource_changes":{}}`, /resource_changes must be of type array/],
  ])("is bad input where it is %s", (_, text, words) => expect(() => readPlan(text)).toThrow(words));

  test("may touch the live slot where it recreates it, but nothing of base", () => {
    const recreate = [BEGIN, run("install-blue-web-1", "web-1", REPLACED), SWITCH];
    const plan = (changes: readonly object[]) => readPlan(JSON.stringify({ resource_changes: changes }));
    expect(() => proveOnlySteps(plan(recreate))).not.toThrow();
    expect(() => proveOnlySteps(plan([...recreate, other("azurerm_subnet.web", ["update"])]))).toThrow(
      /is not a release step/,
    );
  });
});

test.each([
  ["an address", { address: "terraform_data.a\nok: all is well", change: { actions: ["create"] } }],
  ["an action", { address: "terraform_data.begin-proxy-1", change: { actions: ["create\u001b[2J"] } }],
  [
    "a former address",
    { address: "terraform_data.a", previous_address: "\u202eb", change: { actions: ["no-op"] } },
  ],
])("%s that would not be shown as it is is not something that Terraform writes", (_what, change) => {
  expect(() => readPlan(JSON.stringify({ resource_changes: [change] }), "plan.json")).toThrow(
    /^plan\.json: resource_changes\.0\.[a-z_.0-9]+: is not something that Terraform writes$/,
  );
});
