/** A folder becomes a zip: the same content is the same digest, and nothing gets in that servers would refuse. */
import { Failure } from "../../../release/failure";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import * as fc from "fast-check";
import { strFromU8, unzipSync } from "fflate";
import { packFolder } from "../../../cli/artifact/pack";
import type { Packed } from "../../../cli/artifact/pack";
import { Workplace } from "./workplace";

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write("app/server.js", "serve()\n");
  place.write("app/public/index.html", "<p>hello</p>\n");
  place.write("app/public-key", "key\n");
});
afterEach(() => place.end());

let packs = 0;
function pack(
  folder = "app",
  signal = new AbortController().signal,
  maxFiles = 20_000,
): Promise<Packed & { readonly file: string }> {
  const file = place.path(`${(packs += 1)}.zip`);
  return packFolder(place.path(folder), file, { signal, onBytes: () => {}, maxFiles }).then((packed) => ({
    ...packed,
    file,
  }));
}

async function digest(folder = "app"): Promise<string> {
  return (await pack(folder)).sha256;
}

async function refuses(says: RegExp): Promise<void> {
  const error: unknown = await pack().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Failure);
  expect(error).toMatchObject({ exitCode: 2, message: expect.stringMatching(says) });
  expect((error as Error).message).toMatch(/^[^\p{C}]+$/u);
}

test("the digest is that of the file, and the names are in byte order", async () => {
  const { file, sha256, bytes } = await pack();
  const content = readFileSync(file);
  expect({ sha256, bytes }).toEqual({
    sha256: createHash("sha256").update(content).digest("hex"),
    bytes: content.length,
  });
  expect(Object.keys(unzipSync(content))).toEqual(["public-key", "public/index.html", "server.js"]);
});

test("the same content is the same digest, whenever, by whom and in which order it was written", async () => {
  const before = await digest();
  utimesSync(place.path("app/server.js"), 1, 2_000_000_000);
  chmodSync(place.path("app/public-key"), 0o600);
  chmodSync(place.path("app/public"), 0o700);
  expect(await digest()).toBe(before);
  place.write("other/public-key", "key\n");
  place.write("other/public/index.html", "<p>hello</p>\n");
  place.write("other/server.js", "serve()\n");
  expect(await digest("other")).toBe(before);
});

test("the same on machines with other time zones and umasks", async () => {
  const digests = [];
  for (const [zone, umask] of [
    ["Asia/Tokyo", "077"],
    ["America/Anchorage", "000"],
  ]) {
    const command = `umask ${umask}; exec "$0" lib/cli/main.js publish 1.0.0 --artifact "$1" --json`;
    const options = { env: { ...process.env, TZ: zone }, encoding: "utf8" } as const;
    const script = command.replace("lib/cli/main.js", `${process.cwd()}/lib/cli/main.js`);
    const inFolder = { ...options, cwd: place.folder };
    const said = execFileSync("sh", ["-c", script, process.execPath, "app"], inFolder);
    digests.push((JSON.parse(said) as { sha256: string }).sha256);
  }
  expect(digests).toEqual([await digest(), await digest()]);
});

test.each<[string, () => void]>([
  ["content", () => place.write("app/server.js", "serve();")],
  ["a name", () => renameSync(place.path("app/server.js"), place.path("app/server.mjs"))],
  ["a folder's name", () => renameSync(place.path("app/public"), place.path("app/static"))],
  ["whether a file can be started", () => chmodSync(place.path("app/server.js"), 0o755)],
  ["another file", () => place.write("app/more.js", "")],
  ["another empty folder", () => mkdirSync(place.path("app/uploads"))],
  ["one file less", () => rmSync(place.path("app/public-key"))],
])("another digest for %s", async (_, change) => {
  const before = await digest();
  change();
  expect(await digest()).not.toBe(before);
});

test("what is unpacked is what was there, byte for byte", async () => {
  const name = fc.stringMatching(/^[a-z0-9 äé._-]{0,8}[a-z]$/).filter((each) => each !== ".git");
  const size = fc.oneof(fc.integer({ min: 0, max: 64 }), fc.constantFrom(262_143, 262_144, 262_145, 700_000));
  const tree = fc.dictionary(name, size, { minKeys: 1, maxKeys: 6 });
  await fc.assert(
    fc.asyncProperty(tree, async (files) => {
      rmSync(place.path("tree"), { recursive: true, force: true });
      for (const [path, bytes] of Object.entries(files)) place.write(`tree/${path}`, noise(path, bytes));
      const unpacked = unzipSync(readFileSync((await pack("tree")).file));
      expect(Object.keys(unpacked).sort()).toEqual(Object.keys(files).sort());
      for (const [path, bytes] of Object.entries(files)) {
        expect(Buffer.from(unpacked[path]!).equals(noise(path, bytes))).toBe(true);
      }
    }),
    { numRuns: 25 },
  );
});

/** The same for the same name, and hard to compress. */
function noise(seed: string, bytes: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) =>
    createHash("sha256").update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, bytes);
}

test("unzip finds nothing wrong, and gives the rights back", async () => {
  chmodSync(place.path("app/server.js"), 0o750);
  mkdirSync(place.path("app/uploads"));
  const { file } = await pack();
  expect(execFileSync("unzip", ["-t", file], { encoding: "utf8" })).toMatch(/No errors detected/);
  const rights = execFileSync("unzip", ["-Z", "-s", file], { encoding: "utf8" })
    .split("\n")
    .filter((line) => /^[-d]r/.test(line))
    .map((line) => `${line.slice(0, 10)} ${line.split(" ").at(-1)}`);
  expect(rights).toEqual([
    "-rw-r--r-- public-key",
    "-rw-r--r-- public/index.html",
    "-rwxr-xr-x server.js",
    "drwxr-xr-x uploads/",
  ]);
});

test(".git is left out, wherever it is, and said", async () => {
  const before = await digest();
  place.write("app/.git/HEAD", "ref: refs/heads/main\n");
  place.write("app/public/.git", "gitdir: ../.git/modules/public\n");
  const { sha256, leftOut } = await pack();
  expect({ sha256, leftOut: [...leftOut].sort() }).toEqual({
    sha256: before,
    leftOut: [".git", "public/.git"],
  });
});

test("a link within the folder is what it means", async () => {
  symlinkSync("../server.js", place.path("app/public/main.js"));
  symlinkSync("public", place.path("app/static"));
  const unpacked = unzipSync(readFileSync((await pack()).file));
  expect(strFromU8(unpacked["public/main.js"]!)).toBe("serve()\n");
  expect(strFromU8(unpacked["static/main.js"]!)).toBe("serve()\n");
});

describe("refuses by name", () => {
  test.each<[string, () => void, RegExp]>([
    [
      "a link out of the folder",
      () => symlinkSync("../environments/local.json", place.path("app/env")),
      /"env" is a link out/,
    ],
    [
      "an absolute link out",
      () => symlinkSync("/etc/passwd", place.path("app/users")),
      /"users" is a link out/,
    ],
    [
      "a link to a folder beside it whose name begins the same",
      () => {
        place.write("app-secrets/key", "");
        symlinkSync("../app-secrets", place.path("app/secrets"));
      },
      /"secrets" is a link out/,
    ],
    [
      "a link over a link that leads out",
      () => {
        symlinkSync("/etc", place.path("app/one"));
        symlinkSync("one/passwd", place.path("app/a"));
      },
      /"(a|one)" is a link out/,
    ],
    ["a link to nothing", () => symlinkSync("nowhere", place.path("app/gone")), /"gone" is a broken link/],
    ["a link to itself", () => symlinkSync("me", place.path("app/me")), /"me" is a broken link/],
    [
      "a link to what it is in",
      () => symlinkSync("..", place.path("app/public/up")),
      /"public\/up" is a link to a folder/,
    ],
    ["a backslash", () => place.write("app/..\\evil", ""), /"\.\.\\\\evil" has a backslash/],
    ["a newline", () => place.write("app/a\nb", ""), /"a\\nb" has .* a control character/],
    ["an escape sequence", () => place.write("app/\u001b[2J", ""), /control character/],
    ["what unzip lists as a control character", () => place.write("app/a^[b", ""), /control character/],
    [
      "a name that is no UTF-8",
      () => execFileSync("sh", ["-c", `: >"$0/$(printf 'a\\377')"`, place.path("app")]),
      /not UTF-8/,
    ],
    [
      "a pipe",
      () => execFileSync("mkfifo", [place.path("app/pipe")]),
      /"pipe" is neither a file nor a folder/,
    ],
  ])("%s", async (_, make, says) => {
    make();
    await refuses(says);
  });

  test("a socket", async () => {
    const server = createServer().listen(place.path("app/socket"));
    await once(server, "listening");
    await refuses(/"socket" is neither a file nor a folder/);
    await new Promise((closed) => server.close(closed));
  });

  test("more files than servers unpack", async () => {
    for (let index = 0; index < 200; index++) place.write(`app/public/${index}`, "");
    for (let index = 0; index < 100; index++) symlinkSync("public", place.path(`app/copy-${index}`));
    await refuses(
      /exceeds the 20000 files that servers unpack: raise "maxArtifactFiles" in the environment file/,
    );
  });

  test("more bytes than servers unpack", async () => {
    truncateSync(place.write("app/big", ""), 3 * 2 ** 30); // takes no space
    await refuses(/"big" exceeds the 2147483648 bytes/);
  });

  test("a folder without files", async () => {
    rmSync(place.path("app"), { recursive: true });
    mkdirSync(place.path("app/empty"), { recursive: true });
    await refuses(/has no files/);
  });
});

test("stops when it is told to", async () => {
  const controller = new AbortController();
  controller.abort();
  await expect(pack("app", controller.signal)).rejects.toThrow(/abort/i);
});
