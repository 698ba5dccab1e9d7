/**
 * Root releases on the local platform: the application, HAProxy and NGINX's workers run as the account that the environment
 * names, reach what they need, and nothing of root's.
 */
import { chmodSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ask, changes, describeEndToEnd, succeed, World } from "./world";
import { canOpen, missingAccount } from "./other-account";

/** Every Debian has it, and nothing else of ours runs as it. */
const ACCOUNT = "daemon";
const UID = "1";

/** Counts its starts in the shared data, reads the database's address, and reports both. */
const APPLICATION = `
const { createServer } = require("node:http");
const { appendFileSync, readFileSync } = require("node:fs");
const { DATA_FOLDER, HOST, PORT, BLUEGREEN_RELEASE_ID } = process.env;
appendFileSync(DATA_FOLDER + "/starts", BLUEGREEN_RELEASE_ID + "\\n");
const address = readFileSync(DATA_FOLDER + "/database.url", "utf8");
createServer((request, response) => {
  response.writeHead(200, { "x-release-id": BLUEGREEN_RELEASE_ID });
  response.end(address.startsWith("postgres://") ? "ok" : "no database");
}).listen(Number(PORT), HOST);
process.on("SIGTERM", () => process.exit(0));
`;

const problem = missingAccount();
if (problem !== undefined) console.warn(`skipped, ${problem}: instances as an account of their own`);

interface Rights {
  readonly uid: string;
  readonly capabilities: string;
  readonly noNewPrivileges: string;
}

function rightsOf(pid: number): Rights {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\t(\\w+)`, "m").exec(text)![1]!;
  return { uid: field("Uid"), capabilities: field("CapEff"), noNewPrivileges: field("NoNewPrivs") };
}

const NONE = "0000000000000000";
const WARNING = "this command runs as root, and so will the application";

(problem === undefined ? describeEndToEnd : describe.skip)("platform.user", () => {
  describe.each(["haproxy", "nginx"])("with %s", (driver) => {
    let world: World;
    const name = (user?: string) =>
      world.changeEnvironment({
        platform: {
          ...{ kind: "local", portBase: world.portBase, database: "postgres" },
          ...(user === undefined ? {} : { user }),
        },
      });
    beforeAll(async () => {
      world = await World.create({
        environment: {
          ...{ proxies: { driver, count: 1 }, servers: { count: 1 } },
          verification: { path: "/health", bodyPattern: "^ok$", intervalSeconds: 0.05, deadlineSeconds: 6 },
        },
      });
      name();
      chmodSync(world.folder, 0o755);
      world.write("app/server.js", APPLICATION);
    });
    afterAll(async () => expect(await world.end()).toEqual([]));

    const release = (version: string) => world.deploy("release", version, "--artifact", "app");
    const instances = () => world.pids(/^node server.js/).map(rightsOf);
    const starts = () => world.text(".bluegreen/local/data/starts").trim().split("\n");
    const warnings = async () => (await world.run(["plan", "release", "9.0.0", "--artifact", "app"])).stdout;

    it("without it, root's instances are root's, and the plan warns of that", async () => {
      expect(await release("1.0.0")).toMatchObject({ exitCode: 0 });
      expect(instances()).toEqual([expect.objectContaining({ uid: "0" })]);
      expect(await warnings()).toContain(WARNING);
      const { stdout } = await world.run(["doctor"]);
      expect(stdout).toMatch(/! account +instances run as root\n +-> .*platform\.user/);
    });

    it("with it, the next release runs as that account and continues with the data", async () => {
      name(ACCOUNT);
      expect(await warnings()).not.toContain(WARNING);
      expect(await release("1.1.0")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
      const unprivileged = { uid: UID, capabilities: NONE, noNewPrivileges: "1" };
      expect(instances()).toContainEqual(unprivileged);
      expect(instances().filter(({ uid }) => uid === "0")).toHaveLength(1); // the retained slot
      expect(starts()).toEqual(["1.0.0-1", "1.1.0-2"]);
      expect(await ask(`${world.origin()}/`)).toBe("1.1.0-2");
    });

    it("a deploy of base exchanges the proxy, and nothing else", async () => {
      const { exitCode, stdout } = await world.run(["plan", "base"]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining("proxy-1") });
      const changed = changes(await world.planByHand("base"));
      const replaced = Object.keys(changed).map((address) =>
        address.replace(/^terraform_data\.(.*)_[0-9A-F]{8}$/, "$1"),
      );
      expect(replaced).toEqual(["proxy-1"]);
      const folder = world.path("cdktf.out/stacks/base");
      await succeed(world.terraform(folder, "apply", "-input=false", "-auto-approve"));
      expect(await world.serving()).toEqual(["1.1.0-2"]);
    });

    it("users' requests meet no process of root", () => {
      const title = driver === "haproxy" ? /^haproxy -db/ : /^nginx: worker/;
      const serving = world.pids(title).map(rightsOf);
      expect(serving.length).toBeGreaterThan(0);
      for (const rights of serving) expect(rights).toMatchObject({ uid: UID, capabilities: NONE });
    });

    it("the account reaches its files, and nothing of root's", () => {
      const folder = world.path(".bluegreen/local");
      const own = ["servers/web-1/releases/1.1.0-2/server.js", "data/database.url", "data/starts"];
      const roots = [
        "terraform.web.tfstate",
        "terraform.base.tfstate",
        "cdktf.out/stacks/web/cdk.tf.json",
        "release.lock",
        "servers/proxy-1/admin.sock",
        "servers/proxy-1/spec.json",
        "servers/proxy-1/director.lock",
        "servers/proxy-1/director.js",
        "servers/web-1/install.lock",
        "servers/web-1/logs/green.log",
      ];
      const open = [...own, ...roots].filter((each) => canOpen(ACCOUNT, join(folder, each)));
      expect(open).toEqual(own);
      for (const each of ["", "/servers", "/servers/web-1", "/servers/proxy-1"])
        expect(statSync(`${folder}${each}`).uid).toBe(0);
    });

    it("after one more release, and a rollback, no instance has root's rights", async () => {
      expect(await release("1.2.0")).toMatchObject({ exitCode: 0, to: "1.2.0-3" });
      expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
      expect(instances().map(({ uid }) => uid)).toEqual([UID, UID]);
    });

    it("an account that can't enter the project is refused, with what to do; users are not touched", async () => {
      const before = await world.serving();
      chmodSync(world.folder, 0o700);
      try {
        const { exitCode, reason } = await release("1.3.0");
        expect({ exitCode, reason }).toEqual({
          exitCode: 2,
          reason: expect.stringMatching(/daemon can't enter .*web-1: let it pass through the folders above/),
        });
      } finally {
        chmodSync(world.folder, 0o755);
      }
      expect(await world.serving()).toEqual(before);
    });

    it('"root" keeps root\'s rights without a warning', async () => {
      name("root");
      expect(await warnings()).not.toContain(WARNING);
      rmSync(world.path(".bluegreen/local/data/starts"));
      expect(await world.deploy("retry")).toMatchObject({ exitCode: 0 });
      expect(instances()).toContainEqual(expect.objectContaining({ uid: "0" }));
    });
  });
});
