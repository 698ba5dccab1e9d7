/** The edge of the Windows scripts: their patterns are taken out of them and run here, in the subset that .NET shares. */
import * as fs from "node:fs";
import * as path from "node:path";
import {
  assignedLiteral,
  commands,
  literal,
  loadGrammar,
  parse,
  SOURCES,
  type Command,
  type Script,
} from "./script";
import { IIS_SETTINGS, PARAMETERS } from "./windows";

const TWIN = fs.readFileSync(
  path.resolve(__dirname, "../../../lib/on-server/install/install-release.sh"),
  "utf8",
);
const READERS = ["Read-Parameter", "Read-Decoded", "Read-Milliseconds"];

let script: Script;

beforeAll(async () => {
  await loadGrammar();
  script = parse(SOURCES["install-release.ps1"]);
});

function read({ functions, outside }: Script): Command[] {
  return [outside, ...functions]
    .filter(({ name }) => !READERS.includes(name))
    .flatMap(({ nodes }) => commands(nodes).filter(({ name }) => READERS.includes(name)));
}

interface Rule {
  readonly defaultValue: string;
  readonly maxLength: number;
  readonly pattern: string;
}

/** What Read-Parameter is called with for this key. Read-Decoded and Read-Milliseconds call it themselves. */
function ruleOf(key: string): Rule {
  const call = read(script).find(({ values }) => literal(values[0]) === key)!;
  if (call.name === "Read-Parameter") return rule(call.values.slice(1), call);
  const inner = script.functions.find(({ name }) => name === call.name)!;
  const passedOn = commands(inner.nodes).find(({ name }) => name === "Read-Parameter")!;
  const [first, ...rest] = passedOn.values.slice(1);
  return rule([first?.text === "$Default" ? call.values[1]! : first!, ...rest], passedOn);
}

function rule([defaultValue, maxLength, pattern]: Command["values"], { node }: Command): Rule {
  return {
    defaultValue: literal(defaultValue)!,
    maxLength: Number(maxLength!.text),
    pattern: literal(pattern) ?? patternNamed(pattern!.text.slice(1), node.start),
  };
}

/** The literal of `$name`, from the function in which it is used, or of the script. */
function patternNamed(name: string, at: number): string {
  const around = script.functions.filter(({ nodes }) => nodes[0]!.start < at && at < nodes[0]!.end);
  const found = [...around, script.outside].map(({ nodes }) => assignedLiteral(nodes, name));
  return found.find((text) => text !== undefined)!;
}

/** As Confirm-Text does it. */
function accepts({ defaultValue, maxLength, pattern }: Rule, given: string): boolean {
  const value = given === "" ? defaultValue : given;
  return value.length <= maxLength && /^[ -~]*$/.test(value) && new RegExp(pattern).test(value);
}

test.each(["install-release.ps1", "setup-iis.ps1"] as const)("%s reads exactly the promised keys", (name) => {
  const keys = read(parse(SOURCES[name])).map(({ values }) => literal(values[0]));
  expect(keys.toSorted()).toEqual([...PARAMETERS[name]].toSorted());
});

test("the settings of IIS are read by exactly the promised keys", () => {
  const keys = commands(script.nodes)
    .filter(({ name }) => name === "Get-Setting")
    .map(({ values }) => literal(values[1]));
  expect(keys.toSorted()).toEqual([...IIS_SETTINGS].toSorted());
});

test("what both installers read has one rule: default, length and pattern", () => {
  const mine = /^ {2}parameter ([A-Z_0-9]+) (\S+) ([0-9]+) '(.*?)' ["']/gm;
  const theirs = [...TWIN.matchAll(mine)].map(([, key, defaultValue, maxLength, pattern]) => ({
    key: key!,
    rule: {
      defaultValue: defaultValue!.replaceAll('"', ""),
      maxLength: Number(maxLength),
      pattern: pattern!,
    },
  }));
  const shared = theirs.filter(
    ({ key }) => PARAMETERS["install-release.ps1"].includes(key) && !["HOST", "HEALTH_PATH"].includes(key),
  );
  expect(shared.length).toBeGreaterThanOrEqual(18);
  expect(shared.map(({ key }) => ({ key, rule: ruleOf(key) }))).toEqual(shared);
});

const HOSTILE = [
  "1.0/../../etc",
  'a"b',
  "a'b",
  "$(calc)",
  "`calc`",
  "a\nb",
  "a\n",
  "a;id",
  "..\\x",
  "-rf\u0000",
  "a\u001b[2J",
  "\u00e4",
  "a%b",
  "a|b",
  "a&b",
  "*",
  "[a]",
  "x".repeat(50_000),
];

test.each(PARAMETERS["install-release.ps1"].map((key) => [key]))("%s refuses every hostile value", (key) => {
  const allowed = key === "HEALTH_PATH" ? [] : HOSTILE.filter((value) => accepts(ruleOf(key), value));
  expect(allowed).toEqual([]);
});

const SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000";
const IDENTITIES = `${SUBSCRIPTION}/resourceGroups/rg-a_(b).c/providers/Microsoft.ManagedIdentity/userAssignedIdentities`;

const VALUES: Readonly<Record<string, { good: readonly string[]; bad: readonly string[] }>> = {
  SERVER_FOLDER: {
    good: ["C:\\bluegreen", "d:\\apps\\social-goal.v2"],
    bad: [
      "",
      "C:",
      "C:\\",
      "C:bluegreen",
      "C\\bluegreen",
      "C\\bluegreen",
      "\\\\host\\share",
      "C:\\a\\..\\b",
      "C:\\a.",
      "C:\\a b",
      "C:/a",
      "C:\\a\\",
    ],
  },
  APPLICATION: { good: ["socialgoal", "a-1"], bad: ["", "A", "1a", "a_b", "x".repeat(25)] },
  SLOT: { good: ["blue", "green"], bad: ["", "Blue", "bluegreen", "red", "blue2", "xblue"] },
  SEQUENCE: { good: ["1", "123456789012345"], bad: ["", "0", "01", "-1", "1.5", "1234567890123456"] },
  RELEASE_ID: {
    good: ["", "1.4.0-17", "1.0.0-rc.1-3"],
    bad: ["1.4.0", "-1", "1.4.0-", "1.4.0-x", "1.4.0-1 "],
  },
  HOST: {
    good: ["0.0.0.0", "10.0.1.4"],
    bad: ["", "localhost", "10.0.1", "10.0.1.256", "10.0.1.4.5", "::", "*"],
  },
  PORT: { good: ["80", "8081"], bad: ["", "0", "080", "123456", "80a"] },
  ALLOWED_SOURCES: {
    good: ["10.0.1.0/24", "10.0.1.4", "10.0.1.0/24,10.0.2.0/24"],
    bad: [
      "",
      "*",
      "Any",
      "LocalSubnet",
      "0.0.0.0/0",
      "10.0.1.0/33",
      "10.0.1.0/24,",
      ",10.0.1.4",
      "10.0.1.0/24 10.0.2.0/24",
    ],
  },
  ARTIFACT_HOST: { good: ["", "st1.blob.core.windows.net", "h:8443"], bad: ["https://h", "h/", "u@h", "h:"] },
  KEY_VAULT_HOST: {
    good: ["", "kv-x.vault.azure.net"],
    bad: [
      "kv-x",
      "evil.com",
      "kv-x.vault.azure.net.evil.com",
      "kv-x.vault.azure.net:443",
      "a.b.vault.azure.net",
    ],
  },
  IDENTITY: {
    good: ["", `${IDENTITIES}/id-web`],
    bad: [SUBSCRIPTION, `${IDENTITIES}/id/web`, `${IDENTITIES}/id&resource=x`, `${IDENTITIES}/id?x`],
  },
  HEALTH_PATH: {
    good: ["", "/", "/_release.txt", "/health?x=[1]&y=%20"],
    bad: ["health", "/a b", '/a"b', "/a\\b"],
  },
  MODE: { good: ["", "slot", "inPlace"], bad: ["inplace", "all"] },
};

/** The values on which the script and the tables differ. */
function misjudged(key: string): string[] {
  const { good, bad } = VALUES[key] ?? { good: [], bad: [] };
  return [
    ...good.filter((value) => !accepts(ruleOf(key), value)),
    ...bad.filter((value) => accepts(ruleOf(key), value)),
  ];
}

test.each(Object.keys(VALUES))("%s accepts what it should, and nothing else", (key) => {
  expect(misjudged(key)).toEqual([]);
});

test.each([
  ["SLOT", "'^(blue|green)$'", "'^(blue|green)'"],
  ["SLOT", "'^(blue|green)$'", "'(blue|green)$'"],
  ["HOST", "(25[0-5]|", "([0-9]+|"],
  ["SEQUENCE", "'SEQUENCE' '' 15", "'SEQUENCE' '' 150"],
  ["SERVER_FOLDER", "'^[A-Za-z]:(", "'^[A-Za-z]:?("],
  ["KEY_VAULT_HOST", "azure\\.net)?$", "azure.net)?"],
  ["ALLOWED_SOURCES", "([1-9]|[12][0-9]|3[0-2])", "[0-9]+"],
  ["MODE", "'slot' 7", "'all' 7"],
])("a looser rule for %s is found: %s -> %s", (key, from, to) => {
  const source = SOURCES["install-release.ps1"];
  expect(source).toContain(from);
  const strict = script;
  script = parse(source.replaceAll(from, () => to));
  const found = misjudged(key);
  script = strict;
  expect(found).not.toEqual([]);
});

test("only https addresses are fetched from", () => {
  const address = new RegExp(
    patternNamed("address", SOURCES["install-release.ps1"].indexOf("$address = '^")),
  );
  const good = ["https://h/a.zip", "https://h:8443/a.zip?sig=a%2Fb", "https://h"];
  const bad = [
    "http://h/a.zip",
    "file:///c:/a.zip",
    "https://u:p@h/a",
    "https://h/a b",
    "https://h\\a",
    "https:///a",
    'https://h/"',
    "ftp://h/a",
  ];
  expect(good.filter((value) => !address.test(value))).toEqual([]);
  expect(bad.filter((value) => address.test(value))).toEqual([]);
});

const SETTING_VALUES: Readonly<Record<string, { good: readonly string[]; bad: readonly string[] }>> = {
  Relative: {
    good: ["Web.config", "bin/SocialGoal.dll", "Content/ProfilePics", "Views/Account/Login.cshtml"],
    bad: ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", ".a", "a\\b", "C:/a", "a.", "a b"],
  },
  SecretName: { good: ["sql-runtime", "machineKey1"], bad: ["", "a/b", "a?b", "a_b", "a".repeat(128)] },
  RequestPath: { good: ["/", "/Account/Login"], bad: ["", "Account", "/a b"] },
  type: {
    good: [
      "SocialGoal.Data.Models.SocialGoalEntities, SocialGoal.Data",
      "A.B, A, Version=1.0.0.0, Culture=neutral",
    ],
    bad: ["", "1A", 'A" x="', "A, ", "A]"],
  },
};

test.each(Object.entries(SETTING_VALUES))("the pattern %s of a setting", (name, { good, bad }) => {
  const settings = script.functions.find((one) => one.name === "Read-IisSettings")!.nodes[0]!;
  const pattern = new RegExp(patternNamed(name, settings.start + 1));
  expect(good.filter((value) => !pattern.test(value))).toEqual([]);
  expect(bad.filter((value) => pattern.test(value))).toEqual([]);
});

/** `\z`, `\Z`, options, atomic groups and named groups mean nothing, or something else, to JavaScript. */
test("every pattern of a parameter is in the subset that .NET and JavaScript read alike", () => {
  const patterns = PARAMETERS["install-release.ps1"].map((key) => ruleOf(key).pattern);
  for (const pattern of patterns) {
    expect(pattern).toMatch(/^\^.*\$$/);
    expect(pattern).not.toMatch(/\\[zZAGdwsbp]|\(\?[^=:]|\[[^\]]*-\[/);
  }
});
