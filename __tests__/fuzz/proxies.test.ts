/**
 * Configurations of proxies: whatever an environment file may say, HAProxy and NGINX accept what is made of it; and no
 * text in a director's spec becomes a directive, a line or a word of its own.
 */
import * as fc from "fast-check";
import * as z from "zod/mini";
import { HaproxyConfigurator } from "../../on-server/director/drivers/haproxy/haproxy-configuration";
import {
  shownMeasured,
  shownTraffic,
  trafficMap,
} from "../../on-server/director/drivers/haproxy/traffic-map";
import { NginxConfigurator } from "../../on-server/director/drivers/nginx/nginx-configuration";
import { EmbeddedConfigurator } from "../../on-server/director/drivers/embedded/embedded-settings";
import { parseTraffic, trafficEntries } from "../../on-server/director/drivers/driver";
import type { Traffic } from "../../on-server/director/drivers/driver";
import { DirectorSpec, directorSpec } from "../../configuration/director-spec";
import { environments, records } from "../release/arbitraries";
import { SHA256 } from "../release/examples";
import { describeWith, haproxy, nginx } from "../on-server/director/proxy-kinds";
import { everyTextChanged, mutated, runs } from "./hostile";
import { complaintOf } from "../on-server/director/proxy-configuration";

const previews = fc.constantFrom(null, { sha256: SHA256, md5: "b".repeat(32) });
const specs: fc.Arbitrary<DirectorSpec> = fc
  .tuple(environments, records, previews)
  .map(([environment, record, preview]) => ({ ...directorSpec(environment, record, 0), preview }));

/** What a hostile spec has to leave as it is: the words of each line that are not the spec's to say. */
type Skeleton = readonly string[];

/** Of HAProxy: the first word of every line, and how many words it has. */
function haproxySkeleton(spec: DirectorSpec): Skeleton {
  const { "haproxy.cfg": text } = new HaproxyConfigurator(spec).files();
  return text!.split("\n").map((line) => {
    const words = line.trim().split(/\s+/);
    return `${words[0] === "#" ? "#" : words[0]} ${words[0] === "#" ? "" : words.length}`;
  });
}

/** Of NGINX: the names of directives and where blocks open and close, as NGINX reads quotes and comments. Quoted names are values. */
function nginxSkeleton(spec: DirectorSpec): Skeleton {
  const text = new NginxConfigurator(spec).configuration();
  const found: string[] = [];
  let words: string[] = [];
  const lexemes = /#[^\n]*|'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*"|[;{}]|(?:\$\{|\\[^]|[^\s;{}])+/g;
  for (const [lexeme] of text.matchAll(lexemes)) {
    if (lexeme.startsWith("#") && words.length === 0) continue;
    if (![";", "{", "}"].includes(lexeme)) {
      words.push(lexeme);
      continue;
    }
    found.push(`${/^["']/.test(words[0] ?? "") ? "value" : (words[0] ?? "")} ${words.length} ${lexeme}`);
    words = [];
  }
  return found;
}

/** A spec of the same form whose texts mean no harm. */
function harmless(spec: DirectorSpec): DirectorSpec {
  const { proxy, endpoints } = spec;
  const tame = (all: DirectorSpec["endpoints"]["blue"]) =>
    all.map((endpoint, index) => ({ ...endpoint, server: `web-${index}`, host: "127.0.0.1" }));
  return {
    ...spec,
    application: "a",
    environment: "e",
    verification: { ...spec.verification, path: "/", host: "h" },
    endpoints: { blue: tame(endpoints.blue), green: tame(endpoints.green) },
    proxy: {
      ...proxy,
      host: "127.0.0.1",
      tls: proxy.tls === null ? null : { ...proxy.tls, certificate: "tls/site.pem" },
    },
  };
}

/** Where a director would take it, its files have the form of those of a harmless one. */
function expectNothingAdded(document: unknown): void {
  const parsed = z.safeParse(DirectorSpec, document);
  if (!parsed.success) return;
  const spec = parsed.data;
  expect(haproxySkeleton(spec)).toEqual(haproxySkeleton(harmless(spec)));
  expect(nginxSkeleton(spec)).toEqual(nginxSkeleton(harmless(spec)));
  const settings = new EmbeddedConfigurator(spec).files()["embedded-proxy.json"]!;
  expect(JSON.parse(settings)).toMatchObject({ host: spec.proxy.host, port: spec.proxy.port });
}

test("no text of a spec adds a line, a directive or a word", () => {
  const [spec] = fc.sample(specs, { numRuns: 1, seed: 1 });
  const tls = { port: 8443, certificate: "tls/site.pem" };
  const preview = { sha256: SHA256, md5: "b".repeat(32) };
  const verification = { ...spec!.verification, path: "/health", host: "shop.example.org" };
  const http = { ...spec!.proxy.http, trusted: ["10.1.0.0/24"], hosts: ["shop.example.org"] };
  const activation = {
    activate: { method: "POST", path: "/internal/start-jobs" },
    deactivate: { method: "POST", path: "/internal/stop-jobs" },
  };
  const full = { ...spec!, preview, verification, activation, proxy: { ...spec!.proxy, tls, http } };
  expectNothingAdded(full);
  for (const changed of everyTextChanged(full)) expectNothingAdded(changed);
});

test("nor does a spec with any other changes", () => {
  fc.assert(fc.property(mutated(specs), expectNothingAdded), runs(1));
});

test.each([
  "127.0.0.1:80\n  stats enable",
  "127.0.0.1:80 ssl crt /etc/x",
  "127.0.0.1;} server { listen 1",
  "",
  "*",
  "unix@/tmp/x",
])("a proxy's address %j is refused", (host) => {
  const [spec] = fc.sample(specs, 1);
  const changed = { ...spec, proxy: { ...spec!.proxy, host } };
  expect(z.safeParse(DirectorSpec, changed).success).toBe(false);
});

const traffics: fc.Arbitrary<Traffic> = fc.record({
  live: fc.constantFrom("blue", "green", null),
  weight: fc.integer({ min: 0, max: 100 }),
  offset: fc.integer({ min: 0, max: 99 }),
  mode: fc.constantFrom("serve", "hold", "page"),
  fallback: fc.boolean(),
});

/** How many of each side are timed, and whether clients are counted. */
const measures = fc.record({ timed: fc.integer({ min: 0, max: 50 }), clients: fc.boolean() });

/** HAProxy's answer to `show map`. */
const shown = (lines: readonly string[]) => lines.map((line) => `0x55d0c0ffee00 ${line}\n`).join("");

test("what HAProxy is told of its traffic is read as it was written, a line each, in whatever order", () => {
  fc.assert(
    fc.property(traffics, measures, (traffic, measured) => {
      const lines = trafficMap(traffic, measured).split("\n");
      expect(lines.pop()).toBe("");
      for (const line of lines) expect(line).toMatch(/^(;?[a-z]+|[0-9]{1,2}|;[a-z]+=[a-z0-9=&]+) \d+$/);
      const answer = shown(lines.reverse());
      expect([shownTraffic(answer), shownMeasured(answer)]).toEqual([traffic, measured]);
    }),
    runs(),
  );
});

test("a traffic map in which one line was changed is not what was written", () => {
  const place = fc.record({ line: fc.nat(), number: fc.integer({ min: 11, max: 99 }) });
  fc.assert(
    fc.property(traffics, measures, place, (traffic, measured, { line, number }) => {
      const lines = trafficMap(traffic, measured).trim().split("\n");
      const at = line % lines.length;
      lines[at] = lines[at]!.replace(/\d+$/, String(number));
      expect(shownTraffic(shown(lines))).not.toEqual(traffic);
      expect(shownMeasured(shown(lines))).toBeNull();
    }),
    runs(),
  );
});

test("a traffic value that somebody changed is refused, or read as one that could have been written", () => {
  const entries = traffics.map((traffic) => trafficEntries(traffic));
  fc.assert(
    fc.property(mutated(entries), (changed) => {
      let read: Traffic;
      try {
        read = parseTraffic(new Map(pairsIn(changed)));
      } catch (error) {
        expect((error as Error).message).not.toMatch(/\n/);
        return;
      }
      expect(["blue", "green", null]).toContain(read.live);
      expect(read.weight).toBeGreaterThanOrEqual(0);
      expect(read.weight).toBeLessThanOrEqual(100);
    }),
    runs(2),
  );
});

/** What is left of a list of pairs: a map takes nothing else. */
function pairsIn(changed: unknown): [string, string][] {
  return Array.isArray(changed)
    ? changed.filter((each): each is [string, string] => Array.isArray(each))
    : [];
}

describe.each([
  ["haproxy", haproxy],
  ["nginx", nginx],
] as const)("%s", (name, kind) => {
  describeWith(kind)("the program", () => {
    test("accepts the configuration of any environment", () => {
      const accepted = fc.property(specs, (spec) => expect(complaintOf(spec, name)).toBe(""));
      fc.assert(accepted, runs(0.06));
    });
  });
});
