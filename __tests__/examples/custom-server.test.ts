/** examples/custom-server: the contract of a server, over a command that reads a script on stdin. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TerraformStack } from "cdktf";
import type { App } from "cdktf";
import { RemoteServer } from "../../examples/custom-server/remote-server";
import type { RunProps } from "../../constructs/server";
import { describeApplied, OwnApp } from "./custom-app";

/** As ssh does: another environment, and a script on stdin. */
const RUNNER = ["env", "--ignore-environment", `PATH=${process.env["PATH"]}`, "bash", "-s"];

const RESULT = '{"step":"test","outcome":"done"}';

describeApplied("a server over any command that runs a script", () => {
  let app: OwnApp;
  beforeEach(() => (app = new OwnApp()));
  afterEach(() => app.remove());

  const machine = () => join(app.folder, "machine");

  function withSteps(text: string, ...steps: readonly Partial<RunProps>[]): void {
    const script = join(app.folder, "step.sh");
    writeFileSync(script, text);
    app.synthesize((root: App) => {
      const stack = new TerraformStack(root, "own");
      const server = new RemoteServer({ name: "app-01", runner: RUNNER, folder: machine() });
      steps.forEach((step, index) =>
        server.run(stack, `step-${index}`, {
          ...{ name: `step-${index}`, script, parameters: {}, timeoutSeconds: 20, dependsOn: [] },
          ...step,
        }),
      );
    });
  }

  it("runs a script with its parameters as they are, once for each name", async () => {
    const odd = `it's "$HOME" \`id\` \${var.x} %{if} \\ ü`;
    const text = `printf "%s|%s|%s\\n" "$ODD" "$EMPTY" "$SERVER_NAME" >>"$SERVER_FOLDER/said"\necho '${RESULT}'\n`;
    const parameters = { ODD: odd, EMPTY: "" };
    withSteps(text, { name: "first", parameters });
    await app.applied("own");
    expect(readFileSync(join(machine(), "said"), "utf8")).toBe(`${odd}||app-01\n`);

    // Another script and other parameters alone plan nothing: the name decides.
    withSteps(`${text}# changed\n`, { name: "first", parameters: { ODD: "changed", EMPTY: "" } });
    expect(await app.planned("own")).toBe(0);

    withSteps(text, { name: "second", parameters }, { name: "unneeded", needed: false });
    await app.applied("own");
    expect(readFileSync(join(machine(), "said"), "utf8")).toBe(`${odd}||app-01\n`.repeat(2));

    withSteps(text, { name: "first", parameters });
    const again = await app.apply("own");
    expect(again.exitCode).toBe(1);
    expect(again.stderr + again.stdout).toContain("first was run on app-01 before");
  });

  it("fails as the script does, or says nothing, and ends one that takes too long", async () => {
    withSteps("echo 'out of paper' >&2; exit 4\n", { name: "failing" });
    const failed = await app.apply("own");
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr + failed.stdout).toMatch(
      /out of paper[\s\S]*exit status 4|exit status 4[\s\S]*out of paper/,
    );

    withSteps("exit 0\n", { name: "silent" });
    const silent = await app.apply("own");
    expect(silent.exitCode).toBe(1);
    expect(silent.stderr + silent.stdout).toContain("step silent ended with 0 and without a result");

    withSteps(
      "trap 'touch $SERVER_FOLDER/tidied; exit 9' TERM; while :; do read -rt 0.1 <> <(:) || :; done\n",
      {
        name: "hanging",
        timeoutSeconds: 1,
      },
    );
    const late = await app.apply("own");
    expect(late.exitCode).toBe(1);
    expect(late.stderr + late.stdout).toContain("hanging did not end within 1 s");
    expect(readFileSync(join(machine(), "tidied"), "utf8")).toBe("");
  });
});
