/** `bluegreen doctor`: each thing that keeps a release from going well is a check that fails, with its mending. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { chmodSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { allows, azureChecks } from "../../../cli/setup/doctor/azure";
import type { AzureAccess } from "../../../cli/setup/doctor/azure-access";
import { ok, runChecks } from "../../../cli/setup/doctor/check";
import { nodeCheck } from "../../../cli/setup/doctor/machine";
import { SILENT } from "../../../cli/terminal/progress";
import { parseEnvironment } from "../../../configuration/environment-file";
import { requireAzure } from "../../../configuration/platform";
import { emptyRecord } from "../../../release/record";
import { LEAST } from "../../release/examples";
import { Folder, STACKS } from "./command";

interface Check {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed";
  readonly found: string;
  readonly mend: string | null;
}

describe("doctor", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder();
    folder.write("cdktf.json", { app: `node ${STACKS}` });
    folder.write("environments/local.json", environment());
    folder.write("release.json", emptyRecord("socialgoal"));
  });
  afterEach(() => folder.remove());

  const environment = (changes: object = {}): object => ({
    ...LEAST,
    platform: { kind: "local", portBase: 15_080, user: "root" },
    proxies: { driver: "embedded" },
    ...changes,
  });

  async function doctor(env: NodeJS.ProcessEnv = {}, ...options: string[]) {
    const ran = await folder.bluegreen(["doctor", "--json", ...options], env);
    if (ran.stdout === "") throw new Error(ran.stderr);
    const { checks, exitCode } = JSON.parse(ran.stdout) as { checks: Check[]; exitCode: number };
    expect(ran.exitCode).toBe(exitCode);
    return { exitCode, checks, check: (name: string) => checks.find((each) => each.name === name) };
  }

  async function fails(name: string, found: RegExp, mend: RegExp, env: NodeJS.ProcessEnv = {}) {
    const { exitCode, check } = await doctor(env);
    expect({ exitCode, ...check(name) }).toEqual({
      exitCode: 3,
      name,
      status: "failed",
      found: expect.stringMatching(found),
      mend: expect.stringMatching(mend),
    });
  }

  it("finds all well before the first release, and leaves nothing behind", async () => {
    const { exitCode, checks } = await doctor();
    expect(checks.filter(({ status }) => status !== "ok")).toEqual([]);
    expect(exitCode).toBe(0);
    expect(checks.map(({ name }) => name)).toEqual([
      ...[
        "node",
        "terraform",
        "programs",
        "environment",
        "proxy",
        "account",
        "record",
        "packages",
        "work folder",
      ],
      ...["synth", "state", "ports", "proxies", "lock"],
    ]);
    expect(readdirSync(folder.in(".bluegreen/local"))).toEqual([]);
  });

  it("prints for people: each finding, and below it the fix", async () => {
    folder.write("release.json", "{");
    const { exitCode, stdout } = await folder.bluegreen(["doctor"]);
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/✔ node +Node /);
    expect(stdout).toMatch(/✖ record +release\.json is not JSON.*\n +-> fix it, .*`bluegreen recover`/);
    expect(stdout).toMatch(/1 of 14 checks failed/);
  });

  (process.getuid?.() === 0 ? it : it.skip)("finds an account that instances can't run as", async () => {
    const account = { kind: "local", portBase: 15_080, user: "no-such-account" };
    folder.write("environments/local.json", environment({ platform: account }));
    await fails("account", /^there is no account no-such-account$/, /create it, or change platform\.user/);
  });

  it("goes on with the rest where the environment file is bad", async () => {
    folder.write("environments/local.json", "{");
    const { exitCode, checks, check } = await doctor();
    expect(exitCode).toBe(3);
    expect(check("environment")).toMatchObject({
      status: "failed",
      found: expect.stringMatching(/is not JSON/),
    });
    expect(checks.map(({ name }) => name)).toEqual(["node", "terraform", "programs", "environment"]);
  });

  it("names an environment file that is not there", async () => {
    const { check } = await doctor({}, "--environment", "environments/no.json");
    expect(check("environment")?.mend).toMatch(/environments\/no\.json.*`bluegreen init`/);
  });

  describe("with a SQL Server", () => {
    beforeEach(() =>
      folder.write(
        "environments/local.json",
        environment({ platform: { kind: "local", portBase: 15_080, database: "mssql" } }),
      ),
    );

    it("finds that nothing names it", async () => {
      await fails("database", /MSSQL_URL is not set: set it to .*mssql:/, /fix the variable/, {
        MSSQL_URL: undefined,
      });
    });

    it("finds an address that can't be right, and shows nothing of it", async () => {
      const MSSQL_URL = "mssql://sa:s3cret@db.example.org?trustServerCertificate=true";
      await fails("database", /^(?!.*s3cret)MSSQL_URL has trustServerCertificate=true/, /fix the variable/, {
        MSSQL_URL,
      });
    });

    it("is content with an address", async () => {
      const { check } = await doctor({ MSSQL_URL: "mssql://sa:s3cret@127.0.0.1:14330" });
      expect(check("database")).toMatchObject({
        status: "ok",
        found: expect.stringMatching(/^MSSQL_URL names/),
      });
    });

    it("a release is refused before anything is made, where nothing names the server", async () => {
      const { exitCode, stdout, stderr } = await folder.bluegreen(
        ["release", "1.0.0", "--artifact", "https://example.org/x.zip", "--sha256", "a".repeat(64)],
        { MSSQL_URL: undefined },
      );
      expect({ exitCode, stdout, said: stderr.trim() }).toEqual({
        exitCode: 2,
        stdout: "",
        said: expect.stringMatching(/MSSQL_URL is not set: set it to an address as in mssql:/),
      });
      expect(folder.has(".bluegreen/local/servers")).toBe(false);
      expect(folder.json("release.json")).toEqual(emptyRecord("socialgoal"));
    });
  });

  it("finds an app that does not synthesize, and looks at no state then", async () => {
    folder.write("cdktf.json", { app: "echo it is broken >&2; exit 7" });
    const { check } = await doctor();
    expect(check("synth")).toMatchObject({
      status: "failed",
      found: expect.stringMatching(/ended with exit code 7: it is broken/),
      mend: expect.stringMatching(/cdktf\.json/),
    });
    expect(check("state")).toMatchObject({ status: "failed", mend: "fix synth first" });
  });

  it("finds an app without the two stacks", async () => {
    folder.write("cdktf.json", { app: "true" });
    await fails("synth", /synthesizes no stack base and no web/, /`base` and `web`/);
  });

  it("finds that another program has a port", async () => {
    const other: Server = createServer();
    await new Promise<void>((listening) => other.listen(15_080, "127.0.0.1", listening));
    try {
      await fails("ports", /^15080 is in use by another program/, /platform\.portBase/);
    } finally {
      other.close();
    }
  });

  it("finds a proxy that is not installed", async () => {
    folder.write("environments/local.json", environment({ proxies: { driver: "nginx" } }));
    const tools = toolsWithout("nginx");
    if (tools === null) return; // Debian keeps it where it is found whatever PATH says.
    await fails("proxy", /nginx is not installed/, /apt-get install nginx/, { PATH: tools });
  });

  it("finds programs that are missing, and their packages", async () => {
    const tools = toolsWithout("flock", "pkill");
    await fails("programs", /^not on PATH: flock, pkill$/, /apt-get install util-linux procps/, {
      PATH: tools!,
    });
  });

  it("finds a terraform that does not work", async () => {
    folder.write("terraform", "#!/bin/sh\nexit 9\n");
    chmodSync(folder.in("terraform"), 0o755);
    await fails("terraform", /fails with exit code 9/, /TERRAFORM_BINARY_NAME|install terraform/, {
      TERRAFORM_BINARY_NAME: folder.in("terraform"),
    });
  });

  it("finds a state that can't be read", async () => {
    folder.write(".bluegreen/local/terraform.web.tfstate", "{ cut off");
    await fails(
      "state",
      /^the state of web can't be read: /,
      /terraform\.web\.tfstate\.backup.*docs\/commands\.md, "When a file or a lock is lost"/,
    );
  });

  it("warns of a state that a newer Terraform wrote, which this one may not read", async () => {
    const state = { ...stateWith([{}]), terraform_version: "99.1.0" };
    folder.write(".bluegreen/local/terraform.web.tfstate", state);
    const { exitCode, check } = await doctor();
    expect({ exitCode, ...check("state") }).toMatchObject({
      ...{ exitCode: 0, status: "warning" },
      found: expect.stringMatching(/web 1; version 99\.1\.0 wrote it, but this is terraform \d/),
      mend: expect.stringContaining("TERRAFORM_BINARY_NAME"),
    });
  });

  it.each([
    [
      "an encrypted state without its key",
      "Error: Unsupported state file format\n\nThis state file is encrypted and can not be read without an encryption\nconfiguration",
      /^set TF_ENCRYPTION to what it was/,
    ],
    [
      "an encrypted state with another key",
      "Error: Failed to load state\n\ndecryption failed for all provided methods: attempted decryption failed for\nstate: decryption failed",
      /^set TF_ENCRYPTION to what it was/,
    ],
    [
      "a workspace without a host name",
      'Error: Hostname is required for the cloud backend\n\nOpenTofu does not provide a default "hostname" attribute',
      /^set backend\.hostname in the environment file/,
    ],
  ])("does not advise to restore %s", async (_, error, mend) => {
    folder.write(
      "tofu",
      `#!/bin/sh\n[ "$1" = state ] || exec terraform "$@"\ncat >&2 <<'E'\n${error}\nE\nexit 1\n`,
    );
    chmodSync(folder.in("tofu"), 0o755);
    await fails("state", /^the state of base can't be read: /, mend, {
      TERRAFORM_BINARY_NAME: folder.in("tofu"),
    });
  });

  it("finds what failed applies left", async () => {
    const instances = [{}, ...Array.from({ length: 8 }, (_, index) => ({ deposed: `0000000${index}` }))];
    folder.write(".bluegreen/local/terraform.web.tfstate", stateWith(instances));
    await fails("state", /8 deposed objects of failed applies/, /`bluegreen abort`/);
  });

  it("warns of a held lock, and says who has it", async () => {
    mkdirSync(folder.in(".bluegreen/local"), { recursive: true });
    folder.write(".bluegreen/local/release.lock", "");
    folder.write(".bluegreen/local/release.lock.holder", "somebody on a machine");
    const lock = folder.in(".bluegreen/local/release.lock");
    const holding = spawn("flock", [lock, "sh", "-c", "echo held; exec cat"]);
    await once(holding.stdout, "data");
    try {
      const { exitCode, check } = await doctor();
      expect(check("lock")).toMatchObject({ status: "warning", found: "held by somebody on a machine" });
      expect(exitCode).toBe(0);
    } finally {
      holding.stdin.end();
      await once(holding, "close");
    }
  });

  it("warns of another CDKTF than the package is tested with", async () => {
    folder.write("node_modules/cdktf/package.json", { name: "cdktf", version: "0.19.1" });
    const { exitCode, check } = await doctor();
    expect(exitCode).toBe(0);
    expect(check("packages")).toMatchObject({
      status: "warning",
      mend: expect.stringMatching(/cdktf@0\.21/),
    });
  });

  it("takes CDK Terrain under CDKTF's names for what it is", async () => {
    folder.write("node_modules/cdktf/package.json", { name: "cdktn", version: "0.24.0" });
    const bindings = "node_modules/@cdktf/provider-azurerm/package.json";
    folder.write(bindings, { name: "@cdktn/provider-azurerm", version: "16.1.0" });
    expect((await doctor()).check("packages")).toMatchObject({
      status: "ok",
      found: "cdktn 0.24.0 as cdktf, @cdktn/provider-azurerm 16.1.0 as @cdktf/provider-azurerm",
    });
    folder.write(bindings, { name: "@cdktn/provider-azurerm", version: "15.0.0" });
    expect((await doctor()).check("packages")).toMatchObject({
      status: "warning",
      mend: expect.stringContaining("@cdktf/provider-azurerm@npm:@cdktn/provider-azurerm@16"),
    });
  });

  /** A folder with links to all programs of this machine but these. @returns null where that hides nothing. */
  function toolsWithout(...hidden: string[]): string | null {
    const sbin = ["/usr/sbin", "/usr/local/sbin"];
    if (sbin.some((each) => namesIn(each).some((name) => hidden.includes(name)))) return null;
    mkdirSync(folder.in("tools"));
    for (const each of (process.env["PATH"] ?? "").split(":")) {
      for (const name of namesIn(each)) {
        if (hidden.includes(name) || folder.has(`tools/${name}`)) continue;
        symlinkSync(`${each}/${name}`, folder.in(`tools/${name}`));
      }
    }
    return folder.in("tools");
  }
});

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function stateWith(instances: readonly object[]): object {
  const provider = 'provider["terraform.io/builtin/terraform"]';
  const attributes = { id: "1", input: null, output: null, triggers_replace: null };
  return {
    version: 4,
    terraform_version: "1.11.4",
    serial: 1,
    lineage: "0",
    outputs: {},
    resources: [
      {
        ...{ mode: "managed", type: "terraform_data", name: "install-blue-web-1", provider },
        instances: instances.map((each) => ({ schema_version: 0, attributes, ...each })),
      },
    ],
  };
}

test("a check that hangs has failed, and keeps nobody waiting", async () => {
  const hangs = { name: "it", seconds: 0.05, run: () => new Promise<never>(() => undefined) };
  const slow = { name: "other", seconds: 5, run: () => pause(20).then(() => ok("done")) };
  expect(await runChecks([hangs, slow], SILENT)).toEqual([
    { name: "it", status: "failed", found: "no answer within 0.05 s", mend: expect.any(String) },
    { name: "other", status: "ok", found: "done", mend: null },
  ]);
});

test.each([
  ["18.20.0", "failed"],
  ["20.18.3", "failed"],
  ["20.19.0", "ok"],
  ["24.1.0", "ok"],
])("Node %s: %s", async (version, status) => {
  expect((await nodeCheck(version).run()).status).toBe(status);
});

describe("on Azure", () => {
  const environment = requireAzure(
    parseEnvironment(
      JSON.stringify({
        ...LEAST,
        name: "prod",
        platform: {
          kind: "azure",
          subscriptionId: "00000000-0000-0000-0000-000000000000",
          tenantId: "00000000-0000-0000-0000-000000000001",
          location: "westeurope",
          sshPublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDn1nXS8Z8h1nV1pX0k6Jm3gk8g1ZbO1n0bWm1xq3i5K",
          webServers: { os: "linux" },
        },
      }),
      "it",
    ),
  );

  async function diagnose(access: Partial<AzureAccess>) {
    const asked: string[] = [];
    const checks = azureChecks(environment, {
      token: (resource) => Promise.resolve(`token of ${resource}`),
      get(url, headers) {
        asked.push(`${url} ${headers["authorization"]}`);
        return Promise.resolve({ status: 200, text: permissions(["*"]) });
      },
      ...access,
    });
    return { results: await runChecks(checks, SILENT), asked };
  }
  const permissions = (actions: string[], notActions: string[] = []): string =>
    JSON.stringify({ value: [{ actions, notActions }] });
  const answer = (status: number, text: string): Partial<AzureAccess> => ({
    get: () => Promise.resolve({ status, text }),
  });
  const statusOf = async (name: string, access: Partial<AzureAccess>) =>
    (await diagnose(access)).results.find((each) => each.name === name);

  it("asks with a token for each place, and is content with one who may do it", async () => {
    const { results, asked } = await diagnose({});
    expect(results.map(({ name, status }) => `${name} ${status}`)).toEqual([
      "credentials ok",
      "rights ok",
      "artifact store ok",
      "run commands warning",
    ]);
    expect(asked[0]).toMatch(
      /^https:\/\/management\.azure\.com\/subscriptions\/0{8}-.*\/resourceGroups\/rg-socialgoal-prod\/providers\/Microsoft\.Authorization\/permissions\?.* Bearer token of https:\/\/management/,
    );
    expect(asked[1]).toMatch(/\.blob\.core\.windows\.net\/releases\?.* Bearer token of https:\/\/storage/);
  });

  it("explains how to log in without a login", async () => {
    const { results } = await diagnose({ token: () => Promise.reject(new Error("expired\nand more")) });
    expect(results.map(({ status }) => status)).toEqual(["failed", "failed", "failed", "failed"]);
    expect(results[0]).toMatchObject({ found: "expired", mend: expect.stringMatching(/az login/) });
  });

  it.each<[string, number, string, string]>([
    ["no right to run commands", 200, permissions(["Microsoft.Compute/*/read"]), "failed"],
    ["a right that is taken away again", 200, permissions(["*"], ["Microsoft.Compute/*"]), "failed"],
    ["no resource group", 404, "{}", "failed"],
    ["no right to see the rights", 403, "{}", "failed"],
  ])("rights: %s", async (_, status, text, expected) => {
    expect(await statusOf("rights", answer(status, text))).toMatchObject({ status: expected });
  });

  it.each<[number, string, RegExp]>([
    [403, "<Error><Code>AuthorizationPermissionMismatch</Code></Error>", /Storage Blob Data Contributor/],
    [404, "<Error><Code>ContainerNotFound</Code></Error>", /cdktf deploy base/],
  ])("artifact store: status %s", async (status, text, mend) => {
    expect(await statusOf("artifact store", answer(status, text))).toMatchObject({
      status: "failed",
      mend: expect.stringMatching(mend),
    });
  });

  describe("run commands", () => {
    const id = (server: string, name: string): string =>
      `/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-socialgoal-prod/providers/Microsoft.Compute/virtualMachines/vm-socialgoal-prod-${server}/runCommands/${name}`;
    const KNOWN = ["setup-0123456789-1", "begin-40-0a1b2c3d", "switch-40-0a1b2c3d"].map((name) =>
      id("proxy-1", name),
    );
    /** As 4.81.0 leaves them without its feature: failed releases, each with its name. */
    const orphans = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => id("proxy-1", `switch-${index + 1}-0a1b2c3d`));
    const check = async (onProxy: readonly string[], known: readonly string[] | null) => {
      const checks = azureChecks(
        environment,
        {
          token: () => Promise.resolve("token"),
          get: (url) => {
            // Azure answers in pages, and in its own case.
            const [, server = ""] =
              /virtualMachines\/vm-socialgoal-prod-([a-z0-9-]+)\/runCommands/.exec(url) ?? [];
            if (server !== "proxy-1") return Promise.resolve({ status: 200, text: '{"value":[]}' });
            const first = !url.includes("skip=");
            const half = Math.ceil(onProxy.length / 2);
            const value = (first ? onProxy.slice(0, half) : onProxy.slice(half)).map((each) => ({
              id: each.replace("resourceGroups", "resourcegroups"),
            }));
            const nextLink = first ? { nextLink: `${url}&skip=${half}` } : {};
            return Promise.resolve({ status: 200, text: JSON.stringify({ value, ...nextLink }) });
          },
        },
        Promise.resolve(known),
      );
      return (await runChecks(checks, SILENT)).find(({ name }) => name === "run commands")!;
    };

    it("is content if the states know all of them", async () => {
      expect(await check(KNOWN, KNOWN)).toEqual({
        name: "run commands",
        status: "ok",
        found: "at most 3 of 25 on a server, all in the states",
        mend: null,
      });
    });

    it.each([1, 8, 22])("names %i that no state knows, with the command that removes them", async (count) => {
      const left = orphans(count);
      const { status, found, mend } = await check([...KNOWN, ...left], KNOWN);
      expect(status).toBe(count === 22 ? "failed" : "warning");
      expect(found).toMatch(
        new RegExp(
          `^proxy-1 has ${count + 3} of at most 25 run commands, ${count} of which no state knows: switch-1-`,
        ),
      );
      const [, ids = ""] =
        /^when no release runs: `az resource delete --ids ([^`]*)`$/.exec(mend ?? "") ?? [];
      expect(ids.toLowerCase().split(" ")).toEqual(left.map((each) => each.toLowerCase()));
    });

    it("25 with an empty state are all named", async () => {
      const { status, found } = await check(orphans(25), []);
      expect([status, found]).toEqual(["failed", expect.stringContaining("25 of which no state knows")]);
    });

    it("sees the limit before it is reached, also without the states", async () => {
      const many = orphans(18);
      expect(await check(many, many)).toMatchObject({
        status: "warning",
        found: "proxy-1 has 18 of at most 25 run commands",
        mend: expect.stringContaining("`bluegreen abort`"),
      });
      expect(await check(many, null)).toMatchObject({ status: "warning" });
      expect(await check(orphans(4), null)).toMatchObject({
        status: "ok",
        found: "at most 4 of 25 on a server; not compared with the states",
      });
    });
  });

  it("reads roles as Azure does", () => {
    const action = "Microsoft.Compute/virtualMachines/runCommands/write";
    const role = (actions: string[], notActions: string[] = []) => ({ actions, notActions });
    expect(allows([role(["microsoft.compute/virtualmachines/*"])], action)).toBe(true);
    expect(allows([role(["*/read"])], action)).toBe(false);
    expect(allows([role(["*"], ["*/write"]), role([action])], action)).toBe(true);
    expect(allows([], action)).toBe(false);
  });
});
