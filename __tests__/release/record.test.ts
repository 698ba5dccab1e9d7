/** People edit the record: each error is one line with the file and the field. */
import {
  emptyRecord,
  expectedRelease,
  formatRecord,
  healedServers,
  installedRelease,
  parseRecord,
  recordDigest,
  scheduleOf,
  target,
  touchedSlots,
} from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { Strategy } from "../../release/schedule";
import { complaint, recordOf, releaseOf, SHA256 } from "./examples";

const FILE = "environments/production/release.json";
const ADDRESS = "https://example.org/app.zip";

const edited = (changes: object): string => JSON.stringify({ ...recordOf(), ...changes });
const refusal = (text: string): string => {
  const message = complaint(() => parseRecord(text, FILE));
  expect(message.startsWith(FILE)).toBe(true);
  return message.slice(FILE.length);
};
const inBlue = (changes: object): string =>
  edited({ slots: { blue: { ...releaseOf("1.0.0", 1), ...changes }, green: releaseOf("2.0.0", 2) } });
const withArtifact = (changes: object): string =>
  inBlue({ artifact: { url: ADDRESS, sha256: SHA256, ...changes } });

test("a record that was written is read back as it was", () => {
  for (const record of [
    emptyRecord("socialgoal"),
    recordOf(),
    recordOf({ goal: 30, converge: true, retry: true, schedule: { strategy: "canary", steps: [10, 100] } }),
  ]) {
    expect(parseRecord(formatRecord(record), FILE)).toEqual(record);
  }
});

test("a record is written for people and for git: indented, and the last line ends", () => {
  expect(formatRecord(emptyRecord("socialgoal"))).toBe(
    `{
  "formatVersion": 1,
  "application": "socialgoal",
  "sequence": 0,
  "active": "blue",
  "goal": "live",
  "slots": {
    "blue": null,
    "green": null
  },
  "previous": null
}
`,
  );
});

test.each<[string, object, string]>([
  ["a slot that does not exist", { active: "red" }, ': active must be "blue" or "green"'],
  [
    "an entry for a slot that does not exist",
    { slots: { ...recordOf().slots, red: null } },
    ': slots: unknown field "red"',
  ],
  [
    "a run above the sequence",
    { sequence: 1 },
    ': slots.green.run is 2 but "sequence" is 1: a new release takes the next sequence as its run',
  ],
  [
    "a previous release from the future",
    { previous: releaseOf("1.0.0", 3) },
    ': previous.run is 3 but "sequence" is 2',
  ],
  [
    "two slots with one run",
    { slots: { blue: releaseOf("1.0.0", 2), green: releaseOf("2.0.0", 2) } },
    ": slots.blue.run and slots.green.run are both 2: each run installs into one slot",
  ],
  [
    "an active slot without a release",
    { slots: { blue: releaseOf("1.0.0", 1), green: null } },
    ': "active" is "green", but slots.green is null: it has no release to serve',
  ],
  [
    "a goal without a candidate",
    { goal: "staged", slots: { blue: null, green: null } },
    ': "goal" is "staged", but slots.green is null: there is no candidate',
  ],
  ["a heal from the future", { heals: { "web-1": 3 } }, ': heals.web-1 is 3 but "sequence" is 2'],
  [
    "a heal of nothing",
    { sequence: 3, heals: { "web-1": 3 }, slots: { blue: null, green: null } },
    ": heals.web-1 is the sequence, 3, but slots.green is null: there is no release to heal it with",
  ],
  [
    "a heal of what is not live",
    { sequence: 3, heals: { "web-1": 3 }, goal: 30 },
    ': heals.web-1 is the sequence, 3, and "goal" is 30: only a live release can be healed',
  ],
  [
    "a heal together with a release",
    { heals: { "web-1": 2 } },
    ": heals.web-1 is the sequence, 2, and so is slots.green.run: a heal and a release need separate sequences",
  ],
  ["a heal at no sequence", { heals: { "web-1": 0 } }, ": heals.web-1 must be at least 1"],
  ["a goal of no requests", { goal: 0 }, ": goal must be at least 1"],
  ["a goal of all requests", { goal: 100 }, ": goal must be at most 99"],
  ...["half", 1.5, null, undefined].map(
    (goal) =>
      [`the goal ${goal}`, { goal }, ': goal: must be "staged", a whole number from 1 to 99, or "live"'] as [
        string,
        object,
        string,
      ],
  ),
  ["an unknown field", { comment: "x" }, ': unknown field "comment"'],
  ["a missing field", { slots: undefined }, ": slots must be of type object"],
  ["a missing previous", { previous: undefined }, ": previous must be of type object"],
  ["a sequence below 0", { sequence: -1 }, ": sequence must be at least 0"],
  ["a sequence as text", { sequence: "2" }, ": sequence must be of type number"],
  ["half a sequence", { sequence: 2.5 }, ": sequence must be a whole number"],
  ["a sequence beyond counting", { sequence: 1e300 }, ": sequence must be at most 9007199254740991"],
  ["another format", { formatVersion: 2 }, ": formatVersion must be 1"],
  [
    "an application in upper case",
    { application: "SocialGoal" },
    ': application: "SocialGoal" is not a valid application name: a-z, 0-9 and -, at most 24 characters',
  ],
  ["converge as text", { converge: "yes" }, ": converge must be of type boolean"],
  [
    "a schedule that shrinks",
    { schedule: { strategy: "canary", steps: [50, 10, 100] } },
    ': schedule.steps: "steps" must increase, as in [5, 25, 50, 100]',
  ],
  [
    "a schedule without a strategy",
    { schedule: { steps: [100] } },
    ': schedule.strategy must be "blueGreen" or "canary" or "recreate"',
  ],
])("%s is refused", (_, changes, message) => {
  expect(refusal(edited(changes))).toBe(message);
});

test("what is no JSON is refused in one line, although the parser quotes several", () => {
  expect(refusal('{\n  "sequence": x\n}')).toMatch(/^ is not JSON: Unexpected token/);
  expect(refusal("")).toBe(" is not JSON: Unexpected end of JSON input");
  expect(refusal("\u001b[2J\n<<<<<<< HEAD")).toBe(
    " has the conflict markers of a merge: resolve it, then try again",
  );
});

test.each(["[]", "null", "3", '"text"'])("%s is no record", (text) => {
  expect(refusal(text)).toBe(": the whole must be of type object");
});

test("a field called __proto__ is unknown as any other", () => {
  expect(refusal(edited({}).replace("{", '{"__proto__":{"goal":"live"},'))).toBe(
    ': unknown field "__proto__"',
  );
});

test("of several mistakes all are named", () => {
  expect(refusal(edited({ active: "red", sequence: -1 }))).toBe(
    ': sequence must be at least 0; active must be "blue" or "green"',
  );
});

test.each(["1", "1.4.0", "1.4.0-rc.1", "2024.11.05-ab12cd", "a".repeat(40)])("%s is a version", (version) => {
  expect(parseRecord(inBlue({ version }), FILE).slots.blue?.version).toBe(version);
});

test.each([
  "",
  "1/2",
  "../1",
  "1..2",
  "1 2",
  ' "',
  "'1'",
  "$(touch hacked)",
  "`touch hacked`",
  "${path.module}",
  "%{if true}",
  "1;id",
  "1\n",
  "1\n2",
  "-rf",
  "1-",
  ".1",
  "1.0+build",
  "1_0",
  "ä",
  "1\u0000",
  "1\u007f",
  "1\u009b2J",
  "1\u2028",
  "1\u202e2",
  "a".repeat(41),
  "a".repeat(300),
])("%j is no version", (version) => {
  expect(refusal(inBlue({ version }))).toMatch(
    /^: slots\.blue\.version: ".* is not a valid version: 1 to 40 of /,
  );
});

test("a run counts from 1", () => {
  expect(refusal(inBlue({ run: 0 }))).toBe(": slots.blue.run must be at least 1");
});

test.each([
  "https://example.org/app.zip",
  "https://example.org:8443/app.zip?sv=2024&sig=a%2Fb%3D&se=2026-01-01T00:00:00Z",
  "https://example.org",
  "http://127.0.0.1:9000/app.zip",
  "http://localhost/app.zip",
  "http://[::1]:9000/app.zip",
  "file:///srv/artifacts/app%20one.zip",
])("%s is an artifact address", (url) => {
  expect(parseRecord(withArtifact({ url }), FILE).slots.blue?.artifact.url).toBe(url);
});

test.each([
  "",
  "app.zip",
  "/srv/app.zip",
  "ftp://example.org/app.zip",
  "javascript:alert(1)",
  "HTTPS://example.org/app.zip",
  "https:example.org/app.zip",
  "https:/example.org/app.zip",
  "https:\\\\example.org\\app.zip",
  "https://example.org\\app.zip",
  "https://user:password@example.org/app.zip",
  "https://user@example.org/app.zip",
  "https://@example.org/app.zip",
  "https://example.org/app one.zip",
  " https://example.org/app.zip",
  "https://example.org/app.zip\n",
  "https://example.org/\napp.zip",
  "https://example.org/\tapp.zip",
  'https://example.org/"app".zip',
  "https://example.org/'app'.zip",
  "https://example.org/`id`",
  "https://example.org/ä.zip",
  "https://example.org:99999/app.zip",
  "http://example.org/app.zip",
  "http://10.0.0.1/app.zip",
  "http://127.0.0.1.example.org/app.zip",
  "http://127.0.0.1@example.org/app.zip",
  "http://localhost.example.org/app.zip",
  "file://host/srv/app.zip",
  "file:/srv/app.zip",
  "file:///srv%2fapp.zip",
  "file:///srv/app%00.zip",
  "file:///srv/app%zz.zip",
  `https://example.org/${"a".repeat(2000)}`,
])("%j is no artifact address", (url) => {
  expect(refusal(withArtifact({ url }))).toMatch(
    /^: slots\.blue\.artifact\.url: ".* is not an artifact address: https:\/\/\.\.\., file:\/\/\/\.\.\., or http:\/\/ on the loopback address$/,
  );
});

test.each(["", SHA256.toUpperCase(), SHA256.slice(1), `${SHA256}a`, `${SHA256.slice(1)}g`, `${SHA256}\n`])(
  "the sha256 %j is refused",
  (sha256) => {
    expect(refusal(withArtifact({ sha256 }))).toBe(
      ": slots.blue.artifact.sha256: sha256 is 64 lower-case hexadecimal digits",
    );
  },
);

test("the same record in another order has the same digest", () => {
  const { previous, slots, ...rest } = recordOf();
  const green = Object.fromEntries(Object.entries(slots.green!).reverse());
  const reordered = { previous, slots: { green, blue: slots.blue }, ...rest } as unknown as ReleaseRecord;
  expect(recordDigest(reordered)).toBe(recordDigest(recordOf()));
});

test("a record keeps its digest while only its pace changes", () => {
  expect(recordDigest(recordOf({ schedule: Strategy.canary() }))).toBe(recordDigest(recordOf()));
  expect(recordDigest(recordOf({ converge: false, retry: false }))).toBe(recordDigest(recordOf()));
});

test("whatever decides what runs changes the digest", () => {
  const { blue, green } = recordOf().slots;
  const artifact = green!.artifact;
  const changes: Partial<ReleaseRecord>[] = [
    {},
    { application: "other" },
    { sequence: 3 },
    { active: "blue" },
    { goal: "staged" },
    { goal: 1 },
    { goal: 11 },
    { converge: true },
    { retry: true },
    { heals: { "web-1": 1 } },
    { heals: { "web-2": 1 } },
    { heals: { "web-1": 2 } },
    { heals: { "web-1": 1, "web-2": 1 } },
    { previous: null },
    { previous: releaseOf("1.0.1", 1) },
    { slots: { blue: null, green } },
    { slots: { blue: green, green: blue } },
    { slots: { blue, green: releaseOf("2.0.1", 2) } },
    { slots: { blue, green: { ...green!, run: 1 } } },
    { slots: { blue, green: { ...green!, artifact: { ...artifact, sha256: SHA256 } } } },
    { slots: { blue, green: { ...green!, artifact: { ...artifact, url: ADDRESS } } } },
  ];
  const digests = changes.map((change) => recordDigest(recordOf(change)));
  expect(new Set(digests).size).toBe(changes.length);
  for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
});

test("a record without heals has the digest that it had before there were any", () => {
  const digest = "3f3eb91e69c78acea813d1a879fe68cf06fe270e2188ceb505a63ca0fcae327b";
  expect(recordDigest(recordOf())).toBe(digest);
  expect(recordDigest(recordOf({ heals: {} }))).toBe(digest);
});

test("a heal installs what a slot serves, on its servers alone, and touches no slot", () => {
  const record = recordOf({ sequence: 3, heals: { "web-1": 3, "web-2": 2 } });
  const { blue, green } = record.slots;
  expect(healedServers(record)).toEqual(["web-1"]);
  expect(healedServers({ ...record, sequence: 4 })).toEqual([]);
  expect(touchedSlots({ ...record, active: "blue", slots: { blue, green: null } })).toEqual([]);
  expect(installedRelease(record, "blue", "web-1")).toEqual(blue);
  const converged = { ...record, converge: true };
  expect(installedRelease(converged, "blue", "web-1")).toEqual(green);
  expect(installedRelease(converged, "blue", "web-3")).toEqual(blue);
});

test("the target is what the active slot holds", () => {
  expect(target(recordOf())).toEqual(releaseOf("2.0.0", 2));
  expect(target(emptyRecord("socialgoal"))).toBeNull();
});

test("a sequence touches the slots that it installs into or empties", () => {
  expect(touchedSlots(recordOf())).toEqual(["green"]);
  expect(touchedSlots(recordOf({ sequence: 3 }))).toEqual([]);
  expect(touchedSlots(recordOf({ active: "blue", slots: { ...recordOf().slots, green: null } }))).toEqual([
    "green",
  ]);
  expect(touchedSlots(emptyRecord("socialgoal"))).toEqual(["blue", "green"]);
});

test("a record's schedule overrides the environment's", () => {
  const environment = { schedule: Strategy.blueGreen() };
  expect(scheduleOf(recordOf(), environment)).toBe(environment.schedule);
  expect(scheduleOf(recordOf({ schedule: { strategy: "canary" } }), environment)).toEqual(Strategy.canary());
});

test("after a convergence both slots are expected to serve the active release, but not before it is live", () => {
  const { blue, green } = recordOf().slots;
  expect(expectedRelease(recordOf(), "blue")).toEqual(blue);
  expect(expectedRelease(recordOf({ converge: true }), "blue")).toEqual(green);
  expect(expectedRelease(recordOf({ converge: true, goal: "staged" }), "blue")).toEqual(blue);
});

test("an unusual field name is quoted: it is user input, too", () => {
  const refused = (changes: object): string =>
    complaint(() => parseRecord(JSON.stringify({ ...recordOf(), ...changes }), "release.json"));
  expect(refused({ "a\nok\u202e": 1 })).toBe('release.json: unknown field "a\\nok?"');
  expect(refused({ a: 1, b: 1, c: 1, d: 1, e: 1 })).toBe(
    'release.json: unknown field "a", "b", "c" and 2 more',
  );
  expect(refused({ heals: { "web\n1": 1 } })).toMatch(/^release\.json: heals\."web\\n1"/);
});
