import * as fs from "node:fs";
import * as path from "node:path";
import { base64, eachTestHasAServer, expectFailure, SCRIPT, type Artifact, type Parameters } from "./server";

const server = eachTestHasAServer();
const nothing: Artifact = { file: "/nowhere.zip", sha256: "0".repeat(64) };

const HOSTILE: readonly string[] = [
  "1.0/../../etc",
  "1.0 0",
  'a"b',
  "a'b",
  "$(touch hacked)",
  "`touch hacked`",
  "a\nb",
  "a\n",
  "a;id",
  "../x",
  "-rf",
  "a\u001b[2J",
  "ä",
  "*",
  "x".repeat(300),
];

const STRICT: readonly string[] = [
  "APPLICATION",
  "SERVER_NAME",
  "SLOT",
  "SEQUENCE",
  "RECORD_DIGEST",
  "RELEASE_ID",
  "VERSION",
  "ARTIFACT_URL_BASE64",
  "ARTIFACT_SHA256",
  "START_COMMAND_BASE64",
  "HOST",
  "PORT",
  "HEALTH_PROTOCOL",
  "HEALTH_PATH",
  "HEALTH_STATUS",
  "HEALTH_HOST",
  "RELEASE_HEADER",
  "HEALTH_SUCCESSES",
  "HEALTH_INTERVAL_SECONDS",
  "HEALTH_TIMEOUT_SECONDS",
  "DEADLINE_SECONDS",
  "STOP_SECONDS",
  "KEEP_RELEASES",
  "MAX_ARTIFACT_FILES",
  "SERVICE_MANAGER",
  "SERVICE_USER",
  "MODE",
  "PREPARE_SECONDS",
  "FETCH_STALL_SECONDS",
];

async function refused(overrides: Parameters): Promise<void> {
  const parameters = server().parameters(1, nothing, overrides);
  const outcome = await server().install(parameters);
  expect({ overrides, stderr: outcome.stderr }).toEqual({
    overrides,
    stderr: expect.stringMatching(/^install: [ -~]+\n$/),
  });
  expectFailure(outcome, 2);
}

test.each(STRICT)("every hostile %s is one line on stderr, exit 2 and no effect", async (name) => {
  await Promise.all(HOSTILE.map(async (value) => refused({ [name]: value })));
  expect(fs.readdirSync(server().root)).toEqual([]);
});

test.each(["SERVER_FOLDER", "DATA_FOLDER", "SYSTEMD_FOLDER"])(
  "%s is an absolute folder without tricks",
  async (name) => {
    const folders = [
      "relative",
      "/",
      "/a/../b",
      "/a/./b",
      "/a/..",
      "/a b$(id)",
      '/a"b',
      "/a\nb",
      "/a'b",
      "/a;b",
      "/a%b",
      "/a\\b",
      "/" + "x".repeat(300),
    ];
    await Promise.all(folders.map(async (value) => refused({ [name]: value })));
    expect(fs.readdirSync(server().root)).toEqual([]);
  },
);

test("a missing parameter is refused, and a missing RELEASE_ID is not an empty one", async () => {
  const required = STRICT.slice(0, 12).concat("SERVER_FOLDER");
  await Promise.all(required.map(async (name) => refused({ [name]: undefined })));
  expect(fs.readdirSync(server().root)).toEqual([]);
});

test("a release id belongs to its version", async () => {
  for (const RELEASE_ID of ["1.0.1-1", "1.0.0", "1.0.0-1-x", "1.0.0-"]) await refused({ RELEASE_ID });
  await refused({ VERSION: "1..0", RELEASE_ID: "1..0-1" });
  await refused({ PROTECTED_RELEASES: "1.0.0-1 $(id)" });
});

test("only https, file and loopback http addresses are fetched from", async () => {
  const addresses = [
    "http://example.com/a.zip",
    "http://127.0.0.1.example.com/a.zip",
    "http://localhost@example.com/a.zip",
    "https://user:secret@example.com/a.zip",
    "ftp://example.com/a.zip",
    "file://host/a.zip",
    "file:relative.zip",
    "/a.zip",
    "https://example.com/a zip",
    'https://example.com/"\noutput = "/etc/passwd',
    "https://example.com/a\\b",
    "-o/etc/passwd",
    "https://example.com/\0",
    `https://example.com/${"x".repeat(2100)}`,
  ];
  await Promise.all(addresses.map(async (address) => refused({ ARTIFACT_URL_BASE64: base64(address) })));
  const broken = server().parameters(1, nothing, { ARTIFACT_URL_BASE64: base64("file:///a%zz.zip") });
  expect(await server().install(broken)).toMatchObject({ code: 2 });
});

test("a start command is a list of printable arguments and begins with a program", async () => {
  for (const command of [
    "",
    "\nnode",
    "-i\nnode",
    "A=b\nnode",
    "node\n\u0000x",
    "node\n\u001b[2J",
    "node\r\nserver.js",
  ])
    await refused({ START_COMMAND_BASE64: base64(command) });
});

test("a signature in the artifact's address is never printed", async () => {
  const { stderr } = await server().install(
    server().parameters(1, nothing, {
      ARTIFACT_URL_BASE64: base64("http://127.0.0.1:1/a.zip?sig=SECRET"),
      PREPARE_SECONDS: "2",
    }),
  );
  expect(stderr).toContain("download failed");
  expect(stderr).not.toContain("SECRET");
});

test("the script is small enough for a run command, is ASCII, and ends with one command", () => {
  const text = fs.readFileSync(path.resolve(SCRIPT), "utf8");
  expect(text).toMatch(/^[\n -~]*$/);
  expect(Buffer.byteLength(text)).toBeLessThan(80 * 1024);
  expect(text).toMatch(/\n\{\n {2}main "\$@"\n {2}exit\n\}\n$/);
});
