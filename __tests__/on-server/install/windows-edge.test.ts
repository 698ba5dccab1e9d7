/** What only the Windows installer reads: its own parameters and settings, and names that Windows does not allow. */
import {
  describeOnWindows,
  eachTestHasAWindowsServer,
  expectInstalled,
  expectRefused,
  type Overrides,
} from "./windows-server";
import { zip } from "./server";

const VALUES: readonly (readonly [name: string, ...values: readonly string[]])[] = [
  [
    "SERVER_FOLDER",
    "",
    "C:",
    "C:\\",
    "C:blue",
    "\\\\host\\share",
    "C:\\a\\..\\b",
    "C:\\a.",
    "C:\\a b",
    "C:/a",
    "C:\\a\\",
  ],
  ["HOST", "", "localhost", "10.0.1", "10.0.1.256", "10.0.1.4.5", "::", "*"],
  ["ALLOWED_SOURCES", "", "*", "Any", "LocalSubnet", "0.0.0.0/0", "10.0.1.0/33", "10.0.1.0/24,", ",10.0.1.4"],
  [
    "KEY_VAULT_HOST",
    "kv-x",
    "evil.com",
    "kv.vault.azure.net.evil.com",
    "kv.vault.azure.net:443",
    "a.b.vault.azure.net",
  ],
  ["IIS_SETTINGS_BASE64", "", "a b", "bm8gSlNPTg==", "W10="],
];

const PATHS = ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a\\b", "C:/a", "a.", "a b", "a\nb"];
const SECRETS = ["", "a/b", "a?b", "a_b", "a".repeat(128)];
const SETTINGS: readonly (readonly [what: string, ...settings: readonly object[]])[] = [
  ["requiredFiles", ...PATHS.map((one) => ({ requiredFiles: [one] })), { requiredFiles: "a" }],
  ["sharedFolders", ...PATHS.map((one) => ({ sharedFolders: [one] })), { sharedFolders: {} }],
  [
    "machineKeySecret",
    ...SECRETS.map((machineKeySecret) => ({ machineKeySecret })),
    { machineKeySecret: "a" },
  ],
  [
    "connectionString",
    ...SECRETS.map((secret) => ({ connectionString: { name: "a", secret } })),
    { connectionString: { name: "a b", secret: "a" } },
    { connectionString: { secret: "a" } },
  ],
  [
    "disableInitializer",
    ...["1A", 'A" x="', "A, ", "A]"].map((disableInitializer) => ({ disableInitializer })),
  ],
  [
    "appSettings",
    { appSettings: { "a b": "1" } },
    { appSettings: { a: "\u0000" } },
    { appSettings: { a: 1 } },
  ],
  [
    "warm",
    { warmUp: [{ path: "a", status: 200 }] },
    { warmUp: [{ path: "/a b", status: 200 }] },
    { warmUp: [{ path: "/" }] },
  ],
];

const NAMES: readonly (readonly [name: string, because: string])[] = [
  ["C:/evil", "Windows does not allow"],
  ["a/file.txt:stream", "Windows does not allow"],
  ["a?b", "Windows does not allow"],
  ["./a", "empty part"],
  ["a /b", "dot or a blank"],
  ["Web.config.", "dot or a blank"],
  ["CON", "device"],
  ["a/nul.txt", "device"],
  ["Lpt1", "device"],
  ["com9.tar.gz/x", "device"],
  ["aux .txt", "device"],
  ["PAGE.TXT", "two entries of one name"],
  [`${"x".repeat(230)}`, "too long for Windows"],
];

describeOnWindows("the Windows installer", () => {
  const server = eachTestHasAWindowsServer();
  const refused = async (overrides: Overrides, text: string): Promise<void> => {
    const parameters = server().parameters(
      "blue",
      1,
      { url: "https://localhost:1/a.zip", sha256: "0".repeat(64) },
      overrides,
    );
    const run = await server().install(parameters);
    expect({ overrides, code: run.code }).toEqual({ overrides, code: 2 });
    expectRefused(run, 2, text);
    expect(server().list("releases")).toEqual([]);
  };

  test("refuses every bad value of a parameter of its own", async () => {
    for (const [name, ...values] of VALUES)
      for (const value of values) await refused({ [name]: value }, name);
  });

  test("refuses every bad setting of IIS", async () => {
    for (const [what, ...settings] of SETTINGS)
      for (const one of settings)
        await refused(
          { IIS_SETTINGS_BASE64: server().settings(one) },
          what === "machineKeySecret" ? "" : what,
        );
  });

  test("refuses names that Windows does not allow, and accepts those that only look so", async () => {
    const names = NAMES.map(([name]) => name);
    for (const [name, because] of NAMES) {
      const release = server().publishArchive(
        zip([{ name: "Web.config", data: "<configuration />" }, { name: "page.txt" }, { name }]),
      );
      const run = await server().install(
        server().parameters("blue", 1, release, { RELEASE_ID: `1.0.0-${1 + names.indexOf(name)}` }),
      );
      expect([name, run.last]).toEqual([name, expect.stringContaining(because)]);
      expectRefused(run, 4, "install: the archive is refused: ");
      expect(server().list("releases")).toEqual([]);
    }
    const odd = [
      "console.js",
      "null.txt",
      "com.js",
      "common/com10.js",
      ".well-known/x",
      "..a/b..c",
      "a folder/ünï.txt",
    ];
    const files = Object.fromEntries(odd.map((name) => [name, "text"]));
    expectInstalled(
      await server().install(server().parameters("blue", 2, server().publish(files))),
      "installed",
    );
    for (const name of odd)
      expect(await server().get("blue", `/${encodeURI(name)}`)).toEqual({ status: 200, body: "text" });
  });
});
