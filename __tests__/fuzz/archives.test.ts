/**
 * Archives that somebody built badly or damaged, given to the real installer's own unpacking and to the command's look at
 * migrations: unpacked to files and folders inside of one folder, or refused in one line; the disk is never filled.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { readEntries } from "../../cli/zip";
import { SCRIPT, tarGz, zip } from "../on-server/install/server";
import type { Entry, TarEntry } from "../on-server/install/server";
import { expectOneLine, hostileText, runs } from "./hostile";

const MAX_BYTES = 4_000_000;

/** The installer's functions: all that is before the block that it runs. */
function functionsOf(script: string): string {
  const begins = script.lastIndexOf("\n{\n");
  if (begins === -1) throw new Error("the installer has no block that it runs");
  return script.slice(0, begins);
}

/** The installer's functions, with a smaller disk; then its unpacking, of one archive after another. */
const unpackWith = (zipTool: ZipTool): string => `${functionsOf(readFileSync(SCRIPT, "utf8")).replace(
  /MAX_BYTES=\d+/,
  `MAX_ARTIFACT_FILES=200 MAX_BYTES=${MAX_BYTES}`,
)}
export LC_ALL=C
unpack_zip() { unpack_with_${zipTool} "$@"; }
while IFS= read -r folder; do
  code=0
  (
    fail() { printf '%s' "$2" >"$folder/said"; exit "$1"; }
    WORK=$folder/work
    unpack "$folder/archive" "$folder/inner/staging"
  ) </dev/null >"$folder/stdout" 2>"$folder/stderr" 9>"$folder/lock" || code=$?
  printf '%s\n' "$code"
done
`;

let root: string;
let count = 0;
let installers: Readonly<Record<ZipTool, Installer>>;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "bluegreen-fuzz-"));
  installers = { python: new Installer("python"), unzip: new Installer("unzip") };
});
afterAll(() => {
  for (const installer of Object.values(installers)) installer.end();
  rmSync(root, { recursive: true, force: true });
});

type ZipTool = "python" | "unzip";

/** One bash for all: it is the archives that are tried here, not its start. */
class Installer {
  private readonly bash;

  constructor(zipTool: ZipTool) {
    this.bash = spawn("bash", ["-c", unpackWith(zipTool)], { stdio: ["pipe", "pipe", "inherit"] });
  }

  unpack(folder: string): Promise<number> {
    const answer = new Promise<number>((resolve, reject) => {
      this.bash.stdout.once("data", (text: Buffer) => resolve(Number(text.toString())));
      this.bash.once("exit", () => reject(new Error("the installer's shell is gone")));
    });
    this.bash.stdin.write(`${folder}\n`);
    return answer.finally(() => this.bash.removeAllListeners("exit"));
  }

  end(): void {
    this.bash.stdin.end();
  }
}

interface Unpacked {
  readonly code: number;
  readonly said: string;
  /** Paths below the folder, folders with a slash. */
  readonly files: readonly string[];
}

async function unpack(archive: Buffer, zipTool: ZipTool): Promise<Unpacked> {
  const folder = join(root, String((count += 1)));
  for (const name of ["work", "inner/staging"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "archive"), archive);
  const code = await installers[zipTool].unpack(folder);
  const said = existsSync(join(folder, "said")) ? readFileSync(join(folder, "said"), "utf8") : "";
  const files = list(join(folder, "inner/staging"));
  // Nothing came anywhere else.
  expect(readdirSync(join(folder, "inner"))).toEqual(["staging"]);
  expect(readdirSync(folder).filter((name) => !OWN.includes(name))).toEqual([]);
  expect(readFileSync(join(folder, "stdout"), "utf8")).toBe("");
  spawnSync("chmod", ["-R", "u+rwX", folder]);
  rmSync(folder, { recursive: true, force: true });
  return { code, said, files };
}
const OWN = ["archive", "inner", "lock", "said", "stderr", "stdout", "work"];

/** A name need not be UTF-8. */
function list(folder: string | Buffer, prefix = ""): string[] {
  return readdirSync(folder, "buffer").flatMap((bytes) => {
    const path = Buffer.concat([Buffer.from(folder), Buffer.from("/"), bytes]);
    const name = `${prefix}${bytes.toString()}`;
    const found = lstatSync(path);
    if (found.isDirectory()) return [`${name}/`, ...list(path, `${name}/`)];
    return [found.isFile() && found.nlink === 1 && found.size <= MAX_BYTES ? name : `ODD ${name}`];
  });
}

/** What was let in is files and folders; what was not is said in one line. */
function expectSafe({ code, said, files }: Unpacked): void {
  expect([0, 4]).toContain(code);
  if (code === 4) return expectOneLine(said.replace(/[^ -~]/g, "?"));
  expect(said).toBe("");
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((name) => name.startsWith("ODD"))).toEqual([]);
}

const NAMES = [
  ...[
    "a",
    "a/",
    "a/b",
    "b",
    "b/c/d",
    "server.js",
    "../x",
    "a/../../x",
    "/etc/x",
    "./a",
    "a//b",
    "a\\b",
    "a\nb",
  ],
  ...["..", ".", "", "-rf", "a/.", "ü", "\u001b[2J", "CON", "a:b", "x".repeat(1_100), "migrations/1-a.sql"],
];
const names = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: hostileText },
);
const MODES = [
  0o100644, 0o100755, 0o100000, 0o104755, 0o040755, 0o120777, 0o060644, 0o020644, 0o010644, 0o140644, 0,
];

const entry: fc.Arbitrary<Entry> = fc.record(
  {
    name: names,
    data: fc.constantFrom("", "x", "/etc/passwd", "..", "text".repeat(200)),
    mode: fc.oneof(fc.constantFrom(0o100644, 0o100755), fc.constantFrom(...MODES)),
    claimedSize: fc.constantFrom(0, 1, 5_000_000, 4_000_000_000),
    encrypted: fc.boolean(),
    madeBy: fc.oneof(fc.constantFrom(3, 0), fc.integer({ min: 0, max: 30 })),
    saysUtf8: fc.boolean(),
  },
  { requiredKeys: ["name"], noNullPrototype: true },
);

/** Mostly as it should be, so that it is not refused at its first entry. */
const rarely = <T extends object, K extends keyof T>(
  entries: fc.Arbitrary<T>,
  ...keys: K[]
): fc.Arbitrary<T> =>
  fc.tuple(entries, fc.nat(3)).map(([one, chance]) => {
    if (chance === 0) return one;
    const { ...copy } = one;
    for (const key of keys) delete copy[key];
    return copy;
  });

const zips = fc
  .array(rarely(entry, "claimedSize", "encrypted"), { maxLength: 5 })
  .map((entries) => zip(entries));

const tarEntry: fc.Arbitrary<TarEntry> = fc.record(
  {
    name: names.filter((name) => Buffer.byteLength(name) < 100),
    data: fc.constantFrom("", "x", "text".repeat(200)),
    type: fc.oneof(
      fc.constantFrom("0", "5"),
      fc.constantFrom("1", "2", "3", "4", "6", "7", "L", "K", "x", "g", "S", "V", "\0"),
    ),
    target: fc.constantFrom("/etc/passwd", "..", "a", "../../x", ""),
    claimedSize: fc.constantFrom(0, 1, 600, 5_000_000, 4_000_000_000),
  },
  { requiredKeys: ["name"], noNullPrototype: true },
);
const tars = fc.array(rarely(tarEntry, "claimedSize"), { maxLength: 5 }).map((entries) => tarGz(entries));

/** Some bytes flipped, or the end missing. */
function broken(archives: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const flips = fc.array(
    fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 255 })),
    {
      maxLength: 4,
    },
  );
  return fc
    .tuple(archives, flips, fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([archive, changes, cut]) => {
      const copy = Buffer.from(archive);
      for (const [at, mask] of changes) {
        const position = Math.floor(at * copy.length);
        if (copy.length > 0) copy[position]! ^= mask;
      }
      return cut > 0.8 ? copy.subarray(0, Math.floor(cut * copy.length)) : copy;
    });
}

const CASES: readonly (readonly [string, fc.Arbitrary<Buffer>, number])[] = [
  ["a zip of whatever entries", zips, 0.2],
  ["a broken zip", broken(zips), 0.15],
  ["a .tar.gz of whatever entries", tars, 0.3],
  [
    "a .tar.gz whose headers are broken",
    broken(tars.map((archive) => gunzipSync(archive))).map((tar) => gzipSync(tar)),
    0.2,
  ],
  ["a broken .tar.gz", broken(tars), 0.1],
  ["anything", fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)), 0.05],
];

test.each(CASES)("%s", async (_what, archives, weight) => {
  await fc.assert(
    fc.asyncProperty(archives, async (archive) => expectSafe(await unpack(archive, "unzip"))),
    runs(weight),
  );
});

const hasPython = spawnSync("python3", ["--version"]).status === 0;
if (!hasPython) console.warn("SKIPPED: what is unpacked with python3, which is not installed");
const BOTH = hasPython ? (["unzip", "python"] as const) : (["unzip"] as const);

(hasPython ? test : test.skip).each(CASES.filter(([what]) => what.includes("zip")))(
  "%s, with python",
  async (_what, archives, weight) => {
    await fc.assert(
      fc.asyncProperty(archives, async (archive) => expectSafe(await unpack(archive, "python"))),
      runs(weight),
    );
  },
);

test.each(BOTH)("a good archive of each kind is unpacked, with %s", async (zipTool) => {
  const good = ["a/", "a/b", "server.js"];
  const zipped = await unpack(
    zip([{ name: "a/", mode: 0o040755 }, { name: "a/b", data: "x" }, { name: "server.js" }]),
    zipTool,
  );
  expect({ ...zipped, files: [...zipped.files].sort() }).toEqual({ code: 0, said: "", files: good });
  const tarred = await unpack(
    tarGz([{ name: "a/", type: "5" }, { name: "a/b", data: "x" }, { name: "server.js" }]),
    zipTool,
  );
  expect({ ...tarred, files: [...tarred.files].sort() }).toEqual({ code: 0, said: "", files: good });
});

test("a .tar.gz that names nothing but its own folder is empty", async () => {
  const archive = tarGz([
    { name: "a", type: "L" },
    { name: "a", type: "5" },
  ]);
  expect((await unpack(archive, "unzip")).said).toMatch(/it is empty/);
});

describe("the disk is not filled", () => {
  const zeros = (bytes: number): Buffer => deflateRawSync(Buffer.alloc(bytes));

  test.each(BOTH)("by a zip whose sizes are a lie, with %s", async (zipTool) => {
    const deflated = zeros(3_900_000);
    const entries = Array.from({ length: 150 }, (_, index) => ({
      name: `f${index}`,
      deflated,
      claimedSize: 10,
    }));
    const { code, said, files } = await unpack(zip(entries), zipTool);
    expect({ code, said }).toEqual({
      code: 4,
      said: expect.stringMatching(/more than 4000000 bytes|cannot be unpacked/),
    });
    // Ended on the way, not after the last one.
    expect(files.length).toBeLessThan(150);
  });

  test.each(BOTH)("by one file of a zip, whatever it claims, with %s", async (zipTool) => {
    const { code } = await unpack(
      zip([{ name: "a", deflated: zeros(40_000_000), claimedSize: 10 }]),
      zipTool,
    );
    expect(code).toBe(4);
  });

  test("by a .tar.gz of more than it may have, or of more entries", async () => {
    const { said } = await unpack(tarGz([{ name: "a", data: "x".repeat(5_000_000) }]), "unzip");
    expect(said).toMatch(/more than 4000000 bytes/);
    const many = tarGz(Array.from({ length: 201 }, (_, index) => ({ name: `f${index}` })));
    expect((await unpack(many, "unzip")).said).toMatch(/more than 200 files and folders/);
  });
});

describe("the command's look at an artifact's migrations", () => {
  const read = (archive: Buffer): Map<string, Uint8Array> | string => {
    const file = join(root, "looked-at.zip");
    writeFileSync(file, archive);
    try {
      return readEntries(file, (name, bytes) => /\.sql$/.test(name) && bytes < 10_000_000);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      expect((error as NodeJS.ErrnoException).code).toBeUndefined();
      expectOneLine((error as Error).message);
      return (error as Error).message;
    }
  };

  test("gives what is in it, or says in a line why not", () => {
    const scripts = fc
      .array(rarely(entry, "claimedSize", "encrypted"), { maxLength: 4 })
      .map((entries) =>
        zip(entries.map((one, index) => ({ ...one, name: index % 2 === 0 ? `${index}.sql` : one.name }))),
      );
    fc.assert(
      fc.property(fc.oneof(scripts, broken(scripts)), (archive) => {
        const found = read(archive);
        if (typeof found !== "string") for (const name of found.keys()) expect(name).toMatch(/\.sql$/);
      }),
      runs(3),
    );
  });

  test("many entries that lead to the same bytes do not fill the memory", () => {
    const entries = Array.from({ length: 70 }, (_, index) => ({
      name: `${index}.sql`,
      claimedSize: 9_000_000,
    }));
    expect(read(zip(entries))).toMatch(/unpacks to more than/);
  });

  test("two scripts of one name are none", () => {
    expect(
      read(
        zip([
          { name: "1.sql", data: "a" },
          { name: "1.sql", data: "b" },
        ]),
      ),
    ).toBe('it has two entries "1.sql"');
  });
});
