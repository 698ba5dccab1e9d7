/**
 * What both installers promise, as one table: both-installers.test.ts runs each case with install-release.sh and with
 * install-release.ps1. A failure has one exit code and one line, where the words of a tool are left open.
 */
import type { RequestListener, ServerResponse } from "node:http";
import type { Entry } from "./server";

type Served = (archive: Buffer) => RequestListener;

export interface Case {
  /** Files and folders in the archive, beside a healthy application. */
  readonly entries?: readonly Entry[];
  /** The application's behaviour.json. */
  readonly behaviour?: { readonly status?: number; readonly body?: string; readonly silent?: boolean };
  /** The published bytes, from the archive's. */
  readonly bytes?: (archive: Buffer) => Buffer;
  /** Answers for the artifact, instead of its bytes. */
  readonly serves?: Served;
  /** The artifact is in the environment's storage, and the metadata service gives this for a token. */
  readonly token?: { readonly status: number; readonly text: string };
  readonly overrides?: Readonly<Record<string, string>>;
  readonly before?: (installer: Installer) => Promise<Hindrance>;
  readonly code: number;
  /** The failure, without the "install: " before it; of a success its outcome. */
  readonly line: string | RegExp;
}

/** What is in the way during an install. */
export interface Hindrance {
  readonly overrides?: Readonly<Record<string, string>>;
  end(): Promise<void>;
}

/** One of the two, on a server with a live release in blue. */
export interface Installer {
  /** Another install runs. */
  holdLock(): Promise<Hindrance>;
  /** Somebody else listens on the port. */
  takePort(): Promise<Hindrance>;
  /** A file below SERVER_FOLDER has another text. */
  replace(name: string, text: string): Promise<Hindrance>;
}

const REFUSED = "the archive is refused: ";
const PLAIN = ": build it from plain files and folders";
const refused = (why: string): RegExp => new RegExp(`^${REFUSED}(${why})${PLAIN}$`);
const UNPACKED = /^the archive cannot be unpacked: .+: build and publish it again$/;

const ARCHIVES: Record<string, Case> = {
  "an absolute name": {
    entries: [{ name: "/etc/evil" }],
    code: 4,
    line: `${REFUSED}an absolute name: /etc/evil${PLAIN}`,
  },
  "a name that leaves the folder": {
    entries: [{ name: "a/../../evil" }],
    code: 4,
    line: `${REFUSED}a name that leaves the folder: a/../../evil${PLAIN}`,
  },
  // A "\" is a part of a name on Linux, and a separator on Windows, where old versions of .NET pack it.
  "a backslash that leaves the folder": {
    entries: [{ name: "..\\evil" }],
    code: 4,
    line: refused("(a backslash or control character in a name|a name that leaves the folder): .+"),
  },
  "a control character in a name": {
    entries: [{ name: "a\nb" }],
    code: 4,
    line: refused(
      "(a backslash or control character in a name|a character that Windows does not allow in a name): a.+b",
    ),
  },
  "an empty part in a name": {
    entries: [{ name: "a//b" }],
    code: 4,
    line: `${REFUSED}a name with an empty part: a//b${PLAIN}`,
  },
  "two entries of one name": {
    entries: [{ name: "behaviour.json" }],
    code: 4,
    line: `${REFUSED}two entries of one name: behaviour.json${PLAIN}`,
  },
  "a file and a folder of one name": {
    entries: [{ name: "behaviour.json/" }],
    code: 4,
    line: refused("two entries of one name: behaviour.json/?"),
  },
  "a symbolic link": {
    entries: [{ name: "link", data: "/etc/passwd", mode: 0o120777 }],
    code: 4,
    line: `${REFUSED}it has an entry that is neither file nor folder (l): link${PLAIN}`,
  },
  "a device": {
    entries: [{ name: "device", mode: 0o060644 }],
    code: 4,
    line: `${REFUSED}it has an entry that is neither file nor folder (b): device${PLAIN}`,
  },
  "a fifo": {
    entries: [{ name: "fifo", mode: 0o010644 }],
    code: 4,
    line: `${REFUSED}it has an entry that is neither file nor folder (p): fifo${PLAIN}`,
  },
  "an encrypted entry": {
    entries: [{ name: "secret", encrypted: true }],
    code: 4,
    line: `${REFUSED}an encrypted entry: secret${PLAIN}`,
  },
  "4 GB by its listing": {
    entries: [{ name: "big", claimedSize: 4_000_000_000 }],
    code: 4,
    line: `${REFUSED}it unpacks to more than 2147483648 bytes${PLAIN}`,
  },
  "a size that is a lie": {
    entries: [{ name: "lie", data: "x", claimedSize: 1000 }],
    code: 4,
    line: UNPACKED,
  },
  "more files than the environment allows": {
    entries: Array.from({ length: 9 }, (_, number) => ({ name: `file-${number}` })),
    overrides: { MAX_ARTIFACT_FILES: "10" },
    code: 4,
    line: `${REFUSED}it has more than 10 files and folders (maxArtifactFiles in the environment file)${PLAIN}`,
  },
  "what is no archive": {
    bytes: () => Buffer.from("hello"),
    code: 4,
    line: /^the artifact is (neither a zip nor a \.tar\.gz|no zip) file: publish one/,
  },
  "an empty file": {
    bytes: () => Buffer.alloc(0),
    code: 4,
    line: /^the artifact is (neither a zip nor a \.tar\.gz|no zip) file: publish one/,
  },
  "the first half of an archive": {
    bytes: (archive) => archive.subarray(0, archive.length / 2),
    code: 4,
    line: UNPACKED,
  },
  "files with the installer's names": {
    entries: [
      { name: ".release", data: "9.9.9-9 0" },
      { name: "_release.txt", data: "9.9.9-9 0" },
    ],
    code: 0,
    line: "installed",
  },
  "folders with the installer's names": {
    entries: [
      { name: ".release/x", data: "1" },
      { name: "_release.txt/y", data: "2" },
    ],
    code: 0,
    line: "installed",
  },
  "names in any language": {
    entries: [
      { name: "a folder/" },
      { name: "a folder/ünï cödé.txt", data: "text" },
      { name: "日本.txt", saysUtf8: false },
    ],
    code: 0,
    line: "installed",
  },
};

const UNREACHABLE = /^download failed: .+: is https:\S+ right and reachable from this server\?$/;
const answers =
  (status: number, headers: Record<string, string | number> = {}, body?: string): Served =>
  () =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body);
const redirects = (location: string): Served => answers(302, { location });
/** Long enough for one attempt. */
const SOON = { PREPARE_SECONDS: "4" };
const begins = (response: ServerResponse, archive: Buffer): void =>
  void response.writeHead(200, { "content-length": archive.length }).write(archive.subarray(0, 100));

const DOWNLOADS: Record<string, Case> = {
  "of other bytes": {
    serves: answers(200, {}, "something else"),
    code: 4,
    line: /^the artifact's sha256 is [0-9a-f]{12}\.\.\., the record says [0-9a-f]{12}\.\.\.: publish it again, or correct the record$/,
  },
  "that is missing": { serves: answers(404), code: 4, line: UNREACHABLE },
  "that fails for good": { serves: answers(503), code: 4, line: UNREACHABLE },
  "with a malformed redirect": {
    serves: redirects("https://["),
    code: 4,
    line: UNREACHABLE,
  },
  "with a redirect to http": {
    serves: redirects("http://127.0.0.1:1/x"),
    code: 4,
    line: UNREACHABLE,
  },
  "with a redirect to nowhere": {
    serves: answers(302),
    code: 4,
    line: /^download failed: status 302 instead of 200: is https:\S+ right and reachable/,
  },
  "that redirects in a circle": { serves: redirects("/again"), code: 4, line: UNREACHABLE },
  "that redirects once": {
    serves: (archive) => (request, response) =>
      request.url!.includes("whole")
        ? response.end(archive)
        : response.writeHead(302, { location: "/whole.zip" }).end(),
    code: 0,
    line: "installed",
  },
  "that is cut off": {
    serves: (archive) => (_request, response) => {
      begins(response, archive);
      setTimeout(() => response.destroy(), 50);
    },
    code: 4,
    line: UNREACHABLE,
  },
  "that does not end": {
    serves: (archive) => (_request, response) => begins(response, archive),
    overrides: SOON,
    code: 4,
    line: "download failed: not complete after 4 s: retry",
  },
  "that is too large": {
    serves: answers(200, { "content-length": 5_000_000_000 }),
    code: 4,
    line: /^(download failed: https:\S+ is larger than 2147483648 bytes: build it from less|the disk has no room for .+: free some, then retry)$/,
  },
};

const TOKEN = { status: 200, text: JSON.stringify({ access_token: "eyJ0.SECRET-token_~+/x==" }) };
const METADATA = "http://(169\\.254\\.169\\.254|127\\.0\\.0\\.1:\\d+)";
const noToken = (rest: string): RegExp => new RegExp(`^no token for the identity: ${METADATA} ${rest}$`);
const unreadable = (text: string): Case => ({
  token: { status: 200, text },
  code: 4,
  line: noToken("answered 200 without a readable access_token: retry"),
});

const TOKENS: Record<string, Case> = {
  "of an identity that is assigned": { token: TOKEN, code: 0, line: "installed" },
  "of an identity that is not the machine's": {
    token: { status: 400, text: '{"error":"invalid_request","error_description":"Identity not found"}' },
    code: 4,
    line: noToken("answered 400 \\(Identity not found\\): is an identity assigned to this machine\\?"),
  },
  "of a metadata service that never recovers": {
    token: { status: 500, text: "" },
    overrides: { PREPARE_SECONDS: "2" },
    code: 4,
    line: noToken("answered 500 for 2 s: retry later"),
  },
  "that is no JSON": unreadable("no JSON"),
  "that is none": unreadable("{}"),
  "in a list": unreadable('[{"access_token":"SECRET"}]'),
  "below another name": unreadable('{"nested":{"access_token":"SECRET"}}'),
  "with another header in it": unreadable(JSON.stringify({ access_token: "SECRET\nx-more: 1" })),
  "that storage does not accept": {
    token: TOKEN,
    serves: answers(403, {}, "\ufeff<?xml?><Error><Code>AuthorizationPermissionMismatch</Code></Error>"),
    overrides: { PREPARE_SECONDS: "3" },
    code: 4,
    line: "download failed: storage answered 403 (AuthorizationPermissionMismatch) for 3 s: does the identity have Storage Blob Data Reader on the container?",
  },
  "for an artifact that is not published": {
    token: TOKEN,
    serves: answers(404),
    overrides: { PREPARE_SECONDS: "2" },
    code: 4,
    line: /^download failed: storage answered 404 for 2 s: is the artifact published at https:\S+\?$/,
  },
  "of a storage that redirects": {
    token: TOKEN,
    serves: redirects("https://localhost:1/x"),
    code: 4,
    line: "download failed: storage answered 302: a redirect is not followed with a token: correct the artifact's address",
  },
};

const IMPATIENT = { DEADLINE_SECONDS: "5" };
const unhealthy = (reason: string): RegExp =>
  new RegExp(`^1\\.0\\.0-\\d+ was not healthy within 5 s: ${reason}: correct it, then release again$`);

const HEALTH: Record<string, Case> = {
  "an error": {
    behaviour: { status: 500 },
    overrides: IMPATIENT,
    code: 4,
    line: unhealthy("/\\S+ answered 500, expected 200"),
  },
  "no answer": {
    behaviour: { silent: true },
    overrides: IMPATIENT,
    code: 4,
    line: unhealthy("no answer on http://\\S+ \\(.+\\)"),
  },
  "another release": {
    behaviour: { body: "release 0.9.0-1" },
    overrides: IMPATIENT,
    code: 4,
    line: unhealthy(
      'the body of /\\S+ does not name release "1\\.0\\.0-\\d+" \\(it begins "release 0\\.9\\.0-1"\\)',
    ),
  },
  "good answers that came too late": {
    overrides: { ...IMPATIENT, HEALTH_SUCCESSES: "9", HEALTH_INTERVAL_SECONDS: "1.5" },
    code: 4,
    line: unhealthy("/\\S+ gave [1-4] good answers in a row, and 9 are required"),
  },
};

const REFUSALS: Record<string, Case> = {
  "an older record": {
    overrides: { SEQUENCE: "1" },
    code: 3,
    line: /^record 1 is older than \d+; use `bluegreen rollback`$/,
  },
  "a known record with other content": {
    before: (installer) => installer.replace("sequence", `7 ${"a".repeat(64)}\n`),
    overrides: { SEQUENCE: "7", RECORD_DIGEST: "b".repeat(64) },
    code: 3,
    line: 'record 7 is already known with other content (aaaaaaaaaaaa before, bbbbbbbbbbbb now): raise "sequence"',
  },
  "a sequence that is unreadable": {
    before: (installer) => installer.replace("sequence", "no number"),
    code: 1,
    line: /^\S+sequence is unreadable: put "<sequence> <digest>" of the last applied record into it$/,
  },
  "another install that runs": {
    before: (installer) => installer.holdLock(),
    overrides: { PREPARE_SECONDS: "2" },
    code: 3,
    line: "another install still runs on this server after 1 s: wait for it, then retry",
  },
  "a port of somebody else": {
    before: (installer) => installer.takePort(),
    code: 3,
    line: /^port \d+ on 127\.\d+\.\d+\.\d+ is taken by .+, which is not slot green: stop it, or choose another port$/,
  },
};

/** Values that no parameter may have, with the parameter's meaning. */
const VALUES: readonly (readonly [name: string, meaning: string, ...values: readonly string[]])[] = [
  ["APPLICATION", "a-z, 0-9 and -", "", "A", "1a", "a_b", "a\n", "x".repeat(25)],
  ["SERVER_NAME", "letters, digits, . and -", "", "a b", "$(id)", "-rf"],
  ["SLOT", "blue or green", "", "Blue", "bluegreen", "red", "blue\n"],
  ["SEQUENCE", "a whole number from 1", "", "0", "01", "-1", "1.5", "1234567890123456"],
  ["RECORD_DIGEST", "64 lower-case hexadecimal digits", "", "A".repeat(64), "a".repeat(63)],
  [
    "RELEASE_ID",
    '"<version>-<run>", or nothing for an empty slot',
    "1.0.0",
    "-1",
    "1.0.0-",
    "1.0.0-x",
    "../x",
  ],
  ["VERSION", "1 to 40 of letters, digits, . and -", "", "1.0/../x", 'a"b', "`id`"],
  ["MODE", "slot or inPlace", "inplace", "all"],
  ["DEADLINE_SECONDS", "whole seconds from 1 to 9999", "0", "1.5", "10000", "x"],
  ["STOP_SECONDS", "whole seconds from 1 to 9999", "0", "1.5", "10000", "x"],
  ["PREPARE_SECONDS", "whole seconds from 1 to 9999", "0", "1.5", "10000", "x"],
  ["KEEP_RELEASES", "a number from 1 to 999", "0", "1000", "x"],
  ["PROTECTED_RELEASES", "release ids with blanks between them", "1.0.0-1 $(id)", "a;b"],
  ["MAX_ARTIFACT_FILES", "a number from 1 to 9999999", "0", "-1", "99999999"],
  ["ARTIFACT_SHA256", "64 lower-case hexadecimal digits", "", "A".repeat(64), "0".repeat(65)],
  ["ARTIFACT_URL_BASE64", "base64", "", "a b", "$(id)"],
  ["ARTIFACT_HOST", "a host name, or nothing", "https://h", "h/", "u@h", "h:", "*"],
  [
    "IDENTITY",
    "the resource id of an identity, or nothing",
    "x",
    "/subscriptions/1",
    "/subscriptions/1/../x&y=1",
  ],
  ["PORT", "a port from 1 to 65535", "", "0", "080", "123456", "80a"],
  ["HEALTH_PATH", "a path that starts with /", "health", "/a b", '/a"b', "/a\\b"],
  ["HEALTH_STATUS", "a status code", "20", "600", "2000", "x"],
  ["HEALTH_HOST", "a host name", "a b", "a/b", "u@h"],
  ["RELEASE_HEADER", "the name of a header, or nothing", "a b", "1x", "x:y", "a\n"],
  ["HEALTH_SUCCESSES", "a number from 1 to 999", "0", "1000", "x"],
  ["HEALTH_INTERVAL_SECONDS", "seconds", "-1", "1.2345", "x"],
  ["HEALTH_TIMEOUT_SECONDS", "seconds", "-1", "1.2345", "x"],
];

const SETTINGS: Record<string, Case> = Object.fromEntries([
  ...VALUES.flatMap(([name, meaning, ...values]) =>
    values.map((value): [string, Case] => [
      `${name}=${JSON.stringify(value.slice(0, 30))}`,
      {
        overrides: { [name]: value },
        code: 2,
        line: `${name} is "${value.slice(0, 60)}" but must be ${meaning}: correct it in the environment or the record`.replaceAll(
          /[^ -~]/g,
          "?",
        ),
      },
    ]),
  ),
  ["a port above all", { overrides: { PORT: "65536" }, code: 2, line: "PORT 65536 is above 65535" }],
  [
    "no time for an answer",
    {
      overrides: { HEALTH_TIMEOUT_SECONDS: "0" },
      code: 2,
      line: "HEALTH_TIMEOUT_SECONDS must be more than 0",
    },
  ],
  [
    "a release of another version",
    {
      overrides: { RELEASE_ID: "1.0.1-1" },
      code: 2,
      line: 'RELEASE_ID 1.0.1-1 is not "<version>-<run>" of VERSION 1.0.0',
    },
  ],
  [
    "an address that is no base64",
    { overrides: { ARTIFACT_URL_BASE64: "abcde" }, code: 2, line: "ARTIFACT_URL_BASE64 is not base64" },
  ],
  ...[
    "http://h/a.zip",
    "https://u:p@h/a.zip",
    "ftp://h/a.zip",
    "https://h/a b",
    'https://h/"',
    "https://h\\a",
  ].map((address): [string, Case] => [
    `the address ${address}`,
    {
      overrides: { ARTIFACT_URL_BASE64: Buffer.from(address).toString("base64") },
      code: 2,
      line: /^ARTIFACT_URL_BASE64 is ".*" but must be https:/,
    },
  ]),
]);

export const CASES: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "an archive with": ARCHIVES,
  "a download": DOWNLOADS,
  "a token": TOKENS,
  "a release that answers with": HEALTH,
  "what is refused:": REFUSALS,
  "what is bad input:": SETTINGS,
};
