/** The promises of the web stack on Azure: only steps, each with a new name, and no other addresses. */
import fc from "fast-check";
import type { AzureEnvironment } from "../../configuration/environment";
import { blobHost, identityId, keyVaultHost, virtualMachineId } from "../../configuration/azure/azure-names";
import { serverPlaces } from "../../configuration/naming";
import { emptyRecord, parseRecord, target as targetOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { InvalidInput } from "../../release/failure";
import { releaseId } from "../../release/release";
import { SLOTS } from "../../release/slot";
import type { Observed } from "../../release/transitions";
import * as transitions from "../../release/transitions";
import { azureEnvironment, ON_WINDOWS } from "../configuration/azure/examples";
import { candidateOf, recordOf, releaseOf } from "../release/examples";
import { attributes, DATABASE, ENVIRONMENTS, resources, shipped, webOf } from "./azure";
import type { Block, SynthesizedStack } from "./azure";
import { environmentWith, synthesize } from "./synthesis";

const everywhere = test.each(ENVIRONMENTS);
const split = azureEnvironment({}, { topology: "split", servers: { count: 3 }, proxies: { count: 2 } });
const sideBySide = azureEnvironment({}, { proxies: { count: 2 } });

interface Step extends Block {
  readonly name: string;
  readonly virtual_machine_id: string;
  readonly count?: number;
  readonly depends_on: readonly string[];
  readonly parameter: readonly { readonly name: string; readonly value: string }[];
  readonly source: Record<string, string>;
  readonly timeouts: Readonly<Record<string, string>>;
  readonly lifecycle: Block;
}

function steps(web: SynthesizedStack): Readonly<Record<string, Step>> {
  return resources<Step>(web, "virtual_machine_run_command");
}

function parameters({ parameter }: Step): Record<string, string> {
  return Object.fromEntries(parameter.map(({ name, value }) => [name, value]));
}

/** What a Windows script gets, all of it in one parameter. */
function decoded(step: Step): Record<string, string> {
  return JSON.parse(Buffer.from(parameters(step)["Parameters"]!, "base64").toString()) as Record<
    string,
    string
  >;
}

/** Without the shared part that names the type. */
function places(web: SynthesizedStack): string[] {
  return web.addresses.map((address) => address.replace(/^[a-z_]+\./, ""));
}

const FULL = { ...candidateOf("9".repeat(40)), run: 123_456 };

/** Any record that `bluegreen` would take, however it came about. */
function records(environment: AzureEnvironment): fc.Arbitrary<ReleaseRecord> {
  const { application, topology } = environment;
  const servers = serverPlaces(environment).map(({ name }) => name);
  const release = fc
    .record({ version: fc.constantFrom("1.0.0", "1.1.0-rc.1", "2"), run: fc.integer({ min: 1, max: 9 }) })
    .map(({ version, run }) => releaseOf(version, run));
  const maybe = fc.option(release);
  const record: fc.Arbitrary<object> = fc.record(
    {
      formatVersion: fc.constant(1),
      application: fc.constant(application),
      sequence: fc.integer({ min: 1, max: 12 }),
      active: fc.constantFrom(...SLOTS),
      goal: fc.oneof(fc.constant("live"), fc.constant("staged"), fc.integer({ min: 1, max: 99 })),
      slots: fc.record({ blue: maybe, green: maybe }),
      previous: maybe,
      converge: topology === "split" ? fc.boolean() : fc.constant(false),
      retry: fc.boolean(),
      schedule: fc.constantFrom({ strategy: "recreate" }, { strategy: "canary" }, { strategy: "blueGreen" }),
      heals: fc.dictionary(fc.constantFrom(...servers), fc.integer({ min: 1, max: 12 })),
    },
    {
      requiredKeys: ["formatVersion", "application", "sequence", "active", "goal", "slots", "previous"],
      noNullPrototype: true,
    },
  );
  return record.filter(isAccepted) as fc.Arbitrary<ReleaseRecord>;
}

function isAccepted(record: object): boolean {
  try {
    parseRecord(JSON.stringify(record), "release.json");
    return true;
  } catch (error) {
    if (error instanceof InvalidInput) return false;
    throw error;
  }
}

test("the addresses of web are public and stay as they are", () => {
  const steps = [
    "begin-proxy-1",
    "begin-proxy-2",
    "converge-blue-web-1",
    "converge-blue-web-2",
    "converge-green-web-1",
    "converge-green-web-2",
    "install-blue-web-1",
    "install-blue-web-2",
    "install-green-web-1",
    "install-green-web-2",
    "share-proxy-1",
    "share-proxy-2",
    "switch-proxy-1",
    "switch-proxy-2",
  ];
  expect(webOf(shipped("azure-linux")).addresses).toEqual(
    steps.map((step) => `azurerm_virtual_machine_run_command.${step}`),
  );
});

test.each([
  ["side by side", sideBySide],
  ["split", split],
  ["on Windows", azureEnvironment(ON_WINDOWS[0], { ...ON_WINDOWS[1], topology: "split" })],
])("every record has the same addresses and the same order of steps, %s", (_, environment) => {
  const graph = (web: SynthesizedStack) =>
    Object.entries(steps(web)).map(([id, { depends_on, virtual_machine_id }]) => [
      id,
      depends_on,
      virtual_machine_id,
    ]);
  const first = graph(webOf(environment));
  fc.assert(
    fc.property(records(environment), (record) => {
      expect(graph(webOf(environment, record))).toEqual(first);
    }),
    { numRuns: 25 },
  );
});

test.each(["sideBySide", "split"] as const)(
  "the addresses are the local platform's but for the type, %s",
  (topology) => {
    const changes = { topology, servers: { count: 3 }, proxies: { count: 2 } };
    const record = recordOf({ application: "shop" });
    const local = synthesize(environmentWith({ ...changes, application: "shop" }), record).web;
    expect(places(webOf(azureEnvironment({}, changes), record))).toEqual(places(local));
  },
);

everywhere("it can run steps and nothing else: %s", (_, environment) => {
  const web = webOf(environment);
  const { "//": metadata, ...rest } = web.json;
  expect(Object.keys(rest).sort()).toEqual(["provider", "resource", "terraform"]);
  expect(Object.keys(web.json.resource!)).toEqual(["azurerm_virtual_machine_run_command"]);
  expect(metadata["outputs"]).toEqual({});
  for (const reference of ["remote_state", "${data.", "${var.", "${module."])
    expect(web.text).not.toContain(reference);
});

everywhere("before the first release there is nothing to run: %s", (_, environment) => {
  expect(webOf(environment, emptyRecord(environment.application)).addresses).toEqual([]);
});

test.each([
  [
    "entra",
    {
      kind: "entra",
      server: expect.stringMatching(/\.database\.windows\.net$/) as string,
      database: "shop",
    },
  ],
  ["sql", { kind: "secret", vault: expect.any(String) as string, secret: "migration-database-url" }],
] as const)(
  "a migration runs on the operations server, between begin and the installs: %s",
  (authentication, access) => {
    const environment = azureEnvironment({ database: { ...DATABASE, authentication } });
    const sha256 = "b".repeat(64);
    const migrations = { url: `https://example.org/${sha256}.zip`, sha256, newest: "0001-goals.sql" };
    const record = recordOf({ application: environment.application, migrate: true });
    record.slots = { ...record.slots, green: { ...record.slots.green!, migrations } };
    const all = steps(webOf(environment, record));
    const step = all["migrate-operations-1"]!;
    expect(step.virtual_machine_id).toBe(virtualMachineId(environment, "operations-1"));
    expect(step).not.toHaveProperty("count");
    expect(step.depends_on).toEqual(["azurerm_virtual_machine_run_command.begin-proxy-1"]);
    expect(all["install-green-web-1"]!.depends_on).toContain(
      "azurerm_virtual_machine_run_command.migrate-operations-1",
    );
    const { MIGRATE_SPEC, MIGRATOR_URL, MIGRATOR_SHA256 } = parameters(step);
    const identity = identityId(environment, "operations");
    const spec = JSON.parse(Buffer.from(MIGRATE_SPEC!, "base64").toString()) as unknown;
    expect(spec).toMatchObject({
      releaseId: "2.0.0-2",
      bundle: migrations,
      database: { ...access, identity },
    });
    expect(MIGRATOR_URL).toBe(
      `https://${blobHost(environment)}/releases/bluegreen/migrate-${MIGRATOR_SHA256}.js`,
    );
    // Without migrations the step's place in the graph stays.
    expect(steps(webOf(environment))["migrate-operations-1"]!.count).toBe(0);
  },
);

everywhere("each step runs on a machine of base, known by its name alone: %s", (_, environment) => {
  for (const [id, { virtual_machine_id, location }] of Object.entries(steps(webOf(environment)))) {
    const [, server] = /((?:web|proxy|operations)-\d+)$/.exec(id)!;
    expect(virtual_machine_id).toBe(virtualMachineId(environment, server!));
    expect(location).toBe(environment.platform.location);
  }
});

everywhere(
  "a step is never changed, only followed by another, and ends well or fails: %s",
  (_, environment) => {
    for (const step of Object.values(steps(webOf(environment)))) {
      expect(step.lifecycle).toMatchObject({
        create_before_destroy: true,
        ignore_changes: ["source", "parameter", "timeouts", "tags"],
        postcondition: [
          {
            condition: expect.stringMatching(
              /^\$\{try\(.*exit_code == 0 && .*bluegreen: %s ended with 0", self\.name\).*, false\)\}$/,
            ),
            error_message: expect.stringContaining("bluegreen retry"),
          },
        ],
      });
      expect(step).not.toHaveProperty("protected_parameter");
      expect(step).not.toHaveProperty("run_as_password");
      expect(Object.keys(step.source)).toEqual(["script"]);
      expect(step.timeouts["create"]).toMatch(/^[1-9]\d*m$/);
    }
  },
);

test("no name is too long or used twice on a machine, whatever was released before", () => {
  for (const environment of [sideBySide, split]) {
    fc.assert(
      fc.property(records(environment), (record) => {
        const slots = {
          ...record.slots,
          [record.active]: record.slots[record.active] === null ? null : FULL,
        };
        const long = { ...record, slots, sequence: 999_999 };
        const seen = new Set<string>();
        for (const { name, virtual_machine_id, count } of Object.values(steps(webOf(environment, long)))) {
          expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9_]$/);
          if (count === 0) continue;
          expect(seen).not.toContain(`${virtual_machine_id} ${name}`);
          seen.add(`${virtual_machine_id} ${name}`);
        }
      }),
      { numRuns: 15 },
    );
  }
});

/** Releases and rollbacks one after another, all successful. */
function series(environment: AzureEnvironment): ReleaseRecord[] {
  const all: ReleaseRecord[] = [];
  let record = emptyRecord(environment.application);
  const observed = (): Observed =>
    record.sequence === 0
      ? { live: null, releaseId: null, serving: [] }
      : { live: record.active, releaseId: releaseId(targetOf(record)!), serving: [record.active] };
  const rules = { environmentSchedule: environment.schedule };
  for (const version of ["1.0.0", "1.1.0", "1.0.0", "2.0.0"]) {
    record = transitions.release(record, candidateOf(version), observed(), rules);
    all.push(record);
  }
  record = transitions.heal(record, observed(), ["web-1"]);
  return [...all, record];
}

test.each([
  ["side by side", sideBySide],
  ["split", split],
])(
  "over a series of releases a machine never sees a name again, unless the step stays, %s",
  (_, environment) => {
    const seen = new Map<string, string[]>();
    for (const record of series(environment)) {
      for (const [id, { name, count }] of Object.entries(steps(webOf(environment, record)))) {
        if (count === 0) continue;
        const names = seen.get(id) ?? [];
        seen.set(id, names);
        if (names.at(-1) === name) continue;
        const machine = /[a-z]+-\d+$/.exec(id)![0];
        const onMachine = [...seen]
          .filter(([each]) => each.endsWith(`-${machine}`))
          .flatMap(([, each]) => each);
        expect(onMachine).not.toContain(name);
        names.push(name);
      }
    }
    expect(seen.get("begin-proxy-1")).toHaveLength(series(environment).length);
  },
);

test("steps that a record does not need keep their place, and have no execution", () => {
  const count = (record: ReleaseRecord) =>
    Object.entries(steps(webOf(split, record)))
      .filter(([, step]) => step.count === 0)
      .map(([id]) => id)
      .sort();
  const convergence = [
    "converge-blue-web-1",
    "converge-blue-web-3",
    "converge-green-web-2",
    "share-proxy-1",
    "share-proxy-2",
  ];
  expect(count(recordOf({ application: "shop" }))).toEqual(convergence);
  expect(count(recordOf({ application: "shop", converge: true }))).toEqual(["converge-green-web-2"]);
});

everywhere(
  "no parameter is empty or a secret's place, and every script knows where it is: %s",
  (_, environment) => {
    for (const [id, step] of Object.entries(steps(webOf(environment)))) {
      expect(new Set(step.parameter.map(({ name }) => name)).size).toBe(step.parameter.length);
      for (const { name, value } of step.parameter) {
        expect(value).not.toBe("");
        expect(typeof value).toBe("string");
        expect(name).not.toMatch(/password|secret|token|(?<!public)key/i);
        // Azure puts Windows parameters on a command line, and Linux ones into a shell.
        expect(value).not.toMatch(/["'`$\\\n]/);
      }
      const windows = environment.platform.webServers.os === "windows" && /web-\d+$/.test(id);
      const { SERVER_NAME, SERVER_FOLDER } = windows ? decoded(step) : parameters(step);
      expect(id.endsWith(`-${SERVER_NAME}`)).toBe(true);
      expect(SERVER_FOLDER).toBe(windows ? "C:\\bluegreen" : "/var/lib/bluegreen");
    }
  },
);

everywhere(
  "the installers fetch artifacts of their own store with the machine's identity: %s",
  (_, environment) => {
    const windows = environment.platform.webServers.os === "windows";
    const installs = Object.entries(steps(webOf(environment))).filter(([id]) =>
      /^(install|converge)-/.test(id),
    );
    expect(installs.length).toBeGreaterThan(0);
    for (const [, step] of installs) {
      expect(windows ? decoded(step) : parameters(step)).toMatchObject({
        ARTIFACT_HOST: blobHost(environment),
        IDENTITY: identityId(environment, "web"),
        ...(windows ? { KEY_VAULT_HOST: keyVaultHost(environment) } : { SERVICE_MANAGER: "auto" }),
      });
    }
  },
);

test("on Windows a script gets its name and one word, which holds an object of texts", () => {
  const environment = shipped("azure-socialgoal");
  const installs = Object.entries(steps(webOf(environment))).filter(([id]) => id.startsWith("install-"));
  expect(installs).toHaveLength(2);
  for (const [, step] of installs) {
    expect(step.parameter.map(({ name }) => name)).toEqual(["StepName", "Parameters"]);
    expect(parameters(step)["StepName"]).toBe(step.name);
    expect(parameters(step)["Parameters"]).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
    for (const value of Object.values(decoded(step))) expect(typeof value).toBe("string");
    const settings = Buffer.from(decoded(step)["IIS_SETTINGS_BASE64"]!, "base64").toString();
    expect(JSON.parse(settings)).toEqual({ ...environment.platform.iis });
  }
});

test("on Windows the settings that the environment leaves out are there as null", () => {
  const [step] = Object.entries(steps(webOf(azureEnvironment(...ON_WINDOWS)))).filter(([id]) =>
    /^install-/.test(id),
  );
  const settings = Buffer.from(decoded(step![1])["IIS_SETTINGS_BASE64"]!, "base64").toString();
  expect(JSON.parse(settings)).toEqual({
    requiredFiles: ["Web.config"],
    connectionString: null,
    machineKeySecret: null,
    disableInitializer: null,
    allowDestructiveInitializer: false,
    sharedFolders: [],
    appSettings: {},
    warmUp: [],
  });
});

test("on Linux what is empty is named, as Azure takes no empty values", () => {
  const record = recordOf({
    application: "shop",
    slots: { blue: null, green: releaseOf("2.0.0", 2) },
    previous: null,
  });
  const given = parameters(steps(webOf(sideBySide, record))["install-blue-web-1"]!);
  const empty = given["EMPTY_PARAMETERS"]!.split(" ");
  expect(empty).toEqual(
    expect.arrayContaining(["RELEASE_ID", "VERSION", "ARTIFACT_SHA256", "ARTIFACT_URL_BASE64"]),
  );
  expect(empty.filter((name) => name in given)).toEqual([]);
});

everywhere("scripts are files that Terraform reads, not text that it interprets: %s", (_, environment) => {
  const web = webOf(environment);
  const scripts = attributes(web.json.resource).filter(({ path }) => path.endsWith("/source/script"));
  for (const { value } of scripts) {
    expect(value).toMatch(/^\$\{(join|file)\(.*assets\/.*\)\}$/s);
    for (const [, file] of String(value).matchAll(/file\("([^"]+)"\)/g))
      expect(file).toMatch(/^assets\/[\w./-]+$/);
  }
});
