/** `bluegreen publish --prune` removes what nothing refers to, and nothing else: when in doubt, it stays. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { utimesSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { ReleaseRecord } from "../../../release/record";
import type { Receipt } from "../../../release/receipt";
import type { Release } from "../../../release/release";
import { resolveSchedule } from "../../../release/schedule";
import { retireArtifacts } from "../../../cli/artifact/retire";
import { Azurite } from "./azurite";
import { AZURE, Workplace } from "./workplace";
import type { Ran } from "../../../development/testbed/processes";

const DAY_MS = 24 * 3_600_000;
const digestOf = (version: string): string => createHash("sha256").update(version).digest("hex");
const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS);

let place: Workplace;
beforeEach(() => (place = new Workplace()));
afterEach(() => place.end());

/** An artifact as `publish` keeps it on the local platform. @returns its name. */
function keep(
  version: string,
  age: number,
  name = `socialgoal-${version}-${digestOf(version).slice(0, 12)}.zip`,
): string {
  const file = place.write(`.bluegreen/local/artifacts/${name}`, version);
  utimesSync(file, daysAgo(age), daysAgo(age));
  return name;
}

function release(version: string, run: number, url?: string): Release {
  const name = `socialgoal-${version}-${digestOf(version).slice(0, 12)}.zip`;
  const file = pathToFileURL(place.path(`.bluegreen/local/artifacts/${name}`)).href;
  return { version, run, artifact: { url: url ?? file, sha256: digestOf(version) } };
}

function record(
  sequence: number,
  blue: Release | null,
  green: Release | null,
  previous: Release | null,
): ReleaseRecord {
  const slots = { blue, green };
  return {
    formatVersion: 1,
    application: "socialgoal",
    sequence,
    active: "green",
    goal: "live",
    slots,
    previous,
  };
}

/** Three releases in the record: 1.3.0 in blue with its migrations, 1.4.0 in green, 1.2.0 before. */
function usual(): ReleaseRecord {
  const migrations = {
    url: pathToFileURL(place.path("elsewhere/bundle.zip")).href,
    sha256: digestOf("bundle"),
    newest: "0003-x.sql",
  };
  return record(7, { ...release("1.3.0", 6), migrations }, release("1.4.0", 7), release("1.2.0", 5));
}

function receipt(sequence: number, age: number, after: ReleaseRecord): Receipt {
  const at = daysAgo(age).toISOString();
  return {
    formatVersion: 1,
    application: "socialgoal",
    environment: "local",
    sequence,
    action: "release",
    who: { user: "ada", host: "desk", ci: null },
    startedAt: at,
    endedAt: at,
    seconds: 0,
    from: null,
    to: null,
    outcome: "promoted",
    exitCode: 0,
    reason: "promoted",
    goal: "live",
    schedule: resolveSchedule({ strategy: "blueGreen" }),
    record: { before: record(sequence - 1, null, null, null), after },
    plan: null,
    proxies: [],
    requests: null,
    notMeasured: "a test",
    hooks: [],
    warnings: [],
    freezeOverride: null,
  };
}

const put = (name: string, content: object): string => place.write(name, JSON.stringify(content));
const putReceipt = (sequence: number, age: number, after: ReleaseRecord): string =>
  put(`.bluegreen/local/receipts/${sequence}.json`, receipt(sequence, age, after));

function prune(...args: string[]): Promise<Ran> {
  return place.run(["publish", "--prune", ...args]);
}

interface Pruned {
  readonly unreferenced: { readonly url: string; readonly bytes: number; readonly modifiedAt: string }[];
  readonly bytes: number;
  readonly removed: string[];
}

async function pruned(...args: string[]): Promise<Pruned> {
  const { exitCode, stdout, stderr } = await place.run(["publish", "--prune", "--json", ...args], {
    PATH: process.env["PATH"],
  });
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Pruned;
}

const names = (urls: readonly string[]): string[] => urls.map((url) => url.slice(url.lastIndexOf("/") + 1));

describe("on the local platform", () => {
  test("what record and receipts name stays, what is young stays, what is not ours stays", async () => {
    put("release.json", usual());
    putReceipt(4, 20, record(4, release("1.1.0", 4), null, null));
    putReceipt(3, 40, record(3, release("1.0.0", 3), null, null));
    const stays = [
      ...["1.2.0", "1.3.0", "1.4.0"].map((version) => keep(version, 400)), // the record
      keep("bundle", 400, `migrations-${digestOf("bundle").slice(0, 12)}.zip`),
      keep("1.1.0", 400), // a young receipt
      keep("2.0.0", 29), // young
      keep("mine", 400, "backup.zip"),
      keep("other", 400, `shop-1.0.0-${digestOf("other").slice(0, 12)}.zip`),
    ];
    const goes = [
      keep("1.0.0", 35), // its receipt is old
      keep("0.9.0", 31), // nobody speaks of it
      keep("left", 60, `migrations-${digestOf("left").slice(0, 12)}.zip`),
      keep("killed", 90, ".01234567-89ab-cdef-0123-456789abcdef.new"),
    ];
    const looked = await pruned("--dry-run");
    expect(names(looked.unreferenced.map(({ url }) => url)).sort()).toEqual([...goes].sort());
    // The oldest first.
    expect(names(looked.unreferenced.map(({ url }) => url))[0]).toBe(goes[3]);
    expect(looked).toMatchObject({ removed: [], bytes: "1.0.00.9.0leftkilled".length });
    expect(place.kept()).toEqual([...stays, ...goes].sort());

    const { removed } = await pruned("--yes");
    expect(names(removed).sort()).toEqual([...goes].sort());
    expect(place.kept()).toEqual([...stays].sort());
    expect(await pruned("--yes")).toEqual({ unreferenced: [], bytes: 0, removed: [], exitCode: 0 });
  });

  test("--keep-days says what is young: files, and receipts", async () => {
    put("release.json", usual());
    putReceipt(4, 20, record(4, release("1.1.0", 4), null, null));
    keep("1.1.0", 25);
    keep("1.4.0", 25);
    expect((await pruned("--keep-days", "22", "--dry-run")).unreferenced).toEqual([]);
    expect(await pruned("--keep-days", "15", "--yes")).toMatchObject({
      removed: [expect.stringMatching(/1\.1\.0/)],
    });
    expect(place.kept()).toEqual([expect.stringMatching(/1\.4\.0/)]);
  });

  test("an artifact that was moved with its project is known by its digest", async () => {
    put("release.json", record(1, null, release("1.0.0", 1, "file:///before/it/moved.zip"), null));
    keep("1.0.0", 90);
    expect((await pruned("--dry-run")).unreferenced).toEqual([]);
  });

  test("published again today: its days count anew", async () => {
    put("release.json", usual());
    place.write("app/server.js", "serve()");
    const told = (await place.run(["publish", "2.0.0", "--artifact", "app", "--json"])).stdout;
    const { url } = JSON.parse(told) as { url: string };
    utimesSync(new URL(url), daysAgo(90), daysAgo(90));
    expect((await pruned("--dry-run")).unreferenced).toHaveLength(1);
    const again = JSON.parse((await place.run(["publish", "2.0.0", "--artifact", "app", "--json"])).stdout);
    expect(again).toMatchObject({ url, uploaded: false });
    expect((await pruned("--dry-run")).unreferenced).toEqual([]);
  });

  test.each<[string, () => void, RegExp]>([
    [
      "there is no record",
      () => {},
      /release\.json names no release of local, so the running releases are unknown/,
    ],
    ["the record is damaged", () => place.write("release.json", "{"), /release\.json is not JSON/],
    [
      "a receipt is damaged",
      () => place.write(".bluegreen/local/receipts/3.json", `{"formatVersion`),
      /receipts\/3\.json is not JSON.*the files that it needs are unknown/,
    ],
    [
      "a receipt is of another format",
      () => put(".bluegreen/local/receipts/3.json", { formatVersion: 2 }),
      /receipts\/3\.json: .*the files that it needs are unknown/,
    ],
    [
      "the record is older than a receipt",
      () => putReceipt(8, 1, usual()),
      /release\.json is at sequence 7, but receipt 8 is newer: update the record/,
    ],
  ])("%s: nothing is removed", async (what, change, says) => {
    if (!what.startsWith("there is no")) put("release.json", usual());
    keep("0.9.0", 90);
    change();
    const { exitCode, stdout, stderr } = await prune("--yes");
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: what === "the record is damaged" ? 2 : 3,
      stdout: "",
      stderr: expect.stringMatching(says),
    });
    expect(place.kept()).toHaveLength(1);
  });

  test.each<[string, string[], RegExp]>([
    ["days that are a word", ["--keep-days", "many"], /--keep-days many must be whole days/],
    ["days below zero", ["--keep-days=-1"], /--keep-days -1 must be whole days/],
    ["more days than there were", ["--keep-days", "99999"], /must be whole days from 0 to 36500/],
    ["a version", ["1.0.0"], /--prune publishes nothing: omit the version/],
    ["an artifact", ["--artifact", "app"], /--prune publishes nothing/],
    ["no terminal", [], /^1 file, 5 bytes would be removed: confirm with --yes, or list with --dry-run$/m],
    ["no terminal, JSON", ["--json"], /confirm with --yes/],
  ])("%s: bad input, and nothing is removed", async (_, args, says) => {
    put("release.json", usual());
    keep("0.9.0", 90);
    const { exitCode, stderr } = await prune(...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(says) });
    expect(place.kept()).toHaveLength(1);
  });

  const hasTerminal = spawnSync("script", ["--version"]).status === 0;
  (hasTerminal ? test.each : test.skip.each)([
    ["y", "removed 1, 5 bytes", 0],
    ["n", "nothing was removed", 1],
  ])("asks a person: %s", (answer, says, left) => {
    put("release.json", usual());
    keep("0.9.0", 90);
    const command = `"${process.execPath}" "${process.cwd()}/lib/cli/main.js" publish --prune`;
    const options = { cwd: place.folder, input: `${answer}\n`, encoding: "utf8" } as const;
    const said = execFileSync("script", ["--quiet", "--return", "--command", command, "/dev/null"], options);
    expect(said).toMatch(/socialgoal-0\.9\.0-[0-9a-f]{12}\.zip/);
    expect(said).toContain("Remove 1 file, 5 bytes?");
    expect(said).toContain(says);
    expect(place.kept()).toHaveLength(left);
  });
});

describe("on Azure", () => {
  let azurite: Azurite;
  beforeAll(async () => (azurite = await Azurite.start()));
  afterAll(() => azurite.end());
  beforeEach(() => azurite.empty());

  const store = async (name: string): Promise<string> => {
    await azurite.container.getBlockBlobClient(name).upload(name, Buffer.byteLength(name));
    return name;
  };
  const blob = (version: string): string => `socialgoal/${version}/${digestOf(version)}.zip`;
  const run = (...args: string[]): Promise<Ran> =>
    place.run(["publish", "--prune", "--environment", AZURE, ...args], {
      PATH: process.env["PATH"],
      AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString(),
    });

  test("only what this application published and nothing refers to goes", async () => {
    const at = (name: string): string => `https://example.invalid/releases/${name}`;
    const live = release("1.4.0", 2, at(blob("1.4.0")));
    const migrations = { url: at("bundle"), sha256: digestOf("bundle"), newest: "0001-x.sql" };
    put(
      "environments/azure-linux.release.json",
      record(2, { ...release("1.3.0", 1), migrations }, live, null),
    );
    const stays = [
      blob("1.3.0"),
      blob("1.4.0"),
      `socialgoal/migrations/${digestOf("bundle")}.zip`,
      "socialgoal/1.0.0/by-hand.zip",
      `shop/1.0.0/${digestOf("other")}.zip`,
      `bluegreen/migrate-${digestOf("program")}.js`,
    ];
    const goes = [
      blob("1.0.0"),
      `socialgoal/1.1.0/${digestOf("1.1.0")}.tar.gz`,
      `socialgoal/migrations/${digestOf("old")}.zip`,
    ];
    for (const name of [...stays, ...goes]) await store(name);

    // All of them are of today.
    expect((await run("--yes")).stdout).toBe("nothing to remove\n");
    const looked = await run("--keep-days", "0", "--dry-run");
    expect(
      looked.stdout
        .match(/https:\S+/g)
        ?.map((url) => url.split("/releases/")[1])
        .sort(),
    ).toEqual([...goes].sort());
    expect(await azurite.names()).toHaveLength(stays.length + goes.length);

    const { exitCode, stdout } = await run("--keep-days", "0", "--yes", "--json");
    expect({ exitCode, told: JSON.parse(stdout) as unknown }).toMatchObject({
      exitCode: 0,
      told: { exitCode: 0 },
    });
    expect((await azurite.names()).sort()).toEqual([...stays].sort());
  });

  test("without a record nobody logs in, and nothing goes", async () => {
    await store(blob("1.0.0"));
    const { exitCode, stderr } = await run("--keep-days", "0", "--yes");
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringMatching(/the running releases are unknown/),
    });
    expect(await azurite.names()).toHaveLength(1);
  });
});

describe("after a release", () => {
  /** Ten releases, each with its receipt and its artifact, one a day. */
  function tenReleases(): ReleaseRecord {
    const releases = Array.from({ length: 10 }, (_, index) => release(`1.${index}.0`, index + 1));
    const records = releases.map((each, index) =>
      record(index + 1, releases[index - 1] ?? null, each, releases[index - 1] ?? null),
    );
    for (const [index, after] of records.entries()) {
      keep(`1.${index}.0`, 10 - index);
      putReceipt(index + 1, 10 - index - 0.5, after);
    }
    put("release.json", records[9]!);
    return records[9]!;
  }
  const versions = (): string[] => place.kept().map((name) => /-(\d\.\d\.\d)-/.exec(name)?.[1] ?? name);

  test("the artifacts of the newest releases stay, and what the record names", () => {
    const last = tenReleases();
    const old = release("1.1.0", 2);
    retireArtifacts(place.project(), { ...last, previous: old });
    expect(versions()).toEqual(["1.1.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0", "1.9.0"]);
    retireArtifacts(place.project(), last);
    expect(versions()).toEqual(["1.5.0", "1.6.0", "1.7.0", "1.8.0", "1.9.0"]);
  });

  test("what was published and not released stays, and what no receipt knows", () => {
    const last = tenReleases();
    keep("2.0.0", 400);
    keep("mine", 400, "backup.zip");
    keep("1.0.0", 0); // published again, for the next release
    retireArtifacts(place.project(), last);
    expect(versions()).toEqual(["backup.zip", "1.0.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0", "1.9.0", "2.0.0"]);
  });

  test("a damaged receipt keeps everything", () => {
    const last = tenReleases();
    put(".bluegreen/local/receipts/10.json", {});
    expect(() => retireArtifacts(place.project(), last)).toThrow(/10\.json/);
    expect(versions()).toHaveLength(10);
  });
});
