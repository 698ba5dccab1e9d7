/** setup-iis.ps1 and install-release.ps1, run by PowerShell over the model of Windows: what a release does on a server. */
import * as fs from "node:fs";
import { createServer } from "node:http";
import {
  describeOnWindows,
  eachTestHasAWindowsServer,
  expectInstalled,
  expectRefused,
  type WindowsServer,
} from "./windows-server";
import { base64 } from "./server";

describeOnWindows("a Windows server", () => {
  const server = eachTestHasAWindowsServer();

  async function withTwoReleases(): Promise<WindowsServer> {
    const one = server();
    const first = one.publish({ "App_Data/seed.txt": "of the first release" });
    expectInstalled(await one.install(one.parameters("blue", 1, first)), "installed");
    const second = one.publish({ "page.txt": "the second page" });
    expectInstalled(await one.install(one.parameters("green", 2, second)), "installed");
    return one;
  }

  test("gets a release in one slot, then the next one in the other; the first one's files stay shared", async () => {
    const one = await withTwoReleases();
    expect(await one.served("blue")).toBe("1.0.0-1");
    expect(await one.served("green")).toBe("1.0.0-2");
    expect((await one.get("green", "/page.txt")).body).toBe("the second page");
    expect((await one.get("green", "/Web.config")).status).toBe(404);
    for (const slot of ["blue", "green"] as const)
      expect((await one.get(slot, "/App_Data/seed.txt")).body).toBe("of the first release");
    expect(one.machine.state("firewall")).toMatchObject({
      [`bluegreen-${one.application}-blue`]: { Sources: ["10.0.0.0/24"], Port: [String(one.ports.blue)] },
      [`bluegreen-${one.application}-green`]: { Sources: ["10.0.0.0/24"], Port: [String(one.ports.green)] },
    });
    expect(one.list("downloads")).toEqual([]);
  });

  test("is not touched by the same record again, and refuses an older one", async () => {
    const one = await withTwoReleases();
    const second = one.parameters("green", 2, one.publish({ "page.txt": "the second page" }));
    expectInstalled(await one.install(second), "already-installed");
    expectRefused(await one.install(one.parameters("green", 1, null)), 3, "record 1 is older than 2");
    expect(await one.served("green")).toBe("1.0.0-2");
  });

  test("rejects a release that is not healthy: the slot has its earlier one, which only inPlace starts", async () => {
    const one = await withTwoReleases();
    const bad = one.publish({ "behaviour.json": JSON.stringify({ status: 500 }) });
    const slot = await one.install(one.parameters("green", 3, bad, { DEADLINE_SECONDS: "5" }));
    expectRefused(
      slot,
      4,
      "1.0.0-3 was not healthy within 5 s: /_release.txt answered 500, expected 200: correct it",
    );
    expect((await one.get("green", "/_release.txt")).status).toBe(503);
    const inPlace = await one.install(
      one.parameters("green", 4, bad, { DEADLINE_SECONDS: "5", MODE: "inPlace" }),
    );
    expectRefused(inPlace, 4, "the old release 1.0.0-2 is running again and healthy");
    expect(await one.served("green")).toBe("1.0.0-2");
    expect(await one.served("blue")).toBe("1.0.0-1");
    expect(one.list("releases")).toEqual(["1.0.0-1", "1.0.0-2"]);
  });

  test("goes back to the earlier release, and empties a slot", async () => {
    const one = await withTwoReleases();
    const first = one.publish({ "App_Data/seed.txt": "of the first release" });
    const back = one.parameters("green", 3, first, { RELEASE_ID: "1.0.0-1" });
    expectInstalled(await one.install(back), "installed");
    expect(await one.served("green")).toBe("1.0.0-1");
    expectInstalled(await one.install(one.parameters("green", 4, null)), "emptied");
    expect(await one.served("green")).toBe("");
    expect(await one.served("blue")).toBe("1.0.0-1");
    expect(Object.keys(one.machine.state("firewall"))).not.toContain(`bluegreen-${one.application}-green`);
  });

  test("reports what is wrong with an answer, a secret or the settings", async () => {
    const one = server();
    const release = one.publish();
    const failing = async (overrides: object, code: number, text: string): Promise<void> =>
      expectRefused(await one.install(one.parameters("blue", 1, release, { ...overrides })), code, text);

    const cased = base64('{"requiredFiles": ["Web.config"], "appSettings": {"a": "1", "A": "2"}}');
    await failing({ IIS_SETTINGS_BASE64: cased }, 2, "or has names that differ only by case: correct it");

    one.machine.azure.secrets.set("keys", "no JSON");
    const withKeys = {
      KEY_VAULT_HOST: "demo.vault.azure.net",
      IIS_SETTINGS_BASE64: one.settings({ machineKeySecret: "keys" }),
    };
    await failing(withKeys, 4, 'secret keys is no JSON with a text "');
    one.machine.azure.token = { status: 200, text: "no JSON" };
    await failing(withKeys, 4, "http://169.254.169.254 answered 200 without a readable access_token: retry");

    const late = { HEALTH_SUCCESSES: "9", HEALTH_INTERVAL_SECONDS: "1", DEADLINE_SECONDS: "5" };
    await failing(late, 4, "good answers in a row, and 9 are required");
  });

  test("waits for a secret only as long as the step allows", async () => {
    const one = server();
    one.machine.azure.token = { status: 503, text: "" };
    const overrides = {
      PREPARE_SECONDS: "3",
      KEY_VAULT_HOST: "demo.vault.azure.net",
      IIS_SETTINGS_BASE64: one.settings({ machineKeySecret: "keys" }),
    };
    const before = Date.now();
    const run = await one.install(one.parameters("blue", 1, one.publish(), overrides));
    expectRefused(run, 4, "http://169.254.169.254 answered 503 for 3 s: retry later");
    expect(Date.now() - before).toBeLessThan(60_000);
  });

  test("gets a changed STOP_SECONDS for the release that it has, and for the one that it stops", async () => {
    const one = server();
    const release = one.publish({ "behaviour.json": JSON.stringify({ ignoresStop: true }) });
    const limit = () =>
      (one.machine.state("iis")["pools"] as { name: string; shutdownTimeLimit: string }[]).find(
        ({ name }) => name === `${one.application}-blue`,
      )!.shutdownTimeLimit;
    expectInstalled(
      await one.install(one.parameters("blue", 1, release, { STOP_SECONDS: "600" })),
      "installed",
    );
    expect(limit()).toBe("00:10:00");
    const same = one.parameters("blue", 1, release, { STOP_SECONDS: "700" });
    expectInstalled(await one.install(same), "already-installed");
    expect(limit()).toBe("00:11:40");
    const next = one.parameters("blue", 2, one.publish(), { STOP_SECONDS: "1" });
    expectInstalled(await one.install(next), "installed");
  });

  test("leaves no firewall rule for a port that is refused, nor for a slot that got nothing", async () => {
    const one = server();
    const foreign = createServer((_request, response) => response.end("me"));
    await new Promise<void>((resolve) => foreign.listen(one.ports.green, "127.0.0.1", resolve));
    expectRefused(
      await one.install(one.parameters("green", 1, one.publish())),
      3,
      "is taken by process 4321, which",
    );
    await new Promise((resolve) => foreign.close(resolve));
    expect(one.machine.state("firewall")).not.toHaveProperty(`bluegreen-${one.application}-green`);
    const bad = one.publish({ "behaviour.json": JSON.stringify({ status: 500 }) });
    const run = await one.install(one.parameters("green", 2, bad, { DEADLINE_SECONDS: "4" }));
    expectRefused(run, 4, "was not healthy within 4 s");
    expect(one.machine.state("firewall")).not.toHaveProperty(`bluegreen-${one.application}-green`);
    expect(one.list("releases")).toEqual([]);
  });

  test("writes settings and secrets into Web.config, and shows no secret", async () => {
    const one = server();
    const secret = "Server=db;Password=not-to-be-shown";
    one.machine.azure.secrets.set("connection", secret);
    const release = one.publish({
      "Web.config": '<configuration><system.web><compilation debug="true" /></system.web></configuration>',
    });
    const settings = {
      connectionString: { name: "Main", secret: "connection" },
      appSettings: { Greeting: 'a "quoted" <text>' },
    };
    const run = await one.install(
      one.parameters("blue", 1, release, {
        KEY_VAULT_HOST: "demo.vault.azure.net",
        IIS_SETTINGS_BASE64: one.settings(settings),
      }),
    );
    expectInstalled(run, "installed");
    const written = fs.readFileSync(one.path("releases/1.0.0-1/Web.config"), "utf8");
    expect(written).toContain(
      `<add name="Main" connectionString="${secret}" providerName="System.Data.SqlClient" />`,
    );
    expect(written).toContain('<add key="Greeting" value="a &quot;quoted&quot; &lt;text&gt;" />');
    expect(written).toContain("<compilation />");
    expect(run.lines.join("\n") + run.effects.join("\n")).not.toContain("not-to-be-shown");
  });
});

describeOnWindows("a new Windows server", () => {
  const server = eachTestHasAWindowsServer("fresh");

  test("is set up: without the default site and its open ports, with a password that is in no output", async () => {
    const run = await server().setUp();
    expect(run).toMatchObject({ code: 0, stderr: "", last: "bluegreen: setup-web-1 ended with 0" });
    expect(server().machine.state("iis")["sites"]).toEqual([]);
    expect(server().machine.state("firewall")).toMatchObject({
      "IIS-WebServerRole-HTTP-In-TCP": { Enabled: "False" },
      "IIS-WebServerRole-HTTPS-In-TCP": { Enabled: "False" },
    });
    const password = server().machine.state("accounts")["operator"] as string;
    expect(password).toMatch(/^[\w-]{68}$/);
    expect(run.lines.join("\n")).not.toContain(password);
    expect(server().machine.state("access")[server().folder]).toMatch(
      /^D:P\(A;OICI;FA;;;SY\)\(A;OICI;FA;;;BA\)$/,
    );
  });

  test.each([
    ["fail", "IIS cannot be installed"],
    ["restart", "delete its run command setup-web-1, so that Azure runs it again"],
  ] as const)("is not set up if the features %s", async (features, text) => {
    expectRefused(await server().setUp({ features }), 1, text);
    expect(server().machine.state("iis")["sites"] ?? []).toEqual([]);
    for (const rule of Object.values(server().machine.state("firewall")))
      expect(rule).toMatchObject({ Enabled: "False" });
  });
});
