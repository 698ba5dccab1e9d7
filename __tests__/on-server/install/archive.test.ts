import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { ZipFile } from "yazl";
import {
  base64,
  eachTestHasAServer,
  expectFailure,
  type Artifact,
  type Entry,
  type TarEntry,
} from "./server";

const server = eachTestHasAServer();

/** Installs something that must be rejected: exit 4 (or the given), said in one line, nothing left behind. */
async function rejected(artifact: Artifact, because: RegExp, overrides = {}, code = 4): Promise<void> {
  const outcome = await server().install(server().parameters(1, artifact, overrides));
  expectFailure(outcome, code);
  expect(outcome.stderr).toMatch(/^install: [ -~]+\n$/);
  expect(outcome.stderr).toMatch(because);
  expect(server().list("releases")).toEqual([]);
  expect(server().list("slots")).toEqual([]);
  expect(server().instances()).toEqual([]);
}

/** A PATH with everything that the script needs except some tools. */
function pathWithout(...missing: string[]): string {
  const bin = path.join(server().root, "bin");
  fs.mkdirSync(bin);
  for (const tool of TOOLS.split(" ").filter((name) => !missing.includes(name))) {
    const found = ["/usr/bin", "/bin", path.dirname(process.execPath)].map((folder) =>
      path.join(folder, tool),
    );
    const target = found.find((file) => fs.existsSync(file));
    if (target !== undefined) fs.symlinkSync(target, path.join(bin, tool));
  }
  return bin;
}
const TOOLS =
  "awk base64 bash cat chmod cp curl du env find flock grep gzip ln mkdir mv node python3 readlink rm setsid sha256sum " +
  "sleep sort stat sync tail tar timeout touch tr unzip xargs";

const ESCAPES: readonly (readonly [string, Entry, RegExp])[] = [
  ["an absolute name", { name: "/etc/evil" }, /absolute name/],
  ["a name with ..", { name: "a/../../evil" }, /leaves the folder: a\/\.\.\/\.\.\/evil/],
  ["a backslash", { name: "..\\evil" }, /backslash/],
  ["a newline in a name", { name: "a\nb" }, /control character/],
  ["an escape sequence in a name", { name: "a\u001b[2J" }, /control character/],
  ["a symbolic link", { name: "link", data: "/etc/passwd", mode: 0o120777 }, /neither file nor folder/],
  ["a device", { name: "device", mode: 0o060644 }, /neither file nor folder/],
  ["a fifo", { name: "fifo", mode: 0o010644 }, /neither file nor folder/],
  ["one name twice", { name: "server.js" }, /two entries of one name: server\.js/],
  ["a file and folder of one name", { name: "server.js/" }, /two entries of one name/],
  ["an empty part in a name", { name: "a//b" }, /empty part/],
  ["an encrypted entry", { name: "secret", encrypted: true }, /an encrypted entry: secret/],
  ["4 GB by the listing", { name: "big", claimedSize: 4_000_000_000 }, /more than 2147483648 bytes/],
  ["a size that is a lie", { name: "lie", data: "x", claimedSize: 1000 }, /cannot be unpacked/],
];

test.each(ESCAPES)("refuses a zip with %s", async (_what, entry, because) => {
  await rejected(server().application({}, [entry]), because);
  expect(fs.existsSync("/etc/evil")).toBe(false);
});

const hasPython = fs.existsSync("/usr/bin/python3");
const withPython = (what: string, check: () => Promise<void>): void =>
  (hasPython ? test : test.skip)(what + (hasPython ? "" : " (SKIPPED: no /usr/bin/python3)"), check);

withPython("refuses the same without unzip", async () => {
  const PATH = pathWithout("unzip");
  for (const [, entry, because] of ESCAPES) {
    await rejected(server().application({}, [entry]), because, { PATH });
  }
});

async function unpacksWithout(tool: string): Promise<void> {
  const artifact = server().application({}, [
    { name: "a folder/" },
    { name: "a folder/ünï ^ cödé.txt", data: "text" },
    { name: "packed on Linux, ü.txt", data: "text", saysUtf8: false },
    { name: "run.sh", data: "#!/bin/sh\n", mode: 0o100755 },
  ]);
  const parameters = server().parameters(1, artifact, { PATH: pathWithout(tool) });
  expect(await server().install(parameters)).toMatchObject({ code: 0, stderr: "" });
  expect(server().read("releases/1.0.0-1/a folder/ünï ^ cödé.txt")).toBe("text");
  expect(server().read("releases/1.0.0-1/packed on Linux, ü.txt")).toBe("text");
  expect(fs.statSync(server().path("releases/1.0.0-1/run.sh")).mode & 0o777).toBe(0o750);
}
test("unpacks without python3", () => unpacksWithout("python3"));
withPython("unpacks without unzip", () => unpacksWithout("unzip"));

withPython("unpacks what Windows has packed, under the names that it has there", async () => {
  const artifact = server().application({}, [
    { name: "Übersicht.html", data: "text", madeBy: 0, mode: 0 },
    { name: "日本.txt", data: "text", madeBy: 0, mode: 0 },
  ]);
  expect(await server().install(server().parameters(1, artifact))).toMatchObject({ code: 0, stderr: "" });
  expect(server().list("releases/1.0.0-1")).toEqual(expect.arrayContaining(["Übersicht.html", "日本.txt"]));
});

test("says which tools are missing", async () => {
  await rejected(
    server().application(),
    /neither unzip nor python3 is on PATH/,
    { PATH: pathWithout("unzip", "python3") },
    1,
  );
});

test("unpacks a zip as the usual library writes it, with blanks and other languages in names", async () => {
  const file = path.join(server().root, "usual.zip");
  const usual = new ZipFile();
  const application = server().application();
  usual.addBuffer(execFileSync("unzip", ["-p", application.file, "server.js"]), "server.js");
  usual.addBuffer(Buffer.from("{}"), "behaviour.json", { compress: true, mode: 0o100600 });
  usual.addBuffer(Buffer.from("text"), "some folder/ünï  cödé #1.txt");
  usual.addBuffer(Buffer.from("#!/bin/sh\n"), "run.sh", { mode: 0o100777 });
  usual.addEmptyDirectory("empty");
  usual.end();
  const out = fs.createWriteStream(file);
  await new Promise<void>((resolve) => usual.outputStream.pipe(out).on("close", resolve));
  const artifact = server().artifact(fs.readFileSync(file));
  expect(await server().install(server().parameters(1, artifact))).toMatchObject({ code: 0, stderr: "" });
  expect(server().read("releases/1.0.0-1/some folder/ünï  cödé #1.txt")).toBe("text");
  expect(fs.statSync(server().path("releases/1.0.0-1/run.sh")).mode & 0o777).toBe(0o750);
  expect(fs.statSync(server().path("releases/1.0.0-1/behaviour.json")).mode & 0o777).toBe(0o640);
});

const TAR_ESCAPES: readonly (readonly [string, TarEntry, RegExp])[] = [
  ["an absolute name", { name: "/etc/evil" }, /absolute name/],
  ["a name with ..", { name: "./../evil" }, /leaves the folder/],
  ["a backslash", { name: "..\\evil" }, /backslash/],
  ["a newline in a name", { name: "a\nb" }, /control character/],
  ["a symbolic link", { name: "link", type: "2", target: "/etc" }, /neither file nor folder \(l\)/],
  ["a hard link", { name: "link", type: "1", target: "/etc/passwd" }, /neither file nor folder \(h\)/],
  ["a device", { name: "device", type: "3" }, /neither file nor folder \(c\)/],
  ["a fifo", { name: "fifo", type: "6" }, /neither file nor folder \(p\)/],
  ["one name twice", { name: "server.js" }, /two entries of one name/],
  ["4 GB by the listing", { name: "big", claimedSize: 4_000_000_000 }, /more than|cannot be unpacked/],
];

test.each(TAR_ESCAPES)("refuses a .tar.gz with %s", async (_what, entry, because) => {
  await rejected(server().applicationAsTar([entry]), because);
});

test("unpacks a .tar.gz, whatever its name says", async () => {
  const artifact = server().applicationAsTar([
    { name: "./a b/", type: "5" },
    { name: "./a b/ünï.txt", data: "text" },
  ]);
  expect(await server().install(server().parameters(1, artifact))).toMatchObject({ code: 0, stderr: "" });
  expect(server().read("releases/1.0.0-1/a b/ünï.txt")).toBe("text");
});

test("refuses more files than the environment allows", async () => {
  const many = Array.from({ length: 99 }, (_, number) => ({ name: `file-${number}` }));
  const limit = { MAX_ARTIFACT_FILES: "100" };
  await rejected(
    server().application({}, many),
    /it has more than 100 files and folders \(maxArtifactFiles/,
    limit,
  );
  await rejected(server().applicationAsTar(many), /it has more than 100 files and folders/, limit);
});

test("unpacks 60,000 files, as an application with all its dependencies has them", async () => {
  const many = Array.from({ length: 60_000 }, (_, number) => ({
    name: `node_modules/${number % 300}/${number}.js`,
  }));
  const outcome = await server().install(server().parameters(1, server().application({}, many)));
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  expect(server().list("releases/1.0.0-1/node_modules/299")).toHaveLength(200);
});

test("refuses what is no archive, an empty one and a broken one", async () => {
  await rejected(server().artifact(Buffer.from("hello")), /neither a zip nor a \.tar\.gz/);
  await rejected(server().artifact(Buffer.alloc(0)), /neither a zip nor a \.tar\.gz/);
  await rejected(server().artifact(Buffer.from("PK\u0003\u0004 and nothing else")), /cannot be unpacked/);
  await rejected(server().artifact(Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3])), /cannot be unpacked/);
  const { file } = server().application();
  await rejected(server().artifact(fs.readFileSync(file).subarray(0, 500)), /cannot be unpacked/);
  await rejected(server().tarball([]), /it is empty/);
  await rejected(server().tarball([{ name: "./", type: "5" }]), /it is empty/);
});

describe("files are as old as the artifact is published, whatever its listing says", () => {
  const PUBLISHED = new Date("2026-03-02T10:20:30Z");

  async function timeOf(artifact: Artifact, overrides = {}): Promise<Date> {
    const parameters = server().parameters(1, artifact, overrides);
    expect(await server().install(parameters)).toMatchObject({ code: 0, stderr: "" });
    return fs.statSync(server().path("releases/1.0.0-1/server.js")).mtime;
  }

  test.each([
    ["a zip", () => server().application()],
    ["a .tar.gz", () => server().applicationAsTar()],
  ])("%s in a folder", async (_what, build) => {
    const artifact = build();
    fs.utimesSync(artifact.file, PUBLISHED, PUBLISHED);
    expect(await timeOf(artifact)).toEqual(PUBLISHED);
  });

  test("one of the future is of now", async () => {
    const artifact = server().application();
    const future = new Date(Date.now() + 86_400_000);
    fs.utimesSync(artifact.file, future, future);
    expect(Math.abs((await timeOf(artifact)).getTime() - Date.now())).toBeLessThan(60_000);
  });

  test.each([
    ["says when", { "last-modified": PUBLISHED.toUTCString() }, PUBLISHED.getTime()],
    ["does not say when: of now", {}, undefined],
  ])("one of a web server that %s", async (_what, headers, expected) => {
    const artifact = server().application();
    const address = await server().serve((_request, response) => {
      response.writeHead(200, headers).end(fs.readFileSync(artifact.file));
    });
    const time = await timeOf(artifact, { ARTIFACT_URL_BASE64: base64(`${address}/x.zip`) });
    expect(Math.abs(time.getTime() - (expected ?? Date.now()))).toBeLessThan(
      expected === undefined ? 60_000 : 1,
    );
  });
});

test("an archive cannot bring its own .release and .start", async () => {
  const artifact = server().application({}, [
    { name: ".release", data: "9.9.9-9 0" },
    { name: ".start/x", data: "rm" },
  ]);
  expect(await server().install(server().parameters(1, artifact))).toMatchObject({ code: 0 });
  expect(server().read("releases/1.0.0-1/.release")).toBe(`1.0.0-1 ${artifact.sha256}`);
  expect(server().read("releases/1.0.0-1/.start")).toBe("node\nserver.js");
});

test("a file: address may have %-escapes; a leftover partial download is not trusted", async () => {
  const file = path.join(server().root, "mein programm ü.zip");
  const { file: original, sha256 } = server().application();
  fs.copyFileSync(original, file);
  fs.mkdirSync(server().path("downloads"), { recursive: true });
  fs.writeFileSync(server().path("downloads", `${sha256}.partial`), "half of it");
  const parameters = server().parameters(1, { file: new URL(`file://${file}`).pathname, sha256 });
  expect(await server().install(parameters)).toMatchObject({ code: 0, stderr: "" });
  expect(server().list("downloads")).toEqual([]);
});

describe("downloads", () => {
  async function download(address: string, sha256: string, because: RegExp, overrides = {}): Promise<void> {
    const ARTIFACT_URL_BASE64 = base64(address);
    await rejected({ file: "", sha256 }, because, { ARTIFACT_URL_BASE64, ...overrides });
  }

  test("over http, with one retry of a failing server, and not through a proxy", async () => {
    const { file, sha256 } = server().application();
    let asked = 0;
    const address = await server().serve((_request, response) => {
      if (++asked === 1) response.writeHead(503).end();
      else response.end(fs.readFileSync(file));
    });
    const ARTIFACT_URL_BASE64 = base64(`${address}/x.zip?a=[1-2]&b=2`);
    const parameters = server().parameters(
      1,
      { file, sha256 },
      { ARTIFACT_URL_BASE64, http_proxy: "http://127.0.0.1:1" },
    );
    expect(await server().install(parameters)).toMatchObject({ code: 0, stderr: "" });
    expect(asked).toBe(2);
  });

  test("that lie are rejected: missing, redirected, truncated, of other content", async () => {
    const { file, sha256 } = server().application();
    const bytes = fs.readFileSync(file);
    const address = await server().serve((request, response) => {
      if (request.url === "/missing") response.writeHead(404).end("no");
      else if (request.url === "/redirected") response.writeHead(302, { location: "/whole" }).end();
      else if (request.url === "/other") response.end("something else");
      else
        response
          .writeHead(200, { "content-length": bytes.length })
          .write(bytes.subarray(0, 500), () => response.destroy());
    });
    await download(`${address}/missing`, sha256, /download failed: .*404/);
    await download(`${address}/redirected`, sha256, /download failed: status 302 instead of 200/);
    await download(`${address}/truncated`, sha256, /download failed/);
    await download(
      `${address}/other`,
      sha256,
      /the artifact's sha256 is [0-9a-f]{12}\.\.\., the record says/,
    );
    await download("file:///nowhere.zip", sha256, /there is no file \/nowhere\.zip/);
    await download("http://127.0.0.1:1/x", sha256, /download failed/);
  });

  test("that stall or take too long are given up", async () => {
    const address = await server().serve((_request, response) => {
      response.writeHead(200, { "content-length": 100_000 }).write("PK");
    });
    await download(`${address}/slow`, "0".repeat(64), /not complete after 2 s/, {
      PREPARE_SECONDS: "2",
    });
    await download(`${address}/stalled`, "0".repeat(64), /too slow/, { FETCH_STALL_SECONDS: "1" });
  });
});

test("the same release id with another digest is refused, and the installed one stays", async () => {
  const first = server().application();
  await server().install(server().parameters(1, first));
  const other = server().application({ body: "other" });
  const outcome = await server().install(server().parameters(2, other, { RELEASE_ID: "1.0.0-1" }));
  expect(outcome.code).toBe(3);
  expect(outcome.stderr).toContain(
    `already here with sha256 ${first.sha256.slice(0, 12)}, the record says ${other.sha256.slice(0, 12)}`,
  );
  expect((await server().get()).release).toBe("1.0.0-1");
});

test("a release folder without .release is not believed", async () => {
  fs.mkdirSync(server().path("releases/1.0.0-1"), { recursive: true });
  fs.writeFileSync(server().path("releases/1.0.0-1/server.js"), "process.exit(1)");
  expect(await server().install(server().parameters(1, server().application()))).toMatchObject({
    code: 0,
    stderr: "",
  });
});

describe("an artifact that is on the server already", () => {
  /** Counts the downloads. */
  async function published(artifact: Artifact): Promise<{ url: string; downloads: () => number }> {
    let downloads = 0;
    const address = await server().serve((_request, response) => {
      downloads += 1;
      response.end(fs.readFileSync(artifact.file));
    });
    return { url: `${address}/x.zip`, downloads: () => downloads };
  }

  test("is not downloaded again: the rollback of a recreate, and a retry under a new run", async () => {
    const old = server().application({}, [{ name: "bin/run.sh", data: "#!/bin/sh\n", mode: 0o100755 }]);
    const { url, downloads } = await published(old);
    const overrides = { ARTIFACT_URL_BASE64: base64(url), MODE: "inPlace" };
    expect(await server().install(server().parameters(1, old, overrides))).toMatchObject({ code: 0 });
    const other = server().application({}, [{ name: "new.txt", data: "new" }]);
    expect(await server().install(server().parameters(2, other, { MODE: "inPlace" }))).toMatchObject({
      code: 0,
    });
    const outcome = await server().install(server().parameters(3, old, overrides));
    expect(outcome).toMatchObject({
      code: 0,
      stderr: "",
      result: { outcome: "installed", releaseId: "1.0.0-3" },
    });
    expect(downloads()).toBe(1);
    expect((await server().get()).release).toBe("1.0.0-3");
    const tree = (id: string): string =>
      execFileSync("find", [server().path("releases", id), "-printf", "%P %y %m %s %t\n"], {
        encoding: "utf8",
      });
    const withoutTimes = (text: string): string[] =>
      text
        .split("\n")
        .filter((line) => !/^(\.release|\.start| d)/.test(line))
        .sort();
    expect(withoutTimes(tree("1.0.0-3"))).toEqual(withoutTimes(tree("1.0.0-1")));
    expect(server().read("releases/1.0.0-3/.release")).toBe(`1.0.0-3 ${old.sha256}`);
  });

  test.each<[string, () => void]>([
    ["changed", () => fs.appendFileSync(server().path("releases/1.0.0-1/server.js"), " ")],
    ["added", () => fs.writeFileSync(server().path("releases/1.0.0-1/upload"), "")],
    ["removed", () => fs.rmSync(server().path("releases/1.0.0-1/more.txt"))],
    ["made executable", () => fs.chmodSync(server().path("releases/1.0.0-1/more.txt"), 0o750)],
  ])("is downloaded if a file was %s there", async (_, change) => {
    const artifact = server().application({}, [{ name: "more.txt", data: "more" }]);
    const { url, downloads } = await published(artifact);
    const overrides = { ARTIFACT_URL_BASE64: base64(url) };
    await server().install(server().parameters(1, artifact, overrides));
    change();
    expect(await server().install(server().parameters(2, artifact, overrides))).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(downloads()).toBe(2);
    expect(server().list("releases/1.0.0-2")).toEqual([
      ".release",
      ".start",
      ".start-blue",
      ".tree",
      "behaviour.json",
      "more.txt",
      "server.js",
    ]);
  });

  test("in a folder of this machine takes no second copy of the archive", async () => {
    const artifact = server().application();
    const before = fs.statSync(artifact.file);
    expect(await server().install(server().parameters(1, artifact))).toMatchObject({ code: 0 });
    expect(fs.statSync(artifact.file)).toMatchObject({
      nlink: 1,
      mtimeMs: before.mtimeMs,
      size: before.size,
    });
  });
});
