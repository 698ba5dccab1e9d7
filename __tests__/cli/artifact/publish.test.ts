/** `bluegreen publish`, and what `release` publishes, against a real blob service. */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { candidateFrom } from "../../../cli/artifact/artifact";
import { zipOf } from "../terraform/release-server";
import { Azurite } from "./azurite";
import { AZURE, listening, Workplace } from "./workplace";
import { follow } from "../../../development/testbed/processes";
import type { Ran } from "../../../development/testbed/processes";

const VARIABLE = "AZURE_STORAGE_CONNECTION_STRING";
const BLOCK = 4 * 1024 * 1024;
const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

let azurite: Azurite;
let place: Workplace;
beforeAll(async () => (azurite = await Azurite.start()));
afterAll(() => azurite.end());
beforeEach(async () => {
  await azurite.empty();
  place = new Workplace();
  place.write("app/server.js", "serve()\n");
});
afterEach(() => {
  delete process.env[VARIABLE];
  // Nothing but bundles of migrations is left on this machine.
  expect(place.kept("linux").filter((name) => !name.startsWith("migrations-"))).toEqual([]);
  place.end();
});

const ADDRESS =
  /^https:\/\/[a-z0-9]+\.blob\.core\.windows\.net\/releases\/socialgoal\/1\.4\.0\/([0-9a-f]{64})\.zip$/;

function publish(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const all = ["publish", ...args, "--environment", AZURE];
  return place.run(all, { [VARIABLE]: azurite.connectionString(), ...env });
}

interface Told {
  readonly url: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly uploaded: boolean;
}

async function published(...args: string[]): Promise<Told> {
  const { exitCode, stdout, stderr } = await publish([...args, "--json"]);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Told;
}

const withDatabase = (): void =>
  place.changeEnvironment(AZURE, (environment) => ({
    ...environment,
    platform: {
      ...environment.platform,
      database: { administrators: { group: "people", objectId: "00000000-0000-0000-0000-000000000002" } },
    },
  }));

test("a folder is packed and published once, under the digest of what is there", async () => {
  const told = await published("1.4.0", "--artifact", "app");
  expect(told).toEqual({
    url: expect.stringMatching(ADDRESS),
    sha256: ADDRESS.exec(told.url)![1],
    bytes: expect.any(Number),
    uploaded: true,
    exitCode: 0,
  });
  const [name, ...others] = await azurite.names();
  expect({ name, others }).toEqual({ name: `socialgoal/1.4.0/${told.sha256}.zip`, others: [] });
  const blob = azurite.container.getBlobClient(name!);
  const content = await blob.downloadToBuffer();
  expect({ sha256: sha256(content), bytes: content.length }).toEqual({
    sha256: told.sha256,
    bytes: told.bytes,
  });
  expect(await blob.getProperties()).toMatchObject({
    metadata: { sha256: told.sha256 },
    contentType: "application/zip",
  });
  expect(await published("1.4.0", "--artifact", "app")).toEqual({ ...told, uploaded: false });
});

test("in words: the address, the digest, the line to go on with; and that it went elsewhere", async () => {
  const { exitCode, stdout, stderr } = await publish(["1.4.0", "--artifact", "app"]);
  const lines = stdout.trimEnd().split("\n");
  expect({ exitCode, lines }).toEqual({
    exitCode: 0,
    lines: [
      expect.stringMatching(/^✔ published: https:\S+\.zip \(\d+ bytes\)$/),
      expect.stringMatching(/^ {2}sha256 [0-9a-f]{64}$/),
      expect.stringMatching(
        /^next: bluegreen release 1\.4\.0 --artifact https:\S+ --sha256 [0-9a-f]{64} --environment environments\/azure-linux\.json$/,
      ),
    ],
  });
  expect(stderr).toMatch(
    /AZURE_STORAGE_CONNECTION_STRING points to 127\.0\.0\.1:\d+: uploads go there, and addresses still name st\S+\.blob\.core/,
  );
});

test("a large file goes in blocks, and is the same at the other end", async () => {
  const tar = Buffer.concat([Buffer.from([0x1f, 0x8b]), randomBytes(3 * BLOCK + 17)]);
  place.write("app.tar.gz", tar);
  const { url, bytes } = await published("1.4.0", "--artifact", "app.tar.gz");
  expect({ url, bytes }).toEqual({
    url: expect.stringMatching(new RegExp(`/${sha256(tar)}\\.tar\\.gz$`)),
    bytes: tar.length,
  });
  const [name] = await azurite.names();
  expect(sha256(await azurite.container.getBlobClient(name!).downloadToBuffer())).toBe(sha256(tar));
});

test("two who publish the same at once: both are right, and one uploaded it", async () => {
  place.write("app/large", randomBytes(2 * BLOCK));
  const told = await Promise.all([1, 2].map(() => published("1.4.0", "--artifact", "app")));
  expect(new Set(told.map(({ url }) => url)).size).toBe(1);
  expect(told.map(({ uploaded }) => uploaded).sort()).toEqual([false, true]);
  expect(await azurite.names()).toHaveLength(1);
});

describe("a name that is there already", () => {
  const put = async (content: Buffer, name: string): Promise<void> => {
    await azurite.container.getBlockBlobClient(name).upload(content, content.length);
  };

  test("with the same content, from another tool: that is success", async () => {
    const zip = await zipOf({ "server.js": "serve()" });
    place.write("app.zip", zip);
    await put(zip, `socialgoal/1.4.0/${sha256(zip)}.zip`);
    expect((await published("1.4.0", "--artifact", "app.zip")).uploaded).toBe(false);
  });

  test.each<[string, (zip: Buffer) => Buffer]>([
    ["a shorter one", (zip) => zip.subarray(1)],
    ["one of the same length", (zip) => Buffer.from(zip).fill(0, 10, 20)],
  ])("with another content, %s: it is never written over", async (_, change) => {
    const zip = await zipOf({ "server.js": "serve()" });
    place.write("app.zip", zip);
    const name = `socialgoal/1.4.0/${sha256(zip)}.zip`;
    await put(change(zip), name);
    const { exitCode, stderr } = await publish(["1.4.0", "--artifact", "app.zip"]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringMatching(/exists with other content/),
    });
    const left = await azurite.container.getBlobClient(name).downloadToBuffer();
    expect(left.equals(change(zip))).toBe(true);
  });
});

describe("migrations", () => {
  beforeEach(() => {
    withDatabase();
    place.write("app/migrations/0001-goals.sql", "CREATE TABLE goals (id int);");
  });

  test("are published with the program that runs them, before the artifact", async () => {
    const told = await published("1.4.0", "--artifact", "app");
    expect(told).toMatchObject({
      uploaded: true,
      migrations: {
        newest: "0001-goals.sql",
        uploaded: true,
        url: expect.stringMatching(/\/migrations\/\w{64}\.zip$/),
      },
      migrator: { uploaded: true, url: expect.stringMatching(/\/bluegreen\/migrate-\w{64}\.js$/) },
    });
    expect(await azurite.names()).toEqual([
      expect.stringMatching(/^bluegreen\/migrate-/),
      expect.stringMatching(/^socialgoal\/1\.4\.0\//),
      expect.stringMatching(/^socialgoal\/migrations\//),
    ]);
    expect(await published("1.4.0", "--artifact", "app")).toMatchObject({
      uploaded: false,
      migrations: { uploaded: false },
      migrator: { uploaded: false },
    });
  });

  test("the line to go on with has them, in a record's words the same", async () => {
    const { stdout } = await publish(["1.4.0", "--artifact", "app"]);
    expect(stdout).toMatch(/--migrations app\/migrations --environment/);
    const { stdout: said, stderr } = await place.run([
      "migrations",
      "app/migrations",
      "--environment",
      AZURE,
    ]);
    const { migrations } = JSON.parse(said) as { migrations: { sha256: string } };
    expect(await azurite.names()).toContain(`socialgoal/migrations/${migrations.sha256}.zip`);
    expect(stderr).toMatch(/publish them at https:\S+ first: bluegreen publish <version> --migrations/);
  });

  test("can be published alone", async () => {
    const told = await published("1.4.0", "--migrations", "app/migrations");
    expect(told).toEqual({ migrations: expect.anything(), migrator: expect.anything(), exitCode: 0 });
    expect(await azurite.names()).toHaveLength(2);
  });

  test("an expand script that breaks the running release: nothing is published", async () => {
    place.write("app/migrations/0001-goals.sql", "DROP TABLE goals;");
    const { exitCode, stderr } = await publish(["1.4.0", "--artifact", "app"]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringMatching(/0001-goals\.sql:1: /),
    });
    expect(await azurite.names()).toEqual([]);
  });
});

describe("what is refused, with nothing published", () => {
  test.each<[string, string[], number, RegExp]>([
    [
      "no version",
      ["--artifact", "app"],
      2,
      /nothing to publish: run bluegreen publish <version> --artifact/,
    ],
    ["no artifact", ["1.4.0"], 2, /nothing to publish: run/],
    ["a version with a slash", ["1.4/0", "--artifact", "app"], 2, /is not a valid version/],
    ["a version that leaves its folder", ["..", "--artifact", "app"], 2, /is not a valid version/],
    [
      "a file that is not there",
      ["1.4.0", "--artifact", "no-such.zip"],
      2,
      /there is no file or folder no-such\.zip/,
    ],
    ["a name that is too long", ["1.4.0", "--artifact", "x".repeat(300)], 2, /ENAMETOOLONG/],
    ["neither file nor folder", ["1.4.0", "--artifact", "/dev/null"], 2, /neither a file nor a folder/],
    ["no archive", ["1.4.0", "--artifact", LOCAL_FILE()], 2, /neither a zip nor a \.tar\.gz/],
    [
      "the project itself",
      ["1.4.0", "--artifact", "."],
      2,
      /contains bluegreen's state \(\.bluegreen\/linux\)/,
    ],
    ["migrations that are not there", ["1.4.0", "--migrations", "no-such"], 2, /there is no no-such/],
    ["options of --prune", ["1.4.0", "--artifact", "app", "--dry-run"], 2, /--dry-run needs --prune/],
  ])("%s", async (_, args, code, says) => {
    const { exitCode, stdout, stderr } = await publish(args);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: code,
      stdout: "",
      stderr: expect.stringMatching(says),
    });
    expect(stderr).not.toMatch(/^ +at /m);
    expect(await azurite.names()).toEqual([]);
  });

  test.each<[string, () => NodeJS.ProcessEnv, number, RegExp]>([
    [
      "nobody is logged in",
      () => ({ [VARIABLE]: "" }),
      3,
      /not logged in to Azure: log in with `az login`, or set AZURE_/,
    ],
    [
      "another account of Azure",
      () => ({
        [VARIABLE]: `DefaultEndpointsProtocol=https;AccountName=other;AccountKey=${secret};EndpointSuffix=core.windows.net`,
      }),
      2,
      /is for account other, but linux has st\w+: unset it/,
    ],
    ["no connection string", () => ({ [VARIABLE]: `AccountKey=${secret}` }), 2, /is not a connection string/],
    [
      "the wrong key",
      () => ({ [VARIABLE]: azurite.connectionString(undefined, secret) }),
      3,
      /(denies you access|does not accept your credential) \(403/,
    ],
    [
      "nobody there",
      () => ({ [VARIABLE]: azurite.connectionString(9) }),
      3,
      /can't be reached \(.*ECONNREFUSED.*\): publish from inside its network/,
    ],
  ])("%s", async (_, env, code, says) => {
    const { exitCode, stderr } = await publish(["1.4.0", "--artifact", "app"], env());
    expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: expect.stringMatching(says) });
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stderr).not.toContain(secret);
    expect(await azurite.names()).toEqual([]);
  });

  test("base was not deployed", async () => {
    await azurite.container.delete();
    const { exitCode, stderr } = await publish(["1.4.0", "--artifact", "app"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: expect.stringMatching(/deploy base first/) });
    await azurite.container.create();
  });
});

const secret = randomBytes(64).toString("base64");
function LOCAL_FILE(): string {
  return "environments/local.json";
}

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s during the upload: no blob, and nothing left behind",
  async (signal) => {
    place.write("app.tar.gz", Buffer.concat([Buffer.from([0x1f, 0x8b]), randomBytes(6 * BLOCK)]));
    const gate = await azurite.gate();
    const child = place.start(["publish", "1.4.0", "--artifact", "app.tar.gz", "--environment", AZURE], {
      [VARIABLE]: azurite.connectionString(gate.port),
    });
    const ran = follow(child).ended;
    while (gate.blocks < 2) await pause(10);
    child.kill(signal);
    const { exitCode, stdout, stderr } = await ran;
    await gate.close();
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 5,
      stdout: "",
      stderr: expect.stringMatching(new RegExp(`^stopped by ${signal}: nothing was published$`, "m")),
    });
    const committed = [];
    for await (const { name } of azurite.container.listBlobsFlat()) committed.push(name);
    expect(committed).toEqual([]);
    // What was sent does not stand in the way of the next.
    expect((await published("1.4.0", "--artifact", "app.tar.gz")).uploaded).toBe(true);
  },
);

describe("release on Azure", () => {
  test("with another digest than --sha256 says, nothing is published", async () => {
    process.env[VARIABLE] = azurite.connectionString();
    const given = { artifact: place.path("app"), sha256: "a".repeat(64) };
    await expect(
      candidateFrom(place.project(AZURE), "1.4.0", given, listening().progress),
    ).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/has the digest \w{64}, but --sha256 is a{64}/),
    });
    expect(await azurite.names()).toEqual([]);
  });

  test("a folder is published first, and the candidate names the environment's store", async () => {
    process.env[VARIABLE] = azurite.connectionString();
    const candidate = await candidateFrom(
      place.project(AZURE),
      "1.4.0",
      { artifact: place.path("app") },
      listening().progress,
    );
    expect(candidate).toEqual({
      version: "1.4.0",
      artifact: { url: expect.stringMatching(ADDRESS), sha256: ADDRESS.exec(candidate.artifact.url)![1] },
    });
    expect(await azurite.names()).toEqual([`socialgoal/1.4.0/${candidate.artifact.sha256}.zip`]);
  });

  test("somebody who only looks at a plan publishes nothing, and asks nobody", async () => {
    const { progress, notes } = listening();
    const given = { artifact: place.path("app"), dryRun: true };
    const looked = await candidateFrom(place.project(AZURE), "1.4.0", given, progress);
    expect(notes).toContain(`the release publishes ${looked.artifact.url}`);
    process.env[VARIABLE] = azurite.connectionString();
    expect(await azurite.names()).toEqual([]);
    const released = await candidateFrom(
      place.project(AZURE),
      "1.4.0",
      { artifact: given.artifact },
      progress,
    );
    expect(released).toEqual(looked);
  });

  test("nobody is logged in: one line, exit 3, and the record is as it was", async () => {
    const PATH = `${place.folder}/no-programs`;
    place.write("no-programs/terraform", terraformScript);
    chmodSync(`${PATH}/terraform`, 0o755);
    const { exitCode, stdout, stderr } = await place.run([
      "release",
      "1.4.0",
      "--artifact",
      "app",
      "--environment",
      AZURE,
    ]);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 3,
      stdout: "",
      stderr: expect.stringMatching(/^not logged in to Azure: .*; nothing was changed\n$/),
    });
    expect(() => place.read("environments/azure-linux.release.json")).toThrow(/ENOENT/);
  });
});

const terraformScript = `#!/bin/sh\necho '{"terraform_version":"1.11.4","provider_selections":{}}'\n`;
