/** What a step on Azure has to say to count as done, evaluated by Terraform itself on what Azure may report of it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { azureEnvironment, ON_WINDOWS } from "../configuration/azure/examples";
import { resources, webOf } from "../stacks/azure";

interface Step {
  readonly lifecycle: { readonly postcondition: readonly [{ readonly condition: string }] };
}

const RESULT = '{"step":"install","slot":"blue","releaseId":"1.0.0-1","outcome":"installed","seconds":1.5}';
const NAME = "install-blue-1.0.0-1";
const NAMED = `bluegreen: ${NAME} ended with 0`;

const steps = resources<Step>(webOf(azureEnvironment(...ON_WINDOWS)), "virtual_machine_run_command");
const condition = (id: string): string => {
  const [, step] = Object.entries(steps).find(([each]) => each.includes(id))!;
  return step.lifecycle.postcondition[0].condition.replace(/^\$\{([^]*)\}$/, "$1");
};

const hasTerraform = spawnSync("terraform", ["version"]).status === 0;
if (!hasTerraform) console.warn("there is no terraform: post-conditions are NOT evaluated here");

(hasTerraform ? describe : describe.skip)("a step is done", () => {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-postcondition-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  function holds(text: string, output: string, more: { exitCode?: number; state?: string } = {}): boolean {
    const expression = text
      .replaceAll("self.instance_view[0].exit_code", String(more.exitCode ?? 0))
      .replaceAll("self.instance_view[0].output", JSON.stringify(output))
      .replaceAll("self.instance_view[0].execution_state", JSON.stringify(more.state ?? "Succeeded"))
      .replaceAll("self.name", JSON.stringify(NAME));
    const { stdout, stderr } = spawnSync("terraform", ["console"], {
      ...{ input: `${expression}\n`, encoding: "utf8", cwd: folder },
    });
    if (!/^(true|false)$/m.test(stdout)) throw new Error(stdout + stderr);
    return /^true$/m.test(stdout);
  }

  test.each([
    ["its result line and its name", `${RESULT}\r\n${NAMED}\r\n`, true],
    ["words before these", `verbose\n${RESULT}\n${NAMED}\n`, true],
    ["JSON as other languages write it", `{ "outcome": "installed" }\n${NAMED}`, true],
    ["its name alone", `${NAMED}\n`, false],
    ["JSON without an outcome", `{"step":"install"}\n${NAMED}`, false],
    ["words between result and name", `${RESULT}\nmore\n${NAMED}`, false],
    ["the name of another step", `${RESULT}\nbluegreen: install-blue-1.0.0-2 ended with 0`, false],
    ["its result line alone", `${RESULT}\n`, false],
  ])("on Windows with %s: %s", (_, output, done) => {
    expect(holds(condition("install-blue"), output)).toBe(done);
  });

  test("on Linux, where the frame looks for the result line, with its name", () => {
    expect(holds(condition("begin"), `${RESULT}\n${NAMED}\n`)).toBe(true);
    expect(holds(condition("begin"), `${RESULT}\n`)).toBe(false);
  });

  test.each(["begin", "install-blue"])(
    "never with another exit code, or without an output unless Azure says so: %s",
    (id) => {
      expect(holds(condition(id), `${RESULT}\n${NAMED}`, { exitCode: 1 })).toBe(false);
      expect(holds(condition(id), "", { state: "Failed" })).toBe(false);
      expect(holds(condition(id), "")).toBe(true);
    },
  );
});
