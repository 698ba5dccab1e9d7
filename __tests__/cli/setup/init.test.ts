/** `bluegreen init` as a process: what it makes can release, and what was there stays. */
import { spawnSync } from "node:child_process";
import { parseEnvironment } from "../../../configuration/environment-file";
import { emptyRecord, parseRecord } from "../../../release/record";
import { COMMAND, Folder, STACKS } from "./command";
import type { Ran } from "../../../development/testbed/processes";

interface Initialized {
  readonly environment: string;
  readonly created: readonly string[];
  readonly kept: readonly string[];
  readonly extended: readonly string[];
  readonly notes: readonly string[];
  readonly next: readonly string[];
  readonly exitCode: number;
}

const AZURE = [
  ...["--platform", "azure", "--location", "westeurope"],
  ...["--subscription", "00000000-0000-0000-0000-000000000000"],
  ...["--tenant", "00000000-0000-0000-0000-000000000001"],
  ...["--ssh-key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDn1nXS8Z8h1nV1pX0k6Jm3gk8g1ZbO1n0bWm1xq3i5K"],
];
const NO_AZURE = {
  ...{ ARM_SUBSCRIPTION_ID: undefined, AZURE_SUBSCRIPTION_ID: undefined },
  ...{ ARM_TENANT_ID: undefined, AZURE_TENANT_ID: undefined, HOME: "/nonexistent" },
};

describe("init", () => {
  let folder: Folder;
  beforeEach(() => (folder = new Folder()));
  afterEach(() => folder.remove());

  const init = async (...options: string[]): Promise<Initialized> => {
    const { stdout, stderr } = await folder.bluegreen(["init", ...options, "--json"]);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as Initialized;
  };

  async function refuses(args: readonly string[], exitCode: number, says: RegExp): Promise<void> {
    const ran: Ran = await folder.bluegreen(["init", ...args], NO_AZURE);
    expect({ exitCode: ran.exitCode, stdout: ran.stdout, said: ran.stderr.trim() }).toEqual({
      exitCode,
      stdout: "",
      said: expect.stringMatching(says),
    });
  }

  it.each(["postgres", "mssql"])("has the database that is asked for: %s", async (database) => {
    const { notes } = await init("--driver", "embedded", "--database", database);
    const environment = parseEnvironment(folder.text("environments/local.json"), "it");
    expect(environment.platform).toMatchObject({ kind: "local", database });
    const isTold = notes.some((note) => note.startsWith("set MSSQL_URL before the first release"));
    expect(isTold).toBe(database === "mssql" && !process.env["MSSQL_URL"]);
  });

  it.each<[string, readonly string[], RegExp]>([
    ["another database", ["--database", "oracle"], /--database must be postgres or mssql, not "oracle"/],
    ["Azure", [...AZURE, "--database", "mssql"], /--database needs --platform local/],
  ])("refuses a database for %s", (_, options, says) => refuses([...options, "--yes"], 2, says));

  it("makes an environment, its record, cdktf.json and .gitignore", async () => {
    const { created, kept, exitCode } = await init("--application", "shop", "--driver", "embedded");
    expect({ created, kept, exitCode }).toEqual({
      created: ["environments/local.json", "release.json", "cdktf.json", ".gitignore"],
      kept: [],
      exitCode: 0,
    });
    const environment = parseEnvironment(folder.text("environments/local.json"), "it");
    expect(environment).toMatchObject({
      ...{ application: "shop", name: "local", topology: "sideBySide", servers: { count: 2 } },
      ...{ start: ["node", "server.js"], proxies: { driver: "embedded" } },
    });
    expect(parseRecord(folder.text("release.json"), "it")).toEqual(emptyRecord("shop"));
    expect(folder.text(".gitignore").split("\n")).toEqual([".bluegreen/", "cdktf.out/", ""]);
  });

  it("makes what cdktf can synthesize", async () => {
    await init("--driver", "embedded", "--topology", "split", "--servers", "4", "--port", "31000");
    const { app } = folder.json<{ app: string }>("cdktf.json");
    const ran = await folder.run("sh", ["-c", app]);
    expect({ exitCode: ran.exitCode, stderr: ran.stderr }).toEqual({ exitCode: 0, stderr: "" });
    for (const stack of ["base", "web"])
      expect(folder.has(`cdktf.out/stacks/${stack}/cdk.tf.json`)).toBe(true);
  });

  it("starts the package's own stacks where it is installed in the project", async () => {
    folder.write("node_modules/cdktf-bluegreen/lib/main.js", `require(${JSON.stringify(STACKS)});`);
    folder.write("node_modules/.bin/bluegreen", "");
    const { notes, next } = await init("--driver", "embedded");
    expect(folder.json("cdktf.json")).toMatchObject({ app: "node node_modules/cdktf-bluegreen/lib/main.js" });
    expect(notes.join()).not.toContain("cdktf.json");
    expect(next[0]).toBe("npx bluegreen doctor");
  });

  it("takes the options, whatever a shell would make of them", async () => {
    const start = `["java", "-jar", "my app.jar", "$(touch hacked)"]`;
    await init(
      "new folder",
      "--name",
      "trial",
      "--start",
      start,
      "--health-path",
      "/up",
      "--page",
      "/goals",
      "--port",
      "31000",
      "--servers",
      "3",
    );
    const environment = parseEnvironment(folder.text("new folder/environments/trial.json"), "it");
    expect(environment).toMatchObject({
      ...{ name: "trial", application: "new-folder", record: "environments/trial.release.json" },
      ...{ start: JSON.parse(start) as string[], servers: { count: 3 }, platform: { portBase: 31000 } },
      verification: { path: "/up", smoke: [{ method: "GET", path: "/goals", status: 200 }] },
    });
    expect(environment.sessions).toBeUndefined();
    expect(folder.has("new folder/environments/trial.release.json")).toBe(true);
  });

  it("keeps clients on their servers if it is asked to", async () => {
    await init("--affinity", "server", "--driver", "embedded");
    const environment = parseEnvironment(folder.text("environments/local.json"), "it");
    expect(environment.sessions).toEqual({ affinity: "server", withoutCookie: [] });
  });

  it("splits a start command at blanks", async () => {
    await init("--start", "  python3  -m app ");
    expect(folder.json("environments/local.json")).toMatchObject({ start: ["python3", "-m", "app"] });
  });

  it("leaves alone what is there, and adds what .gitignore lacks", async () => {
    folder.write("cdktf.json", `{"app": "node mine.js"}`);
    folder.write("release.json", "mine");
    folder.write(".gitignore", "node_modules\n/.bluegreen");
    const { created, kept, extended } = await init();
    expect({ created, kept, extended }).toEqual({
      created: ["environments/local.json"],
      kept: ["release.json", "cdktf.json"],
      extended: [".gitignore"],
    });
    expect(folder.text("cdktf.json")).toBe(`{"app": "node mine.js"}`);
    expect(folder.text("release.json")).toBe("mine");
    expect(folder.text(".gitignore")).toBe("node_modules\n/.bluegreen\ncdktf.out/\n");
  });

  it("refuses an environment that is there, and writes nothing", async () => {
    folder.write("environments/local.json", "mine");
    await refuses(["--example"], 3, /^environments\/local\.json already exists: nothing was written/);
    expect(folder.text("environments/local.json")).toBe("mine");
    expect(folder.has("cdktf.json") || folder.has("packages")).toBe(false);
  });

  it("brings releases to try out, and commands that go on with them", async () => {
    const { created, next } = await init("--example", "--driver", "embedded");
    const packages = ["1.0.0", "1.1.0", "1.2.0", "1.4.0"].map(
      (version) => `packages/socialgoal-${version}.zip`,
    );
    expect(created).toEqual(expect.arrayContaining(packages));
    for (const name of packages) expect(folder.text(name).startsWith("PK")).toBe(true);
    expect(folder.json("environments/local.json")).toMatchObject({ application: "socialgoal" });
    const release = next.find((command) => command.includes("release 1.0.0"))!;
    expect(release).toMatch(/^node \S+ release 1\.0\.0 --artifact packages\/socialgoal-1\.0\.0\.zip$/);
  });

  it("writes an environment on Azure, whose stacks can be synthesized", async () => {
    const { environment, next } = await init("--application", "shop", ...AZURE);
    expect(environment).toBe("environments/prod.json");
    expect(parseEnvironment(folder.text(environment), "it")).toMatchObject({
      platform: { kind: "azure", location: "westeurope", webServers: { os: "linux", packages: ["nodejs"] } },
    });
    expect(next.at(-1)).toMatch(
      /^BLUEGREEN_ENVIRONMENT=environments\/prod\.json npx --package cdkt[fn]-cli@\S+ cdkt[fn] deploy base$/,
    );
    const ran = await folder.run(process.execPath, [STACKS], { BLUEGREEN_ENVIRONMENT: environment });
    expect(ran.exitCode).toBe(0);
  });

  it("writes an environment with IIS, which starts the application itself", async () => {
    await init("--application", "shop", ...AZURE, "--os", "windows");
    const environment = parseEnvironment(folder.text("environments/prod.json"), "it");
    expect(environment).toMatchObject({ verification: { path: "/_release.txt", releaseHeader: null } });
    expect(environment.start).toBeUndefined();
  });

  it.each<[string, string[], RegExp]>([
    [
      "a name that is none",
      ["--name", "../evil"],
      /^nothing was written: name: .*is not a valid environment name/,
    ],
    ["an application that is none", ["--application", "My App"], /^nothing was written: application/],
    ["an unknown platform", ["--platform", "aws"], /^--platform must be local or azure, not "aws"/],
    ["an unknown topology", ["--topology", "ring"], /^--topology must be split or sideBySide/],
    ["an unknown driver", ["--driver", "envoy"], /^--driver must be haproxy or nginx or embedded/],
    ["an unknown affinity", ["--affinity", "slot"], /^--affinity must be none or server, not "slot"/],
    ["no number of servers", ["--servers", "two"], /^--servers must be a whole number, not "two"/],
    ["one server to split", ["--servers", "1", "--topology", "split"], /needs 2 servers or more/],
    ["a port that is none", ["--port", "80"], /portBase must be at least 1024/],
    ["a start that is no list", ["--start", "[1]"], /^--start is not a list of strings/],
    ["no start", ["--start", " "], /start must have at least 1 entries/],
    ["a path that is none", ["--health-path", "health"], /is not a valid HTTP path/],
    [
      "Azure without what it needs",
      ["--platform", "azure"],
      /needs --subscription, --tenant, --location, --ssh-key/,
    ],
    [
      "a GUID that is none",
      [...AZURE, "--subscription", "x"],
      /platform\.subscriptionId: "x" is not a valid GUID/,
    ],
    ["the sample on Azure", [...AZURE, "--example"], /^--example needs --platform local/],
  ])("refuses %s, and makes nothing", async (_, options, says) => {
    await refuses(["new", ...options], 2, says);
    expect(folder.has("new")).toBe(false);
  });

  it("refuses a folder that is a file", async () => {
    folder.write("here", "");
    await refuses(["here"], 2, /^here is a file: name a folder/);
  });

  const withTerminal = spawnSync("script", ["--version"]).status === 0 ? it : it.skip;

  withTerminal("asks at a terminal, says what is wrong with an answer, and takes the next one", async () => {
    const answers = [
      ["Add the sample application", "n\r"],
      ["Where does it run", "\r"],
      ["Name of the environment", "\u0015Trial 1\r"],
      ["not a valid environment name", "\u0015trial\r"],
      ["Name of the application", "\u0015shop\r"],
      ["How many web servers", "\u00154\r"],
      ["Where are the two slots", "\u001b[A\r"],
      ["Which proxy", "\r"],
      ["Does a client stay on one server", "\u001b[B\r"],
      ["What command starts an instance", "\u0015node app.js\r"],
      ["Which path", "\r"],
      ["Which page", "\u0015goals\r"],
      ["not a valid HTTP path", "\u0015/goals\r"],
    ] as const;
    const said = await folder.terminal(`${process.execPath} ${COMMAND} init .`, answers);
    expect(said).toMatch(/created {2}environments\/trial\.json/);
    expect(folder.json("environments/trial.json")).toMatchObject({
      ...{ name: "trial", application: "shop", servers: { count: 4 }, topology: "split" },
      ...{ start: ["node", "app.js"], sessions: { affinity: "server" } },
      start: ["node", "app.js"],
      verification: { smoke: [{ path: "/goals" }] },
    });
  });

  withTerminal("writes nothing after Ctrl-C", async () => {
    const said = await folder.terminal(`${process.execPath} ${COMMAND} init .; echo "exit code $?"`, [
      ["Add the sample application", "\u0003"],
    ]);
    expect(said).toMatch(/cancelled: nothing was changed/);
    expect(said).toMatch(/exit code 3/);
    expect(folder.has("environments")).toBe(false);
  });
});
