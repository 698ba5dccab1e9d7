/** What a step's failure is called: its program's own reason, through all that Terraform and azurerm write around it. */
import { stepErrorOf, firstErrorLines, lockHolder } from "../../../cli/terraform/error-messages";
import {
  AZURERM,
  commandExists,
  commandFailed,
  commandHung,
  commandId,
  commandRefused,
} from "./azurerm-errors";

const error = (summary: string, detail: string) => ({ severity: "error", summary, detail });
const local = (exitCode: number, output: string) =>
  error(
    "local-exec provisioner error",
    `Error running command 'begin-2-0a1b2c3d': exit status ${exitCode}. Output: ${output}`,
  );
const RESULT = '{"step":"install","outcome":"failed","exitCode":4,"reason":"1.0.0-2 was \\"no\\"\\nhealthy"}';

test.each([
  ["its result line says why", `${RESULT}\nlog: words\ninstall: other words\n`, '1.0.0-2 was "no" healthy'],
  ["it printed none: the last line", "words\nweb-1 was run before\n\n", "web-1 was run before"],
  ["it was killed after a result", `{"outcome":"done"}\nmigrate: ended by signal 9\n`, "ended by signal 9"],
  [
    "another program put it right",
    '{"step":"abort","exitCode":0,"outcome":"rolledBack","reason":"back"}\ndirector: switch was killed',
    "director: switch was killed",
  ],
])("on this machine, %s", (_, output, reason) => {
  expect(stepErrorOf(local(4, output))).toEqual({ exitCode: 4, reason });
});

test("an exit code that is none of a step's is unexpected", () => {
  expect(stepErrorOf(local(127, "bash: nothing there"))).toEqual({
    exitCode: 1,
    reason: "bash: nothing there",
  });
  const killed = error("local-exec provisioner error", "Error running command 'x': signal: killed. Output: ");
  expect(stepErrorOf({ ...killed, address: "terraform_data.web_install-blue-web-1_0123ABCD" })).toMatchObject(
    {
      exitCode: 1,
      reason: expect.stringMatching(/^install-blue-web-1 was cut off.*signal: killed.*`bluegreen retry`/),
    },
  );
});

const ADDRESS = "azurerm_virtual_machine_run_command.web_install-blue-web-1_0123ABCD";
const NAME = "install-blue-1.0.0-2";

describe.each(AZURERM)("azurerm %s", (version) => {
  const failed = (stderr: string, code: number) =>
    commandFailed(version, NAME, `Run command failed with exit code ${code}: ${stderr}`);
  const PLACES = [
    ["in the summary", (text: string) => error(text, "")],
    ["in the detail", (text: string) => error("an error occurred", text)],
    ["in the detail of a resource", (text: string) => ({ ...error("failed", text), address: ADDRESS })],
  ] as const;

  test.each(PLACES)("rejected, aborted and frozen are told by our own last line %s", (_, at) => {
    const ends = ([code, line]: readonly [number, string]) =>
      stepErrorOf(at(failed(`log: words\n${line}\nbluegreen: ${NAME} ended with ${code}\n`, code)));
    expect(ends([4, "install: 1.0.0-2 was not healthy within 60 s"])).toEqual({
      exitCode: 4,
      reason: "1.0.0-2 was not healthy within 60 s",
    });
    expect(ends([5, 'director switch: "1.0.0-2" failed: back on 0.9.0-1'])).toEqual({
      exitCode: 5,
      reason: '"1.0.0-2" failed: back on 0.9.0-1',
    });
    expect(ends([6, "director switch: 1.0.0-2 keeps 25 %"])).toEqual({
      exitCode: 6,
      reason: "1.0.0-2 keeps 25 %",
    });
  });

  test("our exit code counts, not the one in the provider's words", () => {
    const text = commandFailed(
      version,
      NAME,
      `L'exécution a échoué\ninstall: no\nbluegreen: ${NAME} ended with 4\n`,
    );
    expect(stepErrorOf(error("something new", text))).toEqual({ exitCode: 4, reason: "no" });
  });

  test("a step of an earlier version of ours has no last line: Azure's exit code counts", () => {
    expect(stepErrorOf(error(failed("install: no\n", 4), ""))).toEqual({ exitCode: 4, reason: "no" });
  });

  test("a set-up that no state knows is base's: no retry of a release mends it", () => {
    const name = "setup-0a1b2c3d4e-1";
    expect(stepErrorOf({ ...error(commandExists(name), ""), address: ADDRESS })).toEqual({
      exitCode: 1,
      reason: `${name} already exists on vm-socialgoal-sim-web-1, but no state knows it: remove it (\`az resource delete --ids ${commandId(name)}\`), then deploy base again`,
    });
  });

  test("a command that no state knows is named with the ways out", () => {
    const { exitCode, reason } = stepErrorOf({
      ...error(commandExists("begin-2-0a1b2c3d"), ""),
      address: ADDRESS,
    });
    expect(exitCode).toBe(1);
    expect(reason).toBe(
      `begin-2-0a1b2c3d already exists on vm-socialgoal-sim-web-1, but no state knows it: \`bluegreen retry\` goes on under a new name. To remove it: \`az resource delete --ids ${commandId("begin-2-0a1b2c3d")}\``,
    );
  });
});

// Nothing was recorded from an Azure machine that restarts. These have the recorded form, and no line of our programs.
test.each([
  ["a program ended by the restart", "Run command failed with exit code 143: "],
  ["an agent that lost the command", "The command was lost.\nThe agent of the machine did not report"],
])("a step that was cut off has advice: %s", (_, message) => {
  const text = commandFailed("4.55.0", NAME, message);
  const address = "azurerm_virtual_machine_run_command.web_switch-proxy-2_0123ABCD";
  const { exitCode, reason } = stepErrorOf({ ...error(text, ""), address });
  expect(exitCode).toBe(1);
  expect(reason).toMatch(/^the step was cut off, as by a restart of its machine \((Run|The) command/);
  expect(reason).toContain("`bluegreen retry` when it runs again");
  expect(reason).not.toContain("\n");
});

test.each(AZURERM)("a command that did not end until its deadline was cut off: azurerm %s", (version) => {
  const { exitCode, reason } = stepErrorOf({ ...error(commandHung(version, NAME), ""), address: ADDRESS });
  expect(exitCode).toBe(1);
  expect(reason).toMatch(/^install-blue-web-1 was cut off.*`bluegreen retry`/);
});

test("a command that Azure did not accept was not cut off", () => {
  const text = commandRefused(
    "begin-2",
    "409 (409 Conflict)",
    "The maximum number of run commands (25) on this virtual machine has been reached.",
  );
  const { exitCode, reason } = stepErrorOf({ ...error(text, ""), address: ADDRESS });
  expect(exitCode).toBe(1);
  expect(reason).toMatch(/^vm-socialgoal-sim-web-1 .*25.*`bluegreen doctor`/);
});

test("a command that failed by itself, or that could not be removed, was not cut off", () => {
  const message = "Run command failed with exit code 1: bash: nothing there";
  const text = commandFailed("4.55.0", NAME, message);
  expect(stepErrorOf({ ...error(text, ""), address: ADDRESS })).toEqual({ exitCode: 1, reason: message });
  const kept =
    'deleting Virtual Machine Run Command (Run Command Name: "begin-2"): polling after Delete: no answer';
  expect(stepErrorOf({ ...error(kept, ""), address: ADDRESS })).toEqual({ exitCode: 1, reason: kept });
});

test("a state that another holds is named with what unlocks it", () => {
  const stderr = `╷
│ Error: Error acquiring the state lock
│
│ Error message: resource temporarily unavailable
│ Lock Info:
│   ID:        0a1b-2c3d
│   Path:      terraform.web.tfstate
│   Who:       ops@build-1
│   Created:   2026-11-29 10:00:00 UTC
╵`;
  expect(lockHolder(stderr)).toEqual({
    holder: "by ops@build-1 since 2026-11-29 10:00:00 UTC",
    id: "0a1b-2c3d",
  });
  expect(lockHolder("│ Error: other")).toBeNull();
});

test("an error is shown without its frame and the warnings before it", () => {
  const stderr =
    "╷\n│ Warning: old\n╵\n╷\n│ Error: Unsupported argument\n│\n│   on cdk.tf.json line 3\n│ more\n╵\n";
  expect(firstErrorLines(stderr, 2)).toBe("Error: Unsupported argument on cdk.tf.json line 3");
});
