/** The steps of a plan for people: by name, in the order of a release. */
import { readPlan } from "../../release/terraform-plan";
import { formatSteps, stepsOf } from "../../release/plan-steps";

const planOf = (changes: Readonly<Record<string, readonly string[]>>) =>
  readPlan(
    JSON.stringify({
      resource_changes: Object.entries(changes).map(([address, actions]) => ({
        address,
        change: { actions },
      })),
    }),
  );

test("steps have the same names on every platform, independent of the deployment's place in the stack", () => {
  const steps = stepsOf(
    planOf({
      "module.web.terraform_data.release_switch-proxy-1_1A2B3C4D[0]": ["create"],
      "azurerm_virtual_machine_run_command.release_begin-proxy-1_1A2B3C4D": ["create"],
      "terraform_data.release_hook-before-switch-1_1A2B3C4D": ["create"],
      "azurerm_virtual_machine_run_command.install-blue-web-1": ["no-op"],
      "terraform_data.converge-green-web-2": ["delete"],
    }),
  );
  expect(formatSteps(steps)).toEqual([
    "done       install-blue-web-1",
    "undoing    converge-green-web-2",
    "will run   begin-proxy-1, hook-before-switch-1, switch-proxy-1",
  ]);
});

test("the order is the steps', whatever servers and proxies are called", () => {
  const { willRun } = stepsOf(
    planOf({
      "terraform_data.share-begin": ["create"],
      "terraform_data.switch-begin": ["create"],
      "terraform_data.hook-after-install-1": ["create"],
      "terraform_data.install-blue-begin-before-1": ["create"],
      "terraform_data.begin-switch": ["create"],
    }),
  );
  expect(willRun).toEqual([
    "begin-switch",
    "install-blue-begin-before-1",
    "hook-after-install-1",
    "switch-begin",
    "share-begin",
  ]);
});
