/** A life on Azure: base, releases, a failure, a lost server, the end. Real provider, real scripts, real proxy. */
import * as z from "zod/mini";
import { ProxyStatus } from "../../release/director-status";
import { parseFile } from "../../release/validation";
import { AzureWorld, describeOnAzure } from "./azure-world";
import type { Request } from "./azure-world";

const RUN_COMMAND = /^virtualMachines\/vm-socialgoal-sim-([a-z]+-\d+)\/runCommands\/([A-Za-z0-9._-]+)$/;

const Look = z.object({ proxies: z.array(ProxyStatus), problems: z.array(z.string()) });

function runCommands(requests: readonly Request[]): { server: string; name: string; method: string }[] {
  return requests.map(({ method, path }) => {
    const [, server, name] = RUN_COMMAND.exec(path) ?? [];
    if (server === undefined || name === undefined) throw new Error(`${method} ${path} is no run command`);
    return { server, name, method };
  });
}

function started(requests: readonly Request[]): string[] {
  return runCommands(requests)
    .filter(({ method }) => method === "PUT")
    .map(({ server, name }) => `${server} ${name.replace(/^(begin|switch)-(\d+)-[0-9a-f]{8}$/, "$1-$2")}`)
    .sort();
}

describeOnAzure("on Azure, as far as a stand-in can tell", () => {
  let world: AzureWorld;
  jest.setTimeout(600_000);

  beforeAll(async () => {
    world = await AzureWorld.create();
  });
  afterAll(() => world.end());

  test("base is deployed, and deploying it again changes nothing", async () => {
    const { exitCode, stdout, stderr } = await world.apply("base");
    expect({ exitCode, end: stdout.slice(-300), stderr }).toEqual({
      exitCode: 0,
      end: expect.anything(),
      stderr: "",
    });
    expect(await world.plan("base")).toBe("nothing");
    expect(await world.serving()).toBe("status 503");
  });

  test("the first release is installed", async () => {
    const requests = await world.requestsOf(async () => {
      expect(await world.release("1.0.0", "1.0.0")).toMatchObject({ outcome: "installed", to: "1.0.0-1" });
    });
    expect(await world.serving()).toBe("1.0.0-1");
    expect(started(requests)).toEqual([
      "proxy-1 begin-1",
      "proxy-1 switch-1",
      "web-1 install-blue-1.0.0-1",
      "web-2 empty-green-1",
    ]);
  });

  test("the second one goes to the idle slot: run commands only, none on the live slot's server", async () => {
    const requests = await world.requestsOf(async () => {
      expect(await world.release("1.1.0", "1.1.0")).toMatchObject({ outcome: "promoted", to: "1.1.0-2" });
    });
    expect(await world.serving()).toBe("1.1.0-2");
    expect(started(requests)).toEqual(["proxy-1 begin-2", "proxy-1 switch-2", "web-2 install-green-1.1.0-2"]);
    expect(runCommands(requests).filter(({ server }) => server === "web-1")).toEqual([]);
    expect(await world.plan("web")).toBe("nothing");
  });

  test("what its proxy said last is seen from afar, journal and all, with the time when it said so", async () => {
    const watch = [...world.command, ...["status", "--watch", "--json", "--interval", "0.2"]];
    const watching = `"$@" | head -1`;
    const requests = await world.requestsOf(async () => {
      const { stdout } = await world.run("sh", "-c", watching, "sh", ...watch);
      const { proxies, problems } = parseFile(Look, stdout, "the look");
      expect(problems).toEqual([]);
      expect(proxies).toMatchObject([{ proxy: "proxy-1", at: expect.any(String), serving: ["green"] }]);
      expect(proxies[0]!.state.journal.map(({ event }) => event)).toEqual([
        ...["drained", "verified", "traffic", "judged", "traffic", "drained", "users"],
      ]);
    });
    expect(started(requests)).toEqual([]);
    expect(await world.plan("web")).toBe("nothing");
  });

  test("one that never becomes healthy gets no request, and says why", async () => {
    const deployment = await world.release("1.2.0", "1.2.0");
    expect(deployment).toMatchObject({ exitCode: 4, outcome: "rejected", to: "1.1.0-2" });
    expect(deployment.reason).toContain("1.2.0-3 was not healthy within 6 s");
    expect(await world.serving()).toBe("1.1.0-2");
  });

  test("applying the failed record again runs nothing", async () => {
    const requests = await world.requestsOf(async () => {
      const { exitCode, stderr } = await world.apply("web");
      expect(exitCode).toBe(1);
      expect(stderr).toContain("already exists");
    });
    expect(started(requests)).toEqual([]);
    expect(await world.serving()).toBe("1.1.0-2");
  });

  test("a retry takes names that were never used", async () => {
    const requests = await world.requestsOf(async () => {
      expect(await world.deploy("retry")).toMatchObject({ sequence: 4, outcome: "rejected", to: "1.1.0-2" });
    });
    expect(started(requests)).toEqual(["proxy-1 begin-4", "web-1 install-blue-1.2.0-4"]);
  });

  test("the next release goes on from there, and nothing of the failures is left", async () => {
    expect(await world.release("1.3.0", "1.1.0")).toMatchObject({ outcome: "promoted", to: "1.3.0-5" });
    expect(await world.serving()).toBe("1.3.0-5");
    expect(await world.plan("web")).toBe("nothing");
  });

  test("a rollback moves traffic and installs nothing", async () => {
    const requests = await world.requestsOf(async () => {
      expect(await world.deploy("rollback")).toMatchObject({ outcome: "rolledBack", to: "1.1.0-2" });
    });
    expect(started(requests)).toEqual(["proxy-1 begin-6", "proxy-1 switch-6"]);
    expect(await world.serving()).toBe("1.1.0-2");
    expect(await world.plan("web")).toBe("nothing");
  });

  test("a change that would replace servers is refused, unless it is meant", async () => {
    const image = { publisher: "Canonical", offer: "ubuntu-24_04-lts", sku: "minimal" };
    world.changePlatform({ webServers: { os: "linux", packages: ["nodejs"], image } });
    const refused = await world.bluegreen("plan", "base");
    expect(refused.exitCode).toBe(3);
    const servers = /azurerm_linux_virtual_machine\.web-[12]_[0-9A-F]{8}(?= \(replaced\))/g;
    const addresses = refused.stderr.match(servers) ?? [];
    expect(addresses).toHaveLength(2);
    const allow = addresses.flatMap((address) => ["--allow-replace", address]);
    expect(await world.bluegreen("plan", "base", ...allow)).toMatchObject({ exitCode: 0 });
    world.changePlatform({ webServers: { os: "linux", packages: ["nodejs"] } });
  });

  test("a lost server is replaced by base, set up again, healed, and nothing else is touched", async () => {
    world.lose("web-2");
    expect(await world.apply("base", `-replace=${world.machineAddress("web-2")}`)).toMatchObject({
      exitCode: 0,
    });
    expect(await world.serving()).toBe("status 503");
    const requests = await world.requestsOf(async () => {
      expect(await world.deploy("heal", "web-2")).toMatchObject({ outcome: "healed", to: "1.1.0-2" });
    });
    expect(started(requests)).toEqual(["proxy-1 begin-7", "proxy-1 switch-7", "web-2 heal-green-7"]);
    expect(await world.serving()).toBe("1.1.0-2");
    expect(await world.plan("web")).toBe("nothing");
    expect(await world.plan("base")).toBe("nothing");
  });

  test("no secret is in a state, a plan, the synthesized stacks, or on a machine", () => {
    expect(world.filesWithSecret()).toEqual([]);
  });

  test("no name was used twice", () => {
    const names = started(world.requests().filter(({ path }) => RUN_COMMAND.test(path)));
    expect(new Set(names).size).toBe(names.length);
  });

  test("web is destroyed without base, and base leaves nothing but the vault that can be recovered", async () => {
    expect(await world.terraform("web", "destroy", "-auto-approve")).toMatchObject({ exitCode: 0 });
    expect(await world.plan("base")).toBe("nothing");
    const { exitCode, stderr } = await world.terraform("base", "destroy", "-auto-approve");
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  });
});
