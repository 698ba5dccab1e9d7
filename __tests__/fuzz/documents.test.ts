/** Files that people edit and machines damage: read as what they mean, or refused in one line; never a crash. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { DirectorSpec, directorSpec } from "../../configuration/director-spec";
import { parseEnvironment } from "../../configuration/environment-file";
import type { Environment } from "../../configuration/environment";
import { hookFacts } from "../../configuration/hook-facts";
import { hookParameters, hooksAt } from "../../release/hooks";
import type { When } from "../../release/hooks";
import { MigrateSpec } from "../../release/migrate-spec";
import { databaseUrlFile, proxyPlaces, serverPlaces, slotEndpoints } from "../../configuration/naming";
import { stepName } from "../../release/steps";
import { formatRecord, parseRecord, recordDigest } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { SLOTS } from "../../release/slot";
import { parseFile } from "../../release/validation";
import { environments, records } from "../release/arbitraries";
import { LEAST, recordOf, releaseOf, SHA256 } from "../release/examples";
import { damaged, expectOneLine, hostileText, mutated, readOrRefused, runs } from "./hostile";

const FILE = "environments/local.json";

const FULL_RECORD: ReleaseRecord = recordOf({
  sequence: 4,
  slots: {
    blue: releaseOf("1.0.0", 1),
    green: {
      ...releaseOf("2.0.0", 4),
      migrations: { url: "file:///a.zip", sha256: SHA256, newest: "0002-b.sql" },
      contracts: ["0002-b.sql"],
    },
  },
  converge: true,
  retry: true,
  schedule: { strategy: "canary", steps: [10, 100], analysis: { maxErrorRatio: 0.1 } },
  heals: { "web-1": 3 },
  contracted: ["0002-b.sql"],
  migrate: true,
  banned: [{ version: "1.2.0", reason: "leaks", by: "maria on ops-1", at: "2026-07-03T15:13:10.000Z" }],
});

const FULL_ENVIRONMENT = {
  ...LEAST,
  platform: { kind: "local", folder: ".bluegreen/local", portBase: 18_080, database: "postgres" },
  topology: "split",
  proxies: { driver: "nginx", count: 2 },
  verification: {
    path: "/health",
    host: "shop.example.org",
    releaseHeader: "x-release",
    bodyPattern: "ok",
    headerPatterns: { "x-a": "^b$" },
    smoke: [{ method: "POST", path: "/a", headers: { "x-b": "c" }, body: "{}", status: 201 }],
  },
  activation: { activate: { path: "/on" }, deactivate: { path: "/off", method: "POST" } },
  preview: { sha256: SHA256, md5: "b".repeat(32) },
  measurement: { rate: 5, paths: ["/"] },
  hooks: [
    { when: "before switch", name: "smoke", command: ["bash", "-c", "true"], strategies: ["canary"] },
    { when: "after release", webhook: "env:CHAT", headers: { authorization: "env:TOKEN" } },
  ],
  schedule: { strategy: "canary", steps: [5, 100] },
  freezeWindows: [
    { reason: "weekend", weekly: { from: "Fri 15:00", to: "Mon 06:00" }, timeZone: "Europe/Berlin" },
  ],
  receipts: "receipts",
};

const AZURE_ENVIRONMENT = JSON.parse(readFileSync("environments/azure-socialgoal.json", "utf8")) as object;

test("what is changed here is valid before", () => {
  expect(parseRecord(JSON.stringify(FULL_RECORD), "release.json")).toEqual(FULL_RECORD);
  for (const file of [FULL_ENVIRONMENT, AZURE_ENVIRONMENT]) parseEnvironment(JSON.stringify(file), FILE);
});

/** All that synth and the command compute of a record. */
function useRecord(environment: Environment, record: ReleaseRecord): void {
  const steps = SLOTS.flatMap((slot) => [
    stepName.converge(record, slot),
    ...serverPlaces(environment).map(({ name }) => stepName.install(record, slot, name)),
  ]);
  for (const name of [stepName.begin(record), stepName.switch(record), ...steps]) {
    expect(name).toMatch(/^[0-9A-Za-z.-]{1,80}$/);
  }
  parseFile(DirectorSpec, JSON.stringify(directorSpec(environment, record, 0)), "the director's spec");
}

test("a record with changes", () => {
  const plain = parseEnvironment(JSON.stringify(LEAST), FILE);
  const originals = fc.oneof(fc.constant(FULL_RECORD), records);
  fc.assert(
    fc.property(mutated(originals), (document) => {
      const record = readOrRefused(() => parseRecord(JSON.stringify(document), "release.json"));
      if (record === null) return;
      expect(parseRecord(formatRecord(record), "release.json")).toEqual(record);
      expect(recordDigest(record)).toMatch(/^[0-9a-f]{64}$/);
      if (readOrRefused(() => directorSpec(plain, record, 0)) !== null) useRecord(plain, record);
    }),
    runs(2),
  );
});

test("an environment file with changes", () => {
  fc.assert(
    fc.property(
      mutated(fc.constantFrom<object>(FULL_ENVIRONMENT, AZURE_ENVIRONMENT, LEAST)),
      records,
      (document, record) => {
        const environment = readOrRefused(() => parseEnvironment(JSON.stringify(document), FILE));
        if (environment === null) return;
        useRecord(environment, record);
        for (const { host } of [
          ...proxyPlaces(environment),
          ...SLOTS.flatMap((slot) => slotEndpoints(environment)[slot]),
        ]) {
          expect(host).toMatch(/^[0-9.]+$/);
        }
        if (environment.platform.kind === "local") {
          const file = databaseUrlFile({ ...environment, platform: environment.platform });
          expect(file.split("/")).not.toContain("..");
        }
      },
    ),
    runs(2),
  );
});

test("text that is no JSON any more", () => {
  const texts = fc.constantFrom(
    JSON.stringify(FULL_RECORD, null, 2),
    JSON.stringify(FULL_ENVIRONMENT, null, 2),
  );
  fc.assert(
    fc.property(damaged(texts), (text) => {
      readOrRefused(() => parseRecord(text, "release.json"));
      readOrRefused(() => parseEnvironment(text, FILE));
    }),
    runs(1),
  );
});

const MIGRATE_SPEC = {
  formatVersion: 1,
  application: "socialgoal",
  sequence: 4,
  recordDigest: SHA256,
  releaseId: "2.0.0-4",
  bundle: FULL_RECORD.slots.green!.migrations!,
  contracts: ["0002-b.sql"],
  contracted: [],
  database: { kind: "file", file: "/data/database.url" },
  waitSeconds: 10,
};

test("messages to programs on servers", () => {
  const specs = fc
    .tuple(environments, records)
    .map(([environment, record]) => directorSpec(environment, record, 0));
  fc.assert(
    fc.property(mutated(specs), mutated(fc.constant(MIGRATE_SPEC)), (director, migrate) => {
      readOrRefused(() => parseFile(DirectorSpec, JSON.stringify(director), "--spec"));
      readOrRefused(() => parseFile(MigrateSpec, JSON.stringify(migrate), "the spec"));
    }),
    runs(1),
  );
});

test("a hook gets its words and the facts exactly as they are written, and nothing else", () => {
  const words = fc.array(
    hostileText.filter((text) => !text.includes("\0")),
    { minLength: 1, maxLength: 6 },
  );
  const whens = fc.constantFrom<When>("before begin", "before switch", "after install");
  fc.assert(
    fc.property(words, whens, records, (command, when, record) => {
      const file = JSON.stringify({ ...LEAST, hooks: [{ when, command }] });
      const environment = readOrRefused(() => parseEnvironment(file, FILE));
      if (environment === null) return;
      const [hook] = hooksAt(environment, when);
      const facts = hookFacts(environment, record, when);
      const parameters = hookParameters(hook!, facts);
      // Nothing that Terraform, a shell or an environment variable would read as more than a text.
      for (const value of Object.values(parameters)) expect(value).toMatch(/^[0-9A-Za-z+/= -]*$/);
      const listed = Buffer.from(parameters["HOOK_COMMAND_BASE64"]!, "base64").toString();
      expect(listed).toBe(Buffer.from(command.map((word) => `${word}\0`).join("")).toString());
      expect(JSON.parse(Buffer.from(parameters["HOOK_FACTS_BASE64"]!, "base64").toString())).toEqual(
        JSON.parse(JSON.stringify(facts)),
      );
      expectOneLine(facts.text);
    }),
    runs(2),
  );
});
