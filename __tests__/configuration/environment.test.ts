/** An environment file: what may be left out, and what never reaches a server. */
import { parseEnvironment } from "../../configuration/environment-file";
import { DEFAULT_HTTP_SETTINGS } from "../../configuration/http-settings";
import { Strategy } from "../../release/schedule";
import { complaint, environmentOf, LEAST } from "../release/examples";

const FILE = "environments/local.json";

const refusal = (changes: object): string => {
  const message = complaint(() => parseEnvironment(JSON.stringify({ ...LEAST, ...changes }), FILE));
  expect(message.startsWith(`${FILE}: `)).toBe(true);
  return message.slice(FILE.length + 2);
};
const platform = (changes: object) => ({ platform: { kind: "local", ...changes } });

test("eight fields are enough", () => {
  expect(environmentOf()).toEqual({
    formatVersion: 1,
    application: "socialgoal",
    name: "local",
    record: "release.json",
    platform: { kind: "local", folder: ".bluegreen/local", portBase: 18_080 },
    backend: { kind: "local" },
    topology: "sideBySide",
    servers: { count: 2 },
    proxies: {
      driver: "haproxy",
      count: 1,
      http: {
        answerSeconds: 120,
        clientSeconds: 75,
        headersSeconds: 30,
        idleSeconds: 75,
        tunnelSeconds: 3_600,
        headerKilobytes: 32,
        bodyMegabytes: 1_024,
        instances: "http1",
        trusted: [],
        hosts: [],
      },
    },
    start: ["node", "server.js"],
    verification: {
      path: "/health",
      status: 200,
      releaseHeader: "x-release-id",
      successes: 3,
      intervalSeconds: 1,
      timeoutSeconds: 5,
      deadlineSeconds: 60,
      headerPatterns: {},
      smoke: [],
    },
    measurement: { rate: 10 },
    schedule: Strategy.blueGreen(),
    freezeWindows: [],
    keepReleases: 5,
    stopSeconds: 30,
  });
});

test.each(Object.keys(LEAST))("an environment without %s is refused", (field) => {
  expect(refusal({ [field]: undefined })).toMatch(new RegExp(`^${field}(:| must)`));
});

test("a part that is begun gets the rest of its defaults", () => {
  const { verification, proxies, platform } = environmentOf({
    verification: { host: "www.example.org:8443", releaseHeader: null },
    proxies: { count: 2 },
    platform: { kind: "local", portBase: 20_000 },
  });
  expect(verification).toMatchObject({ path: "/health", host: "www.example.org:8443", releaseHeader: null });
  expect(proxies).toEqual({ driver: "haproxy", count: 2, http: DEFAULT_HTTP_SETTINGS });
  expect(platform).toEqual({ kind: "local", folder: ".bluegreen/local", portBase: 20_000 });
});

test.each<[object, string]>([
  [{ formatVersion: 2 }, "formatVersion must be 1"],
  [{ measurement: { rate: -1 } }, "measurement.rate must be at least 0"],
  [{ measurement: { rate: 1_001 } }, "measurement.rate must be at most 1000"],
  [{ measurement: { paths: [] } }, "measurement.paths must have at least 1 entries"],
  [{ measurement: { paths: ["/a b"] } }, 'measurement.paths.0: "/a b" is not a valid HTTP path'],
  ...["ftp://x", "x", "http://", "https://x/app", "http://x?a=b", "http://me:secret@x", "http://x\r\n"].map(
    (origin): [object, string] => [
      { measurement: { origin } },
      "measurement.origin: must be scheme, host and port only, as in https://www.example.com",
    ],
  ),
  [{ comment: "" }, 'unknown field "comment"'],
  [{ servers: { count: 2, size: "B2s" } }, 'servers: unknown field "size"'],
  [{ platform: { kind: "gcp" } }, 'platform.kind: must be "local" or "azure"'],
  [{ backend: { kind: "s3" } }, 'backend.kind: must be "local", "azurerm" or "cloud"'],
  [
    { backend: { kind: "cloud", organization: "example" } },
    'the servers are on this machine, so the state is too: leave out "backend"',
  ],
  [platform({ portBase: 1023 }), "platform.portBase must be at least 1024"],
  [platform({ portBase: 65_001 }), "platform.portBase must be at most 65000"],
  [{ topology: "both" }, 'topology must be "split" or "sideBySide"'],
  [{ servers: { count: 0 } }, "servers.count must be at least 1"],
  [{ servers: { count: 21 } }, "servers.count is 21, but the local platform has ports for 20"],
  [{ servers: { count: 201 } }, "servers.count must be at most 200"],
  [{ servers: { count: 1.5 } }, "servers.count must be a whole number"],
  [
    { topology: "split", servers: { count: 1 } },
    'topology "split" needs 2 servers or more, servers.count is 1; one is enough for "sideBySide"',
  ],
  [{ proxies: { count: 0 } }, "proxies.count must be at least 1"],
  [{ proxies: { count: 9 } }, "proxies.count must be at most 8"],
  [{ proxies: { driver: "apache" } }, 'proxies.driver must be "haproxy" or "nginx" or "embedded"'],
  [
    { proxies: { driver: "nginx" }, preview: { sha256: "0".repeat(64) } },
    "preview.md5 is missing: NGINX can't compute any other digest (a secret of 128 random bits is as safe with it)",
  ],
  ...["nginx", "embedded"].map((driver): [object, string] => [
    { proxies: { driver, http: { instances: "http2" } } },
    `proxies.http.instances is "http2", but proxies.driver "${driver}" speaks only HTTP/1.1 to instances: use driver "haproxy"`,
  ]),
  [{ proxies: { http: { instances: "h2c" } } }, 'proxies.http.instances must be "http1" or "http2"'],
  [
    { proxies: { http: { strictTransportSecurity: { maxAgeSeconds: 300 } } } },
    "proxies.http.strictTransportSecurity is sent to users with TLS only, and the proxies have none: name the balancer at " +
      "which TLS ends in proxies.http.trusted, or leave it out",
  ],
  [
    {
      proxies: {
        http: {
          trusted: ["10.0.0.1"],
          strictTransportSecurity: { maxAgeSeconds: 31_535_999, includeSubDomains: true, preload: true },
        },
      },
    },
    "proxies.http.strictTransportSecurity.preload needs includeSubDomains and a maxAgeSeconds of at least 31536000, here it " +
      "is 31535999",
  ],
  [
    { proxies: { http: { strictTransportSecurity: { maxAgeSeconds: -1 } } } },
    "proxies.http.strictTransportSecurity.maxAgeSeconds must be at least 0",
  ],
  [{ keepReleases: 1 }, "keepReleases must be at least 2"],
  [{ keepReleases: 51 }, "keepReleases must be at most 50"],
  [{ stopSeconds: 0 }, "stopSeconds must be at least 1"],
  [{ stopSeconds: 601 }, "stopSeconds must be at most 600"],
  [{ stopSeconds: 1.5 }, "stopSeconds must be a whole number"],
  [{ verification: { status: 199 } }, "verification.status must be at least 200"],
  [{ verification: { status: 600 } }, "verification.status must be at most 599"],
  [{ verification: { successes: 0 } }, "verification.successes must be at least 1"],
  [{ verification: { successes: 101 } }, "verification.successes must be at most 100"],
  [{ verification: { intervalSeconds: 0.001 } }, "verification.intervalSeconds must be at least 0.01"],
  [{ verification: { intervalSeconds: 1 / 3 } }, "verification.intervalSeconds: at most three decimals"],
  [{ verification: { timeoutSeconds: 61 } }, "verification.timeoutSeconds must be at most 60"],
  [{ verification: { deadlineSeconds: 0 } }, "verification.deadlineSeconds must be at least 1"],
  [{ verification: { deadlineSeconds: 1.5 } }, "verification.deadlineSeconds must be a whole number"],
  [{ verification: { bodyPattern: "(" } }, 'verification.bodyPattern: "(" is not a valid regular expression'],
  [{ verification: { headerPatterns: { "x y": "1" } } }, "verification.headerPatterns.x y: Invalid input"],
  [
    { verification: { smoke: [{ path: "login" }] } },
    'verification.smoke.0.path: "login" is not a valid HTTP path',
  ],
  [
    { verification: { smoke: [{ path: "/", headers: { cookie: "a\r\nb" } }] } },
    "verification.smoke.0.headers.cookie: printable ASCII only",
  ],
  [
    { verification: { smoke: [{ path: "/", method: "TRACE" }] } },
    'verification.smoke.0.method must be "GET" or "HEAD" or "POST" or "PUT" or "PATCH" or "DELETE" or "OPTIONS"',
  ],
  [{ activation: { activate: { path: "/on" } } }, "activation.deactivate must be of type object"],
  [{ preview: { sha256: "secret" } }, "preview.sha256: must be 64 lower-case hexadecimal digits"],
  [
    { schedule: { strategy: "canary", steps: [50, 100, 100] } },
    'schedule.steps: "steps" must increase, as in [5, 25, 50, 100]',
  ],
  [
    { schedule: { strategy: "blueGreen", afterPromotion: "converge" } },
    'afterPromotion "converge" needs topology "split", this one is "sideBySide"',
  ],
  [{ start: "node server.js" }, "start must be of type array"],
  [{ start: [] }, "start must have at least 1 entries"],
  [{ start: Array(51).fill("x") }, "start must have at most 50 entries"],
  [{ start: ["node", ""] }, "start.1 must have at least 1 characters"],
  [{ start: ["node", "x".repeat(501)] }, "start.1 must have at most 500 characters"],
])("%j is refused", (changes, message) => {
  expect(refusal(changes)).toBe(message);
});

test("both topologies may converge or not where they can", () => {
  const schedule = { strategy: "blueGreen", afterPromotion: "converge" };
  expect(environmentOf({ topology: "split", schedule }).schedule.afterPromotion).toBe("converge");
});

test("what is no JSON is refused in one line", () => {
  expect(complaint(() => parseEnvironment('{\n  "name": local\n}', FILE))).toMatch(
    /^environments\/local\.json is not JSON: Unexpected token/,
  );
});

test("all mistakes are named at once, each unknown field with the one that it is near", () => {
  const { topology, ...rest } = LEAST;
  const changed = { ...rest, topolgy: topology, servers: { cuont: 2 }, hoks: [], colour: "red" };
  expect(complaint(() => parseEnvironment(JSON.stringify(changed), FILE)).split("; ")).toEqual([
    'environments/local.json: topology must be "split" or "sideBySide"',
    "servers.count must be of type number",
    'servers: unknown field "cuont" (did you mean "count"?)',
    'unknown field "topolgy" (did you mean "topology"?), "hoks" (did you mean "hooks"?), "colour"',
  ]);
});

test("a byte order mark, which editors on Windows write, is no part of the JSON", () => {
  expect(parseEnvironment(`\uFEFF${JSON.stringify(LEAST)}`, FILE)).toMatchObject({
    application: "socialgoal",
  });
});

test("a merge that is not resolved is named as that", () => {
  const text = '{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> other\n}';
  expect(complaint(() => parseEnvironment(text, FILE))).toBe(
    "environments/local.json has the conflict markers of a merge: resolve it, then try again",
  );
});

test.each(["a\nb", "a\u0000", "a\u001b[2J", "a\u007f", "a\r"])("an argument %j is refused", (argument) => {
  expect(refusal({ start: ["node", argument] })).toBe("start.1: no control characters");
});

test.each(["-rf", "A=b", "=", "--"])("nothing is started by %j", (program) => {
  expect(refusal({ start: [program, "server.js"] })).toBe(
    'start: must start with a program, without "=" or a leading "-" in its name',
  );
});

test("an argument reaches the program as it is: nothing in it is a shell's to read", () => {
  const start = ["./bin/run me", "$(touch hacked)", "`id`", "a;b", '"', "'", "-x=${y}", "ä"];
  expect(environmentOf({ start }).start).toEqual(start);
});

test.each([
  "health",
  "",
  "//x y",
  "/a#b",
  "/a\n",
  '/"',
  "/'",
  "/`id`",
  "/$(id)",
  "/a|b",
  "/ä",
  `/${"a".repeat(501)}`,
])("the path %j is refused", (path) => {
  expect(refusal({ verification: { path } })).toMatch(/^verification\.path: ".* is not a valid HTTP path$/);
});

test.each([
  "",
  "a b",
  "-a",
  "a-",
  "a/b",
  "a:b",
  "a:123456",
  "a\nb",
  "a\r\nX-Evil: 1",
  "[::1]",
  "a_b",
  "a".repeat(254),
])("the host %j is refused", (host) => {
  expect(refusal({ verification: { host } })).toMatch(/^verification\.host: ".* is not a valid host name$/);
});

test.each(["", "x release", "x:y", "1x", "x\nX-Evil", "x_y", "a".repeat(65)])(
  "the header %j is refused",
  (releaseHeader) => {
    expect(refusal({ verification: { releaseHeader } })).toMatch(
      /^verification\.releaseHeader: ".* is not a valid header name$/,
    );
  },
);

const OUTSIDE = [
  "",
  "/etc",
  "..",
  "../x",
  "a/..",
  "a/../b",
  "a b",
  "a\nb",
  "a\\b",
  "~",
  "${x}",
  "$(id)",
  "a;b",
  "'a'",
  "ä",
  "a".repeat(201),
];

test.each(OUTSIDE)("the folder %j is refused", (folder) => {
  expect(refusal(platform({ folder }))).toMatch(
    /^platform\.folder: ".* is not a valid folder below the project$/,
  );
});

test.each(OUTSIDE)("the record's path %j is refused", (record) => {
  expect(refusal({ record })).toMatch(/^record: ".* is not a valid path below the project$/);
});

test.each(["environments/release.json", "a..b/c", ".x", "a/.../b"])(
  "%s is a path below the project",
  (record) => {
    expect(environmentOf({ record }).record).toBe(record);
  },
);

test.each(["", "Local", "1a", "-a", "a b", "a/b", "a.b", "a_b", "a\n", "$(id)", "a".repeat(25)])(
  "the name %j is refused, of an environment and of an application",
  (name) => {
    expect(refusal({ name })).toMatch(/^name: ".* is not a valid environment name: /);
    expect(refusal({ application: name })).toMatch(/^application: ".* is not a valid application name: /);
  },
);
