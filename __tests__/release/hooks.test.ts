/** Hooks in an environment file, when they run, and their parameters. */
import { hookFacts } from "../../configuration/hook-facts";
import { hookParameters, hooksAt, isNeeded } from "../../release/hooks";
import { parseEnvironment } from "../../configuration/environment-file";
import { stepName } from "../../release/steps";
import type { ReleaseRecord } from "../../release/record";
import { complaint, environmentOf, LEAST, recordOf, releaseOf } from "./examples";

const FILE = "environments/local.json";
const SMOKE = { when: "before switch", command: ["node", "smoke.js"] };
const CHAT = { when: "after switch", webhook: "https://chat.example.org/hook" };

function refusal(hooks: unknown, changes: object = {}): string {
  return complaint(() => parseEnvironment(JSON.stringify({ ...LEAST, ...changes, hooks }), FILE));
}

test.each<[unknown, string]>([
  [{}, "hooks must be of type array"],
  [[{ command: ["true"] }], 'hooks.0.when: must be "before" or "after", and begin, migrate, '],
  [[{ when: "before lunch", command: ["true"] }], 'hooks.0.when: must be "before" or "after", and '],
  [[{ when: "before switch" }], 'hooks.0 must have either a "command" or a "webhook"'],
  [[{ ...SMOKE, webhook: CHAT.webhook }], 'hooks.0 must have either a "command" or a "webhook"'],
  [[{ ...SMOKE, shell: true }], 'hooks.0: unknown field "shell"'],
  [[{ ...SMOKE, command: "node smoke.js" }], "hooks.0.command must be of type array"],
  [[{ ...SMOKE, command: [] }], "hooks.0.command must have at least 1 entries"],
  [
    [{ ...SMOKE, command: [""] }],
    'hooks.0.command: must start with a program, whose name has no leading "-"',
  ],
  [
    [{ ...SMOKE, command: ["-rf"] }],
    'hooks.0.command: must start with a program, whose name has no leading "-"',
  ],
  [[{ ...SMOKE, command: ["a", "b\0c"] }], "hooks.0.command.1: must not contain NUL"],
  [[{ ...SMOKE, name: "Smoke test" }], 'hooks.0.name: "Smoke test" is not a valid hook name: '],
  [[{ ...SMOKE, name: "1" }], 'hooks.0.name: "1" is not a valid hook name: '],
  [[{ ...SMOKE, timeoutSeconds: 0 }], "hooks.0.timeoutSeconds must be at least 1"],
  [[{ ...SMOKE, timeoutSeconds: 1.5 }], "hooks.0.timeoutSeconds must be a whole number"],
  [[{ ...SMOKE, timeoutSeconds: 86_401 }], "hooks.0.timeoutSeconds must be at most 86400"],
  [[{ ...SMOKE, strategies: [] }], "hooks.0.strategies must have at least 1 entries"],
  [
    [{ ...SMOKE, strategies: ["rolling"] }],
    'hooks.0.strategies.0 must be "blueGreen" or "canary" or "recreate"',
  ],
  [[{ ...SMOKE, headers: { a: "b" } }], "hooks.0.headers are only for a webhook, this is a command"],
  [[{ ...CHAT, headers: { "a b": "c" } }], "hooks.0.headers.a b: "],
  [[{ ...CHAT, headers: { a: "b\r\nc" } }], "hooks.0.headers.a: printable ASCII only"],
  [
    [{ ...CHAT, headers: { a: "env:" } }],
    'hooks.0.headers.a: "env:" is not the name of an environment variable, as in "env:CHAT_TOKEN"',
  ],
  [
    [{ ...CHAT, headers: { a: "env:a[$(id)]" } }],
    'hooks.0.headers.a: "env:a[$(id)]" is not the name of an environment variable',
  ],
  [
    [{ ...CHAT, headers: { "Content-Type": "text/plain" } }],
    `hooks.0.headers: "Content-Type" is set for the JSON body, leave it out`,
  ],
  [
    [{ ...SMOKE, when: "before migrate" }],
    'hook "1" before migrate would never run: there is no platform.database',
  ],
  [
    [{ ...SMOKE, when: "after share" }],
    'hook "1" after share would never run: topology "sideBySide" has no such phase',
  ],
])("%j is refused", (hooks, message) => {
  const said = refusal(hooks);
  expect(said.startsWith(`${FILE}: ${message}`)).toBe(true);
  expect(said).not.toContain("\n");
});

test.each([
  "http://chat.example.org/",
  "http://127.0.0.1.example.org/",
  "https://user:secret@chat.example.org/",
  "ftp://chat.example.org/",
  "file:///etc/passwd",
  "https://chat.example.org/a b",
  'https://chat.example.org/"',
  "https://chat.example.org/\\",
  "https://chat.example.org/\n",
  "env:",
  "env:a-b",
  "chat",
])("the webhook %j is refused, and not shown: it may be a secret", (webhook) => {
  expect(refusal([{ ...CHAT, webhook }])).toBe(
    `${FILE}: hooks.0.webhook: must be https://..., http:// on the loopback address, or "env:NAME"`,
  );
});

test.each([
  "https://hooks.example.org:8443/services/T0/B0/x_-~?a=$b&c=%20",
  "http://127.0.0.1:8080/",
  "http://localhost",
  "http://[::1]:80/x",
  "env:CHAT_URL",
])("the webhook %s is taken", (webhook) => {
  expect(hooksAt(environmentOf({ hooks: [{ ...CHAT, webhook }] }), "after switch")).toMatchObject([
    { webhook },
  ]);
});

test("hooks run in the order of the file, and are called by their number unless they have a name", () => {
  const hooks = [SMOKE, CHAT, { ...SMOKE, name: "load", timeoutSeconds: 5 }, SMOKE];
  const found = hooksAt(environmentOf({ hooks }), "before switch");
  expect(found.map(({ name, timeoutSeconds }) => [name, timeoutSeconds])).toEqual([
    ["1", 60],
    ["load", 5],
    ["3", 60],
  ]);
  expect(hooksAt(environmentOf(), "before switch")).toEqual([]);
});

describe("a recreate, whose users wait from begin on", () => {
  const recreate = { schedule: { strategy: "recreate" } };

  test.each(["before install", "before switch"])("has no hook %s", (when) => {
    expect(refusal([{ ...SMOKE, when, name: "smoke" }], recreate)).toBe(
      `${FILE}: hook "smoke" ${when} can't stop a recreate, because users already wait by then: ` +
        `run it "before begin", or set "strategies": ["blueGreen", "canary"] if it is not for a recreate`,
    );
  });

  test.each([
    { ...SMOKE, when: "before begin" },
    { ...SMOKE, when: "before release" },
    { ...SMOKE, when: "after begin" },
    { ...SMOKE, when: "after install" },
    { ...SMOKE, strategies: ["blueGreen", "canary"] },
  ])("may have %j", (hook) => {
    expect(() => environmentOf({ hooks: [hook], ...recreate })).not.toThrow();
  });
});

describe("a hook runs", () => {
  const environment = environmentOf({
    topology: "split",
    platform: { kind: "local", database: "postgres" },
  });
  const phases = ["begin", "migrate", "install", "switch", "converge", "share"] as const;
  const phasesOf = (record: ReleaseRecord) =>
    phases.filter((phase) =>
      isNeeded(
        { ...SMOKE, when: `after ${phase}`, name: "x", position: 1, timeoutSeconds: 1 },
        environment,
        record,
      ),
    );

  test.each<[string, Partial<ReleaseRecord>, readonly string[]]>([
    ["a release", {}, ["begin", "install", "switch"]],
    ["a release that stops half way", { goal: 10, converge: true }, ["begin", "install", "switch"]],
    ["a release with a migration", { migrate: true }, ["begin", "migrate", "install", "switch"]],
    ["a convergence", { converge: true }, ["begin", "install", "switch", "converge", "share"]],
    ["a promotion, or a rollback to what still runs", { sequence: 3 }, ["begin", "switch"]],
    ["a heal", { sequence: 3, converge: true, heals: { "web-1": 3 } }, []],
    ["nothing that is released", { slots: { blue: null, green: null } }, []],
  ])("around the phases of %s", (_, changes, expected) => {
    expect(phasesOf(recordOf(changes))).toEqual(expected);
  });

  test("with the strategies that it names: the record's, or the environment's", () => {
    const hook = {
      ...SMOKE,
      position: 1,
      name: "x",
      when: "before begin",
      timeoutSeconds: 1,
      strategies: ["canary"],
    } as const;
    const needed = (record: ReleaseRecord) =>
      isNeeded({ ...hook, command: [], strategies: ["canary"] }, environment, record);
    expect(needed(recordOf())).toBe(false);
    expect(needed(recordOf({ schedule: { strategy: "canary" } }))).toBe(true);
  });
});

describe("a hook's parameters", () => {
  const environment = environmentOf();

  test("before a switch: the candidate, where it answers, and what a rollback goes back to", () => {
    expect(hookFacts(environment, recordOf(), "before switch")).toEqual({
      formatVersion: 1,
      when: "before switch",
      text: "socialgoal (local), record 2: before switch of 2.0.0-2",
      application: "socialgoal",
      environment: "local",
      sequence: 2,
      goal: "live",
      strategy: "blueGreen",
      slot: "green",
      release: { id: "2.0.0-2", version: "2.0.0" },
      previous: { id: "1.0.0-1", version: "1.0.0" },
      endpoints: [
        { server: "web-1", host: "127.0.0.1", port: 18_181 },
        { server: "web-2", host: "127.0.0.1", port: 18_191 },
      ],
      proxies: [{ name: "proxy-1", host: "127.0.0.1", port: 18_080 }],
    });
  });

  test("after the release: how it ended", () => {
    const ended = { outcome: "rejected", exitCode: 4, reason: "it was not healthy", receipt: null };
    expect(hookFacts(environment, recordOf(), "after release", ended)).toMatchObject({
      text: "socialgoal (local), record 2: 2.0.0-2 rejected: it was not healthy",
      ...ended,
    });
  });

  test("nothing where nothing is released", () => {
    const record = recordOf({ slots: { blue: null, green: null }, previous: null });
    expect(hookFacts(environment, record, "after release")).toMatchObject({ release: null, previous: null });
  });

  test("are encoded, so that neither Terraform nor a shell interprets them", () => {
    const command = ["sh", "${x}", "", "%{y}", "a\nb", "'"];
    const hooks = [
      { ...CHAT, name: "chat", headers: { a: "${x}", b: "%{ if }", c: "$(id)" } },
      { ...SMOKE, name: "smoke", command },
    ];
    const all = environmentOf({ hooks });
    for (const when of ["before switch", "after switch"] as const) {
      const [hook] = hooksAt(all, when);
      const parameters = hookParameters(hook!, { text: "${x}" });
      for (const value of Object.values(parameters)) expect(value).toMatch(/^[A-Za-z0-9+/= -]+$/);
    }
    const { HOOK_COMMAND_BASE64 } = hookParameters(hooksAt(all, "before switch")[0]!, {});
    expect(Buffer.from(HOOK_COMMAND_BASE64!, "base64").toString().split("\0")).toEqual([...command, ""]);
  });
});

test("an execution's name is one that a release never had", () => {
  const record = recordOf();
  expect(stepName.hook(record, "before switch", 1)).toMatch(/^hook-before-switch-1-2-[0-9a-f]{8}$/);
  expect(stepName.hook({ ...record, sequence: 3 }, "before switch", 1)).toMatch(/-3-[0-9a-f]{8}$/);
  const other = { ...record, previous: releaseOf("1.1.0", 1) };
  expect(stepName.hook(other, "before switch", 1)).not.toBe(stepName.hook(record, "before switch", 1));
});
