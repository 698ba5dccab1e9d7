/** Every director reads what synth writes: the format is a contract between two stacks. */
import * as fc from "fast-check";
import * as z from "zod/mini";
import { directorSpec, DirectorSpec, encodeSpec, stepSpec } from "../../configuration/director-spec";
import { DEFAULT_HTTP_SETTINGS } from "../../configuration/http-settings";
import { formatRecord, parseRecord, recordDigest } from "../../release/record";
import { Strategy } from "../../release/schedule";
import { environments, records } from "../release/arbitraries";
import { environmentOf, recordOf, SHA256 } from "../release/examples";

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

test("a step contains the record for recover: everything that the digest covers, and the schedule", () => {
  fc.assert(
    fc.property(environments, records, (environment, record) => {
      const spec = decode(encodeSpec(stepSpec(environment, record, 0)));
      const read = parseRecord(JSON.stringify(spec.record), "it");
      expect(recordDigest(read)).toBe(spec.recordDigest);
      const { banned: _, ...carried } = record;
      expect(read).toEqual(carried);
    }),
    { numRuns: 100 },
  );
});

test("a record read from its file gives the director the same spec", () => {
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
    proxy: {
      driver: "embedded",
      name: "proxy-2",
      peers: [{ name: "proxy-1", host: "127.0.0.1", port: 18_080 }],
      index: 1,
      host: "127.0.0.1",
      port: 18_081,
      tls: null,
      http: environment.proxies.http,
    },
  });
});

test("a step of version 0.1.0, without settings of HTTP, gets the defaults", () => {
  const { proxy, ...spec } = directorSpec(environmentOf(), recordOf(), 0);
  const { http: _, ...former } = proxy;
  expect(decode(encodeSpec({ ...spec, proxy: former })).proxy.http).toEqual(DEFAULT_HTTP_SETTINGS);
});

test("a missing flag is false", () => {
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
