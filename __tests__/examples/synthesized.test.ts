/** The examples that need Azure: what Terraform is given, without Azure. */
import { ExistingMachinesStack } from "../../examples/existing-machines/stack";
import { TwoApplicationsStack } from "../../examples/two-applications/stack";
import { resources } from "../stacks/azure";
import { recordOf } from "../release/examples";
import { readStack, synthesizeApp } from "../stacks/synthesis";

interface RunCommand {
  readonly name: string;
  readonly virtual_machine_id: string;
  readonly parameter: readonly { readonly name: string; readonly value: string }[];
}

const parameter = (command: RunCommand, name: string) =>
  command.parameter.find((each) => each.name === name)?.value;

test("existing machines get commands, and nothing else is planned for them", () => {
  const record = recordOf({ application: "shop" });
  const outdir = synthesizeApp((app) => new ExistingMachinesStack(app, "release", { record }));
  const stack = readStack(outdir, "release");
  expect(Object.keys(stack.json.resource ?? {})).toEqual(["azurerm_virtual_machine_run_command"]);
  const commands = Object.values(resources<RunCommand>(stack, "virtual_machine_run_command"));
  const places = commands.map((command) => {
    return `${command.name.replace(/-[0-9a-f]{8}$/, "")} on ${command.virtual_machine_id.split("/").at(-1)}`;
  });
  expect(places.sort()).toEqual([
    "begin-2 on vm-lb-01",
    "converge-blue-2 on vm-app-01",
    "converge-green-2 on vm-app-02",
    "install-blue-1.0.0-1 on vm-app-01",
    "install-green-2.0.0-2 on vm-app-02",
    "share-2 on vm-lb-01",
    "switch-2 on vm-lb-01",
  ]);
  const installed = commands.find(({ name }) => name.startsWith("install-green"))!;
  expect(parameter(installed, "HOST")).toBe("10.20.1.12");
  expect(parameter(installed, "ARTIFACT_HOST")).toBe("stshop.blob.core.windows.net");
});

test("two applications on the same machines never meet: neither steps' names nor folders", () => {
  const outdir = synthesizeApp(
    (app) =>
      new TwoApplicationsStack(app, "sites", {
        shop: recordOf({ application: "shop" }),
        blog: recordOf({ application: "blog" }),
      }),
  );
  const stack = readStack(outdir, "sites");
  const commands = Object.values(resources<RunCommand>(stack, "virtual_machine_run_command"));
  const executions = commands.map(({ name, virtual_machine_id }) => `${name} ${virtual_machine_id}`);
  expect(new Set(executions).size).toBe(commands.length);
  for (const command of commands) {
    const [application] = command.name.split("-");
    expect(parameter(command, "SERVER_FOLDER")).toBe(`/var/lib/bluegreen/${application}`);
  }
  expect(new Set(commands.map(({ name }) => name.split("-")[0]))).toEqual(new Set(["shop", "blog"]));
});
