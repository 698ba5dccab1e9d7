/** Arbitrary valid environments and records, for property tests. */
import * as fc from "fast-check";
import type { Environment } from "../../configuration/environment";
import { parseEnvironment } from "../../configuration/environment-file";
import { parseRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { VERSION_PATTERN } from "../../release/release";
import { LEAST } from "./examples";

const plain = { noNullPrototype: true };
const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,23}$/);
const seconds = (min: number, max: number) =>
  fc.integer({ min: Math.ceil(min * 1000), max: max * 1000 }).map((milliseconds) => milliseconds / 1000);
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

const steps = fc
  .uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 6 })
  .map((weights) => [...weights.sort((one, other) => one - other), 100]);
const schedules = fc
  .record(
    {
      strategy: fc.constantFrom("blueGreen", "canary", "recreate"),
      steps: optional(steps),
      stepSeconds: optional(seconds(0, 86_400)),
      bakeSeconds: optional(seconds(0, 86_400)),
      drainSeconds: optional(seconds(0, 3_600)),
      onFailure: optional(fc.constantFrom("rollback", "freeze")),
      whileDown: optional(fc.constantFrom("hold", "maintenancePage")),
      analysis: optional(fc.record({ maxErrorRatio: fc.double({ min: 0, max: 1, noNaN: true }) })),
    },
    plain,
  )
  .map(({ steps: weights, ...schedule }) =>
    // A recreate has no steps to give.
    schedule.strategy === "recreate" ? schedule : { ...schedule, steps: weights },
  );

export const environments: fc.Arbitrary<Environment> = fc
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

export const records: fc.Arbitrary<ReleaseRecord> = fc
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
