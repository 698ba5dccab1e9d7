/** What Windows refuses for a moment (a scanner holds a file; IIS or the firewall is busy) is tried again, in both scripts. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Refusal } from "../../../development/testbed/windows/machine";
import {
  describeOnWindows,
  eachTestHasAWindowsServer,
  expectInstalled,
  expectRefused,
  INSTALL,
} from "./windows-server";

const HELD = "The process cannot access the file because it is being used by another process.";
const refuse = (effects: readonly string[], times: number, message = HELD): readonly Refusal[] =>
  effects.map((effect) => ({ effect, times, message }));

describeOnWindows("Windows refuses for a moment", () => {
  const server = eachTestHasAWindowsServer();
  const release = () => server().publish({ "App_Data/seed.txt": "seed" });

  test("an install goes on", async () => {
    const effects = [
      "set access to C:\\bluegreen\\releases",
      "replace C:\\bluegreen\\sequence",
      "write C:\\bluegreen\\releases", // Web.config
      "to C:\\bluegreen\\releases\\1.0.0-2",
      "delete C:\\bluegreen\\downloads",
      "New-NetFirewallRule",
      "to C:\\bluegreen\\data\\App_Data",
      "commit the configuration",
      "move C:\\bluegreen\\run\\blue.healthy",
    ];
    expectInstalled(await server().install(server().parameters("green", 1, null)), "emptied");
    const run = await server().install(server().parameters("blue", 2, release()), {
      refusals: [...refuse(effects, 1), ...refuse(["open C:\\bluegreen\\sequence"], 1, "denied")],
    });
    expectInstalled(run, "installed");
    for (const effect of effects)
      expect([effect, run.effects.filter((name) => name.includes(effect)).length > 1]).toEqual([
        effect,
        true,
      ]);
    expect(await server().served("blue")).toBe("1.0.0-2");
    expect(server().list("downloads")).toEqual([]);
  });

  test("an emptying goes on, and removes its firewall rule", async () => {
    expectInstalled(await server().install(server().parameters("blue", 1, release())), "installed");
    const effects = ["commit the configuration", "Remove-NetFirewallRule", "delete C:\\bluegreen\\run"];
    const run = await server().install(server().parameters("blue", 2, null), {
      refusals: refuse(effects, 1),
    });
    expectInstalled(run, "emptied");
    expect(server().machine.state("firewall")).not.toHaveProperty(`bluegreen-${server().application}-blue`);
    expect(server().list("run")).toEqual([]);
  });

  test("a rejected release is removed", async () => {
    const bad = server().publish({ "behaviour.json": JSON.stringify({ status: 500 }) });
    const effects = ["move folder C:\\bluegreen\\releases\\1.0.0-1", "Remove-Item -LiteralPath"];
    const run = await server().install(server().parameters("blue", 1, bad, { DEADLINE_SECONDS: "5" }), {
      refusals: refuse(effects, 1),
    });
    expectRefused(run, 4, "answered 500, expected 200");
    expect(server().list("releases")).toEqual([]);
  });

  test("what stays refused ends the run with Windows' reason, and the next run ends well", async () => {
    const impatient = path.join(server().machine.root, "install.ps1");
    const text = fs.readFileSync(INSTALL, "utf8");
    expect(text).toContain("$RefusedSeconds = 30\n");
    fs.writeFileSync(impatient, text.replace("$RefusedSeconds = 30\n", "$RefusedSeconds = 1\n"));
    const refusals = refuse(["to C:\\bluegreen\\releases\\1.0.0-1"], 1000);
    const parameters = server().parameters("blue", 1, release());
    const run = await server().install(parameters, { refusals }, impatient);
    expectRefused(run, 1, /while moving 1.0.0-1 into place, line \d+: The process cannot access the file/);
    expect(
      run.effects.filter((name) => name.includes("to C:\\bluegreen\\releases\\1.0.0-1")).length,
    ).toBeGreaterThan(1);
    expect(server().list("releases")).toEqual([]);
    expectInstalled(await server().install(parameters), "installed");
  });
});

describeOnWindows("Windows refuses for a moment while it is set up", () => {
  const server = eachTestHasAWindowsServer("fresh");

  test("the set-up goes on", async () => {
    const effects = ["Disable-NetFirewallRule", "commit the configuration", "Start-Service W3SVC"];
    expect(await server().setUp({ refusals: refuse(effects, 1) })).toMatchObject({ code: 0, stderr: "" });
    expect(server().machine.state("iis")["sites"]).toEqual([]);
  });
});
