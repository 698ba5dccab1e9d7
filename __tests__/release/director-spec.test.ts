/** What synth writes, every director reads: the message's format is a contract between two stacks. */
import * as fc from "fast-check";
import * as z from "zod/mini";
import { directorSpec, DirectorSpec, encodeSpec } from "../../release/director-spec";
import type { Environment } from "../../release/environment";
import { parseEnvironment } from "../../release/environment-file";
import { formatRecord, parseRecord, recordDigest } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { VERSION_PATTERN } from "../../release/release";
import { Strategy } from "../../release/schedule";
import { environmentOf, LEAST, recordOf, SHA256 } from "./examples";

const plain = { noNullPrototype: true };
const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,23}$/);
const seconds = (min: number, max: number) =>
  fc.integer({ min: Math.ceil(min * 1000), max: max * 1000 }).map((milliseconds) => milliseconds / 1000);
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

const steps = fc
  .uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 6 })
  .map((shares) => [...shares.sort((one, other) => one - other), 100]);
const schedules = fc
  .record(
    {
      strategy: fc.constantFrom("blueGreen", "canary", "recreate"),
      steps: optional(steps),
      stepSeconds: optional(seconds(0, 86_400)),
      bakeSeconds: optional(seconds(0, 86_400)),
      drainSeconds: optional(seconds(0, 3_600)),
      onFailure: optional(fc.constantFrom("rollback", "freeze")),
      whileDown: optional(fc.constantFrom("hold", "page")),
      analysis: optional(fc.record({ maxErrorRatio: fc.double({ min: 0, max: 1, noNaN: true }) })),
    },
    plain,
  )
  .map(({ steps: shares, ...schedule }) =>
    // A recreate has no steps to give.
    schedule.strategy === "recreate" ? schedule : { ...schedule, steps: shares },
  );

const environments: fc.Arbitrary<Environment> = fc
  .record(
    {
      name: names,
      topology: fc.constantFrom("split", "sideBySide"),
      servers: fc.record({ count: fc.integer({ min: 2, max: 20 }) }, plain),
      proxies: fc.record(
        { driver: fc.constantFrom("haproxy", "embedded"), count: fc.integer({ min: 1, max: 8 }) },
        plain,
      ),
      verification: fc.record(
        {
          path: optional(fc.stringMatching(/^\/[A-Za-z0-9._~!&()*+,;=:@%/?-]{0,40}$/)),
          status: optional(fc.integer({ min: 200, max: 599 })),
          host: optional(fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?(:[0-9]{1,5})?$/)),
          releaseHeader: optional(fc.option(fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,63}$/))),
          successes: optional(fc.integer({ min: 1, max: 100 })),
          intervalSeconds: optional(seconds(0.01, 60)),
          timeoutSeconds: optional(seconds(0.1, 60)),
          deadlineSeconds: optional(fc.integer({ min: 1, max: 3600 })),
        },
        plain,
      ),
      schedule: schedules,
      platform: fc.record(
        { kind: fc.constant("local"), portBase: optional(fc.integer({ min: 1024, max: 65_000 })) },
        plain,
      ),
    },
    plain,
  )
  .map((changes) => parseEnvironment(JSON.stringify({ ...LEAST, ...changes }), "environment.json"));

const versions = fc.stringMatching(VERSION_PATTERN).filter((version) => !version.includes(".."));
const artifacts = fc.record(
  {
    url: fc.constantFrom("https://example.org/a.zip?sig=%2B", "file:///srv/a.zip", "http://127.0.0.1:1/a"),
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  },
  plain,
);
const releaseAt = (run: number) =>
  fc.record({ version: versions, run: fc.constant(run), artifact: artifacts }, plain);

const records: fc.Arbitrary<ReleaseRecord> = fc
  .integer({ min: 2, max: Number.MAX_SAFE_INTEGER })
  .chain((sequence) =>
    fc.record(
      {
        formatVersion: fc.constant(1),
        application: fc.constant("socialgoal"),
        sequence: fc.constant(sequence),
        active: fc.constant("green"),
        goal: fc.oneof(fc.constantFrom("staged", "live"), fc.integer({ min: 1, max: 99 })),
        slots: fc.record({ blue: fc.option(releaseAt(1)), green: releaseAt(sequence) }, plain),
        previous: fc.option(releaseAt(1)),
        converge: optional(fc.boolean()),
        retry: optional(fc.boolean()),
        schedule: optional(schedules),
      },
      plain,
    ),
  )
  .map((record) => parseRecord(JSON.stringify(record), "release.json"));

const decode = (text: string): DirectorSpec =>
  z.parse(DirectorSpec, JSON.parse(Buffer.from(text, "base64").toString("utf8")));

test("what synth writes for any environment and record, every proxy's director reads", () => {
  fc.assert(
    fc.property(environments, records, (environment, record) => {
      for (let index = 0; index < environment.proxies.count; index++) {
        const spec = directorSpec(environment, record, index);
        expect(decode(encodeSpec(spec))).toEqual(spec);
        expect(encodeSpec(spec)).toMatch(/^[A-Za-z0-9+/]+=*$/);
      }
    }),
    { numRuns: 300 },
  );
});

test("a record that went through its file says the same to the director", () => {
  fc.assert(
    fc.property(environments, records, (environment, record) => {
      const read = parseRecord(formatRecord(record), "release.json");
      expect(directorSpec(environment, read, 0)).toEqual(directorSpec(environment, record, 0));
    }),
    { numRuns: 100 },
  );
});

test("the director gets the record's facts, resolved", () => {
  const record = recordOf({
    converge: true,
    retry: true,
    schedule: { strategy: "canary", steps: [10, 100] },
  });
  const environment = environmentOf({ topology: "split", proxies: { driver: "embedded", count: 2 } });
  expect(directorSpec(environment, record, 1)).toEqual({
    formatVersion: 1,
    application: "socialgoal",
    environment: "local",
    sequence: 2,
    recordDigest: recordDigest(record),
    target: "green",
    healing: [],
    goal: "live",
    slots: {
      blue: { releaseId: "1.0.0-1", sha256: record.slots.blue!.artifact.sha256, contracts: [] },
      green: { releaseId: "2.0.0-2", sha256: record.slots.green!.artifact.sha256, contracts: [] },
    },
    previous: { releaseId: "1.0.0-1", sha256: record.slots.blue!.artifact.sha256, contracts: [] },
    touched: ["green"],
    converge: true,
    retry: true,
    schedule: Strategy.canary({ steps: [10, 100] }),
    contracted: [],
    verification: environment.verification,
    activation: null,
    preview: null,
    endpoints: {
      blue: [{ server: "web-1", host: "127.0.0.1", port: 18_180 }],
      green: [{ server: "web-2", host: "127.0.0.1", port: 18_190 }],
    },
    proxy: { driver: "embedded", name: "proxy-2", index: 1, host: "127.0.0.1", port: 18_081, tls: null },
  });
});

test("what is not said is no", () => {
  expect(directorSpec(environmentOf(), recordOf(), 0)).toMatchObject({ converge: false, retry: false });
});

test("a proxy that the environment does not have gets no message", () => {
  expect(() => directorSpec(environmentOf(), recordOf(), 1)).toThrow("there is no proxy 1");
});

test.each<[string, object]>([
  ["of another format", { formatVersion: 2 }],
  ["with a field that it does not know", { secret: "" }],
  ["with a release id that a shell could read", { previous: { releaseId: "$(id)", sha256: SHA256 } }],
  ["with no sha256", { previous: { releaseId: "1.0.0-1", sha256: "" } }],
  ["with a slot that does not exist", { touched: ["red"] }],
])("a director refuses a message %s", (_, changes) => {
  const spec = { ...directorSpec(environmentOf(), recordOf(), 0), ...changes };
  expect(z.safeParse(DirectorSpec, spec).success).toBe(false);
});
