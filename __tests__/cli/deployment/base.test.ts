import { Failure } from "../../../release/failure";
import { formatBasePlan, refuseReplacements, summarize } from "../../../cli/deployment/base";
import type { Change, Plan } from "../../../release/terraform-plan";

const SERVER = "azurerm_windows_virtual_machine.web-1_18B4D3DD";

function change(address: string, ...actions: string[]): Change {
  return { address, actions };
}

function refusal(changes: readonly Change[], allowed: readonly string[] = []): Failure | undefined {
  try {
    refuseReplacements(changes, allowed);
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    return error as Failure;
  }
  return undefined;
}

test.each([
  SERVER,
  "azurerm_linux_virtual_machine.proxy-1_6F01E083",
  "azurerm_mssql_server.database_EBDE4557",
  "azurerm_mssql_database.database_7CF902CB",
  "azurerm_storage_account.artifacts_7424475B",
  "azurerm_storage_container.artifacts_container_F7108710",
  "azurerm_key_vault.secrets_E5A2BDAA",
  "azurerm_public_ip.load-balancer_address_32FC4C5D",
  "terraform_data.web-2_ACF93DD4",
])("%s is neither replaced nor destroyed by accident", (address) => {
  expect(refusal([change(address, "delete", "create")])?.exitCode).toBe(3);
  expect(refusal([change(address, "create", "delete")])?.message).toContain(`${address} (replaced)`);
  expect(refusal([change(address, "delete")])?.message).toContain(`${address} (destroyed)`);
  expect(refusal([change(address, "update")])).toBeUndefined();
  expect(refusal([change(address, "create")])).toBeUndefined();
  expect(refusal([change(address, "no-op")])).toBeUndefined();
});

test.each([
  "azurerm_virtual_machine_run_command.web-1-setup_00F88649",
  "azurerm_monitor_metric_alert.monitoring_site-down_4204ED3D",
  "azurerm_network_security_rule.network_nsg-web-proxies_945A7E12",
  "terraform_data.web-1_generation_5164FB14",
  "terraform_data.proxy-1_6F01E083",
])("%s may be replaced: it holds nothing", (address) => {
  expect(refusal([change(address, "delete", "create")])).toBeUndefined();
});

test("what is forgotten is lost to base, too", () => {
  expect(refusal([change(SERVER, "forget")])?.message).toContain(`${SERVER} (forgotten)`);
  expect(refusal([change(SERVER, "create", "forget")])?.message).toContain(`${SERVER} (replaced)`);
  expect(refusal([change(SERVER, "forget", "create")])?.message).toContain(`--allow-replace ${SERVER}`);
  expect(refusal([change(SERVER, "forget")], [SERVER])).toBeUndefined();
  expect(refusal([change("azurerm_subnet.web", "forget")])).toBeUndefined();
});

test("what is meant is said address by address", () => {
  const other = "azurerm_windows_virtual_machine.web-2_ACF93DD4";
  const changes = [change(SERVER, "delete", "create"), change(other, "delete", "create")];
  expect(refusal(changes, [SERVER])?.message).toMatch(
    new RegExp(`^base would lose ${other} \\(replaced\\); nothing was applied.*--allow-replace ${other}`),
  );
  expect(refusal(changes, [SERVER, other])).toBeUndefined();
});

/** A plan as the reader gives it, of these changes. */
function planOf(...changes: Change[]): Plan {
  return { changes, invocations: [], reads: [], outputs: [], leftOut: [], isEmpty: false };
}

const NOTHING = {
  ...{ create: [], update: [], replace: [], destroy: [], forget: [], import: [], move: [] },
  ...{ read: [], invoke: [], output: [], leaveOut: [], restarts: [] },
};

test("a plan is told by what happens to whom", () => {
  const plan = summarize(
    planOf(
      change("a.a", "create"),
      change("b.b", "update"),
      change("c.c", "delete", "create"),
      change("d.d", "delete"),
      change("e.e", "no-op"),
    ),
  );
  expect(plan).toEqual({
    ...NOTHING,
    create: ["a.a"],
    update: ["b.b"],
    replace: ["c.c"],
    destroy: ["d.d"],
  });
  expect(formatBasePlan(plan)).toBe(
    "create   a.a\nupdate   b.b\nreplace  c.c\ndestroy  d.d\napply it with `npx cdktf deploy base`",
  );
  expect(formatBasePlan(summarize(planOf()))).toBe("base: nothing to change");
});

test("a proxy that restarts is a warning: an exchanged driver, but not a new director or folder", () => {
  const plan = summarize(
    planOf(
      change("terraform_data.proxy-1_6F01E083", "delete", "create"),
      change("terraform_data.proxy-2_director_5164FB14", "delete", "create"),
      change("terraform_data.proxy-3_6F01E083", "create"),
    ),
  );
  expect(plan.restarts).toEqual(["proxy-1"]);
  expect(formatBasePlan(plan)).toMatch(/\nwarning: proxy-1 restarts: users can't connect for a few seconds/);
  expect(formatBasePlan(plan)).not.toMatch(/proxy-[23] restarts/);
});
