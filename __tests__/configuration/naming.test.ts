/** The contract between base and web: no two things share a name, a folder or a port. */
import * as fc from "fast-check";
import type { LocalEnvironment } from "../../configuration/environment";
import {
  dataFolder,
  proxyPlaces,
  serverFolder,
  refuseUnknownMachines,
  serverPlaces,
  slotEndpoints,
  stateFile,
} from "../../configuration/naming";
import { stepId, stepName } from "../../release/steps";
import type { ReleaseRecord } from "../../release/record";
import { SLOTS } from "../../release/slot";
import { complaint, environmentOf, recordOf, releaseOf } from "../release/examples";

/** What Azure accepts as the name of a run command. */
const RUN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;

const sizes = fc.record({
  topology: fc.constantFrom("split" as const, "sideBySide" as const),
  servers: fc.integer({ min: 2, max: 20 }),
  proxies: fc.integer({ min: 1, max: 8 }),
  portBase: fc.integer({ min: 1024, max: 65_000 }),
});

function sized(size: {
  topology: string;
  servers: number;
  proxies: number;
  portBase: number;
}): LocalEnvironment {
  return environmentOf({
    topology: size.topology,
    servers: { count: size.servers },
    proxies: { count: size.proxies },
    platform: { kind: "local", portBase: size.portBase },
  });
}

test("every proxy and every slot on every server has its own port", () => {
  for (const topology of ["split", "sideBySide"]) {
    for (let servers = topology === "split" ? 2 : 1; servers <= 20; servers++) {
      for (let proxies = 1; proxies <= 8; proxies++) {
        const environment = sized({ topology, servers, proxies, portBase: 65_000 });
        const { blue, green } = slotEndpoints(environment);
        const ports = [...proxyPlaces(environment), ...blue, ...green].map(({ port }) => port);
        expect(new Set(ports).size).toBe(proxies + servers * (topology === "split" ? 1 : 2));
        expect(Math.min(...ports)).toBeGreaterThanOrEqual(65_000);
        expect(Math.max(...ports)).toBeLessThanOrEqual(65_535);
      }
    }
  }
});

test("every server and proxy has its own name and folder", () => {
  fc.assert(
    fc.property(sizes, (size) => {
      const environment = sized(size);
      const names = [...serverPlaces(environment), ...proxyPlaces(environment)].map(({ name }) => name);
      const folders = [...names.map((name) => serverFolder(environment, name)), dataFolder(environment)];
      const files = ["base", "web"].map((stack) => stateFile(environment, stack));
      expect(new Set([...folders, ...files]).size).toBe(size.servers + size.proxies + 3);
    }),
  );
});

test("more servers or proxies leave the names, ports and slots of the others alone", () => {
  fc.assert(
    fc.property(sizes, (size) => {
      const environment = sized(size);
      const larger = sized({ ...size, servers: 20, proxies: 8 });
      expect(proxyPlaces(larger)).toEqual(expect.arrayContaining(proxyPlaces(environment)));
      for (const slot of SLOTS) {
        expect(slotEndpoints(larger)[slot]).toEqual(
          expect.arrayContaining([...slotEndpoints(environment)[slot]]),
        );
      }
    }),
  );
});

test("side by side, both slots are on every server, on two ports", () => {
  expect(slotEndpoints(environmentOf())).toEqual({
    blue: [
      { server: "web-1", host: "127.0.0.1", port: 18_180 },
      { server: "web-2", host: "127.0.0.1", port: 18_190 },
    ],
    green: [
      { server: "web-1", host: "127.0.0.1", port: 18_181 },
      { server: "web-2", host: "127.0.0.1", port: 18_191 },
    ],
  });
});

test("split, the servers are blue and green in turn; of an odd number blue gets one more", () => {
  const slots = (count: number) =>
    serverPlaces(environmentOf({ topology: "split", servers: { count } })).map((place) => place.slots.join());
  expect(slots(2)).toEqual(["blue", "green"]);
  expect(slots(5)).toEqual(["blue", "green", "blue", "green", "blue"]);
  for (let count = 2; count <= 20; count++) {
    expect(slots(count).filter((slot) => slot === "blue")).toHaveLength(Math.ceil(count / 2));
  }
});

test("split, every server serves one slot on one port", () => {
  expect(slotEndpoints(environmentOf({ topology: "split" }))).toEqual({
    blue: [{ server: "web-1", host: "127.0.0.1", port: 18_180 }],
    green: [{ server: "web-2", host: "127.0.0.1", port: 18_190 }],
  });
});

test("folders are inside the environment's folder", () => {
  const environment = environmentOf();
  expect(serverFolder(environment, "web-1")).toBe(".bluegreen/local/servers/web-1");
  expect(dataFolder(environment)).toBe(".bluegreen/local/data");
  expect(stateFile(environment, "web")).toBe(".bluegreen/local/terraform.web.tfstate");
});

test("the names of steps are public", () => {
  const record = recordOf({ slots: { blue: null, green: releaseOf("2.0.0", 2) } });
  expect({
    begin: stepName.begin(record),
    empty: stepName.install(record, "blue", "web-1"),
    install: stepName.install(record, "green", "web-1"),
    switch: stepName.switch(record),
    converge: stepName.converge(record, "blue"),
    weight: stepName.share(record),
    heal: stepName.install({ ...record, heals: { "web-1": 2 }, sequence: 2 }, "blue", "web-1"),
  }).toEqual({
    begin: expect.stringMatching(/^begin-2-[0-9a-f]{8}$/),
    empty: "empty-blue-2",
    install: "install-green-2.0.0-2",
    switch: expect.stringMatching(/^switch-2-[0-9a-f]{8}$/),
    converge: "converge-blue-2",
    weight: "share-2",
    heal: "heal-blue-2",
  });
});

test("the construct ids of steps are public, as Terraform's addresses are made of them", () => {
  expect({
    begin: stepId.begin("proxy-1"),
    install: stepId.install("blue", "web-1"),
    switch: stepId.switch("proxy-1"),
    converge: stepId.converge("green", "web-2"),
    weight: stepId.share("proxy-1"),
  }).toEqual({
    begin: "begin-proxy-1",
    install: "install-blue-web-1",
    switch: "switch-proxy-1",
    converge: "converge-green-web-2",
    weight: "share-proxy-1",
  });
});

test("the longest names fit Azure", () => {
  const sequence = Number.MAX_SAFE_INTEGER;
  const record = recordOf({
    sequence,
    slots: { blue: null, green: releaseOf("9".repeat(40), sequence) },
  });
  const names = SLOTS.flatMap((slot) => [
    stepName.install({ ...record, heals: { "web-1": sequence } }, "blue", "web-1"),
    stepName.begin(record),
    stepName.install(record, slot, "web-1"),
    stepName.switch(record),
    stepName.converge(record, slot),
    stepName.share(record),
  ]);
  for (const name of names) expect(name).toMatch(RUN_NAME);
});

test("the live slot's install keeps its name from record to record, everything else gets a new one", () => {
  const record = recordOf();
  const later = recordOf({ sequence: 3 });
  expect(stepName.install(later, "blue", "web-1")).toBe(stepName.install(record, "blue", "web-1"));
  expect(stepName.begin(later)).not.toBe(stepName.begin(record));
  expect(stepName.switch(later)).not.toBe(stepName.switch(record));
  expect(stepName.converge(later, "blue")).not.toBe(stepName.converge(record, "blue"));
  expect(stepName.share(later)).not.toBe(stepName.share(record));
});

test("a healed server's install has a separate name until the slot gets another release", () => {
  const names = (record: ReleaseRecord) =>
    ["web-1", "web-2"].map((server) => stepName.install(record, "blue", server));
  const record = recordOf({ sequence: 4, heals: { "web-2": 3 } });
  expect(names(record)).toEqual(["install-blue-1.0.0-1", "heal-blue-3"]);
  expect(names({ ...record, sequence: 5, heals: { "web-1": 5, "web-2": 3 } })).toEqual([
    "heal-blue-5",
    "heal-blue-3",
  ]);
  const released = { ...record, slots: { ...record.slots, blue: releaseOf("3.0.0", 4) } };
  expect(names(released)).toEqual(["install-blue-3.0.0-4", "install-blue-3.0.0-4"]);
  expect(names({ ...record, slots: { ...record.slots, blue: null } })).toEqual([
    "empty-blue-4",
    "empty-blue-4",
  ]);
});

test("a machine that the environment does not have is named, with those that it has", () => {
  expect(() => refuseUnknownMachines(["web-1", "web-2", "proxy-1"], environmentOf())).not.toThrow();
  expect(complaint(() => refuseUnknownMachines(["web-1", "web-3"], environmentOf()))).toBe(
    'there is no server "web-3" in local: web-1, web-2, proxy-1',
  );
});
