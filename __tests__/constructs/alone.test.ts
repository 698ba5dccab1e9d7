/** Each part of a deployment alone, in a user's stack: what it adds, and what it refuses. */
import { TerraformStack } from "cdktf";
import { DatabaseMigration } from "../../constructs/database-migration";
import { BlueGreenDeployment } from "../../constructs/blue-green-deployment";
import { DirectorSetup } from "../../constructs/director-setup";
import { linuxInstaller } from "../../constructs/installer";
import { LocalDatabase, LocalProxy } from "../../constructs/local/local-machines";
import { LocalServer } from "../../constructs/local/local-server";
import { localMigrator } from "../../constructs/migrator";
import { ReleaseInstallation } from "../../constructs/release-installation";
import { TrafficSwitch } from "../../constructs/traffic-switch";
import { directorSpec } from "../../configuration/director-spec";
import { customEnvironment } from "../../configuration/custom-environment";
import type { CustomEnvironmentProps } from "../../configuration/custom-environment";
import { emptyRecord } from "../../release/record";
import { recordOf, releaseOf, SHA256 } from "../release/examples";
import { readStack, synthesizeApp } from "../stacks/synthesis";

const SITE: CustomEnvironmentProps = {
  application: "socialgoal",
  name: "production",
  servers: [{ name: "app-01", host: "127.0.0.1", ports: { blue: 8080, green: 8081 } }],
  proxies: [
    { name: "lb-01", host: "127.0.0.1", port: 8000 },
    { name: "lb-02", host: "127.0.0.1", port: 8001 },
  ],
};
const environment = customEnvironment(SITE);
const server = (name: string) => new LocalServer({ name, folder: `machines/${name}` });
const proxies = [server("lb-01"), server("lb-02")];
const servers = new Map([["app-01", server("app-01")]]);
const installer = linuxInstaller();

function steps(build: (stack: TerraformStack) => void) {
  const outdir = synthesizeApp((app) => build(new TerraformStack(app, "own")));
  const { resources } = readStack(outdir, "own");
  const names = Object.values(resources)
    .filter(({ count }) => count !== 0)
    .map(({ triggers_replace }) => triggers_replace.replace(/-[0-9a-f]{8}$/, ""));
  return { names, resources };
}

test("the director alone: begin on all proxies, switch one after another, with custom steps in between", () => {
  const { names, resources } = steps((stack) => {
    const traffic = new TrafficSwitch(stack, "traffic", { environment, record: recordOf(), proxies });
    const own = server("app-01").run(stack, "own-install", {
      ...{ name: "own-install", script: "package.json", parameters: {}, timeoutSeconds: 1 },
      dependsOn: traffic.begin(),
    });
    traffic.switch([own]);
  });
  expect(names.sort()).toEqual(["begin-2", "begin-2", "own-install", "switch-2", "switch-2"]);
  const find = (pattern: RegExp) => Object.keys(resources).filter((id) => pattern.test(id));
  const [first] = find(/switch-lb-01/);
  const [second] = find(/switch-lb-02/);
  expect(resources["own-install"]!.depends_on).toEqual(find(/begin-/).map((id) => `terraform_data.${id}`));
  expect(resources[first!]!.depends_on).toEqual(["terraform_data.own-install"]);
  expect(resources[second!]!.depends_on).toEqual([`terraform_data.${first}`]);
});

test("the installer alone: both slots, and nothing on a proxy", () => {
  const { names } = steps((stack) => {
    const props = { environment, record: recordOf(), servers, installer };
    new ReleaseInstallation(stack, "site", props).install();
  });
  expect(names.sort()).toEqual(["install-blue-1.0.0-1", "install-green-2.0.0-2"]);
});

test("the migrations alone: one step for each sequence of a release that has some, and none for one without", () => {
  const migrations = { url: "https://example.org/m.zip", sha256: SHA256, newest: "0001-a.sql" };
  const green = { ...releaseOf("2.0.0", 2), migrations };
  const record = recordOf({ slots: { blue: releaseOf("1.0.0", 1), green }, migrate: true });
  const migrate = (stack: TerraformStack, which: typeof record) => {
    const database = LocalDatabase.fromDatabaseAttributes(stack, "database", { urlFile: "own/database.url" });
    const migrator = localMigrator(stack, { server: server("operations"), database: database.access });
    new DatabaseMigration(stack, "schema", { record: which, migrator });
  };
  expect(steps((stack) => migrate(stack, record)).names).toEqual(["migrate-2"]);
  const { migrate: _, ...same } = record;
  expect(steps((stack) => migrate(stack, same)).names).toEqual(["migrate-2"]);
  expect(steps((stack) => migrate(stack, recordOf())).names).toEqual([]);
});

test("before the first release there are no steps", () => {
  const record = emptyRecord("socialgoal");
  const { names } = steps((stack) => {
    const traffic = new TrafficSwitch(stack, "traffic", { environment, record, proxies });
    expect(traffic.switch(traffic.begin())).toEqual([]);
    const props = { environment, record, servers, installer };
    expect(new ReleaseInstallation(stack, "site", props).install()).toEqual([]);
    new BlueGreenDeployment(stack, "shop", { ...props, proxies });
  });
  expect(names).toEqual([]);
});

test("a director is set up once for each edition, on each proxy", () => {
  const names = (edition?: string) =>
    steps((stack) => {
      const more = edition === undefined ? {} : { edition };
      new DirectorSetup(stack, "director", { environment, proxies, ...more });
    }).names;
  expect(names()).toEqual([
    expect.stringMatching(/^director-[0-9a-f]{10}$/),
    expect.stringMatching(/^director-[0-9a-f]{10}$/),
  ]);
  expect(names("second").every((name) => name.endsWith("-second"))).toBe(true);
});

test.each<[string, (stack: TerraformStack) => void, RegExp]>([
  [
    "proxies in another order",
    (stack) =>
      new TrafficSwitch(stack, "x", { environment, record: recordOf(), proxies: [...proxies].reverse() }),
    /'proxies' are lb-02, lb-01, the environment names lb-01, lb-02/,
  ],
  [
    "hooks that would never run",
    (stack) => {
      const hooks = [{ when: "before switch" as const, name: "smoke", command: ["true"] }];
      const withHooks = customEnvironment({ ...SITE, hooks });
      new TrafficSwitch(stack, "x", { environment: withHooks, record: recordOf(), proxies });
    },
    /only BlueGreenDeployment runs hooks/,
  ],
  [
    "a server that is not given",
    (stack) =>
      new BlueGreenDeployment(stack, "x", {
        ...{ environment, record: recordOf(), servers: new Map(), proxies, installer },
      }),
    /'servers' has no "app-01", which the environment names; given are: none/,
  ],
  [
    "migrations that nobody would run",
    (stack) => {
      const migrations = { url: "https://example.org/m.zip", sha256: SHA256, newest: "0001-a.sql" };
      const record = recordOf({ slots: { blue: null, green: { ...releaseOf("2.0.0", 2), migrations } } });
      new BlueGreenDeployment(stack, "x", { environment, record, servers, proxies, installer });
    },
    /the release carries migrations, and the environment has no platform\.database/,
  ],
  [
    "another application's record",
    (stack) =>
      new TrafficSwitch(stack, "x", { environment, record: recordOf({ application: "blog" }), proxies }),
    /is for application "blog"/,
  ],
  [
    "an edition that is no part of a name",
    (stack) => new DirectorSetup(stack, "x", { environment, proxies, edition: "A B" }),
    /'edition' \("A B"\)/,
  ],
  [
    "a local proxy behind somebody else's driver",
    (stack) => {
      const own = customEnvironment({ ...SITE, driver: "command", driverCommand: { program: ["driver"] } });
      const spec = directorSpec(own, emptyRecord("socialgoal"), 0);
      new LocalProxy(stack, "x", { name: "lb-01", folder: "machines/lb-01", spec });
    },
    /use DirectorSetup/,
  ],
])("refused: %s", (_, build, words) => {
  expect(() => steps(build)).toThrow(words);
});
