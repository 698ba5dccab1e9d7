import { emptyRecord, target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Observed } from "../../release/transitions";
import * as transitions from "../../release/transitions";
import { releaseId } from "../../release/release";
import { otherSlot } from "../../release/slot";
import { environmentWith, synthesize } from "./synthesis";
import type { SynthesizedStack } from "./synthesis";

const sideBySide = environmentWith();
const split = environmentWith({
  topology: "split",
  schedule: { strategy: "blueGreen", afterPromotion: "converge" },
});

function candidate(version: string) {
  return { version, artifact: { url: `https://store.example/${version}.zip`, sha256: "a".repeat(64) } };
}

/** The record after these versions were released one after another, all promoted. */
function after(versions: readonly string[], environment = sideBySide): ReleaseRecord {
  return versions.reduce<ReleaseRecord>((record, version) => {
    const observed: Observed =
      record.sequence === 0
        ? { live: null, releaseId: null, serving: [] }
        : { live: record.active, releaseId: releaseId(target(record)!), serving: [record.active] };
    return transitions.release(record, candidate(version), observed, {
      environmentSchedule: environment.schedule,
    });
  }, emptyRecord("socialgoal"));
}

function graph(stack: SynthesizedStack): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(stack.resources).map(([id, { depends_on = [] }]) => [id, depends_on]),
  );
}

test("the addresses of base are public and stay as they are", () => {
  expect(synthesize(sideBySide, emptyRecord("socialgoal")).base.addresses).toEqual([
    "terraform_data.proxy-1_6F01E083",
    "terraform_data.proxy-1_director_A3078DF1",
    "terraform_data.proxy-1_folder_F0999FA9",
    "terraform_data.web-1_18B4D3DD",
    "terraform_data.web-2_ACF93DD4",
  ]);
});

test("the addresses of web are public and stay as they are, side by side", () => {
  expect(synthesize(sideBySide, after(["1.0.0"])).web.addresses).toEqual([
    "terraform_data.begin-proxy-1",
    "terraform_data.converge-blue-web-1",
    "terraform_data.converge-blue-web-2",
    "terraform_data.converge-green-web-1",
    "terraform_data.converge-green-web-2",
    "terraform_data.install-blue-web-1",
    "terraform_data.install-blue-web-2",
    "terraform_data.install-green-web-1",
    "terraform_data.install-green-web-2",
    "terraform_data.share-proxy-1",
    "terraform_data.switch-proxy-1",
  ]);
});

test("the addresses of web are public and stay as they are, split and with two proxies", () => {
  const environment = environmentWith({ topology: "split", proxies: { count: 2 } });
  expect(synthesize(environment, after(["1.0.0"])).web.addresses).toEqual([
    "terraform_data.begin-proxy-1",
    "terraform_data.begin-proxy-2",
    "terraform_data.converge-blue-web-1",
    "terraform_data.converge-green-web-2",
    "terraform_data.install-blue-web-1",
    "terraform_data.install-green-web-2",
    "terraform_data.share-proxy-1",
    "terraform_data.share-proxy-2",
    "terraform_data.switch-proxy-1",
    "terraform_data.switch-proxy-2",
  ]);
});

test.each([
  ["side by side", sideBySide],
  ["split, converging", split],
])("the graph is the same for every record, %s", (_, environment) => {
  const first = after(["1.0.0"], environment);
  const promoted = after(["1.0.0", "1.1.0"], environment);
  const observed: Observed = {
    live: otherSlot(promoted.active),
    releaseId: "1.0.0-1",
    serving: [otherSlot(promoted.active)],
  };
  const records = [
    first,
    promoted,
    after(["1.0.0", "1.1.0", "1.2.0"], environment),
    transitions.cancel(promoted, observed),
  ];
  const graphs = records.map((record) => graph(synthesize(environment, record).web));
  for (const each of graphs) expect(each).toEqual(graphs[0]);
});

test("the graph of a heal is that of every record, and only the healed servers' steps have another name", () => {
  const record = after(["1.0.0", "1.1.0"]);
  const live: Observed = { live: "green", releaseId: "1.1.0-2", serving: ["green"] };
  const before = synthesize(sideBySide, record).web;
  const healed = synthesize(sideBySide, transitions.heal(record, live, ["web-2"])).web;
  expect(graph(healed)).toEqual(graph(before));
  const renamed = Object.keys(before.resources).filter(
    (id) =>
      before.resources[id]!.count !== 0 &&
      before.resources[id]!.triggers_replace !== healed.resources[id]!.triggers_replace,
  );
  expect(renamed.sort()).toEqual([
    "begin-proxy-1",
    "install-blue-web-2",
    "install-green-web-2",
    "switch-proxy-1",
  ]);
  expect(healed.resources["install-green-web-2"]).toMatchObject({ triggers_replace: "heal-green-3" });
});

test("a heal after a convergence installs what both halves serve, and converges nothing", () => {
  const record = after(["1.0.0"], split);
  expect(record).toMatchObject({ converge: true, slots: { green: null } });
  const shared: Observed = { live: "blue", releaseId: "1.0.0-1", serving: ["blue", "green"] };
  const { resources } = synthesize(split, transitions.heal(record, shared, ["web-2"])).web;
  const { provisioner, triggers_replace, count } = resources["install-green-web-2"]!;
  expect({ triggers_replace, count }).toEqual({ triggers_replace: "heal-green-2", count: undefined });
  expect(provisioner[0]!["local-exec"].environment["RELEASE_ID"]).toBe("1.0.0-1");
  for (const id of ["converge-green-web-2", "share-proxy-1"]) expect(resources[id]!.count).toBe(0);
});

test("a record that heals a server which is not there is refused", () => {
  const record = { ...after(["1.0.0"]), sequence: 2, heals: { "web-3": 2 } };
  expect(() => synthesize(sideBySide, record)).toThrow('there is no server "web-3" in test: web-1, web-2');
});

test("the slots of one server are installed one after another, servers beside each other", () => {
  const edges = graph(synthesize(sideBySide, after(["1.0.0"])).web);
  const ofInstalls = Object.entries(edges).filter(([id]) => id.startsWith("install-"));
  expect(Object.fromEntries(ofInstalls)).toEqual({
    "install-blue-web-1": ["terraform_data.begin-proxy-1"],
    "install-blue-web-2": ["terraform_data.begin-proxy-1"],
    "install-green-web-1": ["terraform_data.begin-proxy-1", "terraform_data.install-blue-web-1"],
    "install-green-web-2": ["terraform_data.begin-proxy-1", "terraform_data.install-blue-web-2"],
  });
});

test("steps follow one another: begin, installs, proxy after proxy, converge, share", () => {
  const environment = environmentWith({ topology: "split", proxies: { count: 2 } });
  const edges = graph(synthesize(environment, after(["1.0.0"])).web);
  expect(edges["begin-proxy-1"]).toEqual([]);
  expect(edges["install-green-web-2"]).toEqual([
    "terraform_data.begin-proxy-1",
    "terraform_data.begin-proxy-2",
  ]);
  expect(edges["switch-proxy-1"]).toEqual([
    "terraform_data.install-blue-web-1",
    "terraform_data.install-green-web-2",
  ]);
  expect(edges["switch-proxy-2"]).toEqual(["terraform_data.switch-proxy-1"]);
  expect(edges["converge-blue-web-1"]).toEqual([
    "terraform_data.switch-proxy-1",
    "terraform_data.switch-proxy-2",
  ]);
  expect(edges["share-proxy-1"]).toEqual([
    "terraform_data.converge-blue-web-1",
    "terraform_data.converge-green-web-2",
  ]);
});

test("a release renames the steps of the idle slot and of the proxies, and nothing else", () => {
  const names = (record: ReleaseRecord) =>
    Object.fromEntries(
      Object.entries(synthesize(sideBySide, record).web.resources).map(([id, { triggers_replace }]) => [
        id,
        triggers_replace,
      ]),
    );
  const before = names(after(["1.0.0", "1.1.0"]));
  const now = names(after(["1.0.0", "1.1.0", "1.2.0"]));
  const renamed = Object.keys(now).filter((id) => now[id] !== before[id] && !/^(converge|share)-/.test(id));
  expect(renamed.sort()).toEqual([
    "begin-proxy-1",
    "install-blue-web-1",
    "install-blue-web-2",
    "switch-proxy-1",
  ]);
  expect(now["install-blue-web-1"]).toBe("install-blue-1.2.0-3");
});

test("an edit that forgets the sequence runs begin, which refuses it", () => {
  const record = after(["1.0.0", "1.1.0"]);
  const begin = (edited: ReleaseRecord) =>
    synthesize(sideBySide, edited).web.resources["begin-proxy-1"]!.triggers_replace;
  expect(begin({ ...record, active: otherSlot(record.active) })).not.toBe(begin(record));
  expect(begin({ ...record, goal: 50 })).not.toBe(begin(record));
  expect(begin(record)).toMatch(/^begin-2-[0-9a-f]{8}$/);
});

test("only a converging record runs converge on the idle slot's servers, and share", () => {
  const needed = (record: ReleaseRecord, environment = split) =>
    Object.entries(synthesize(environment, record).web.resources)
      .filter(([id, { count }]) => /^(converge|share)-/.test(id) && count !== 0)
      .map(([id]) => id);
  expect(needed(after(["1.0.0", "1.1.0"], split))).toEqual(["converge-blue-web-1", "share-proxy-1"]);
  expect(needed(after(["1.0.0", "1.1.0"]), sideBySide)).toEqual([]);
});

test("every step is created before its predecessor's record goes", () => {
  const { resources } = synthesize(sideBySide, after(["1.0.0"])).web;
  for (const { lifecycle } of Object.values(resources))
    expect(lifecycle).toEqual({ create_before_destroy: true });
});

test("web holds nothing but steps: it can't destroy infrastructure", () => {
  const { resources, addresses } = synthesize(sideBySide, after(["1.0.0", "1.1.0"])).web;
  expect(addresses.every((address) => address.startsWith("terraform_data."))).toBe(true);
  for (const { provisioner } of Object.values(resources)) {
    expect(provisioner.map((each) => each["local-exec"].when ?? "create")).toEqual(["create"]);
  }
});

test("before the first release web is empty", () => {
  expect(synthesize(sideBySide, emptyRecord("socialgoal")).web.addresses).toEqual([]);
});

test("neither the schedule nor the verification is what runs a step", () => {
  const record = after(["1.0.0", "1.1.0"]);
  const triggers = (environment = sideBySide) =>
    Object.values(synthesize(environment, record).web.resources).map((resource) => resource.triggers_replace);
  const changed = environmentWith({
    schedule: { strategy: "canary", stepSeconds: 7 },
    verification: { successes: 9 },
  });
  expect(triggers(changed)).toEqual(triggers());
});

test("the synthesized stacks name no folder of this machine", () => {
  const { base, web } = synthesize(sideBySide, after(["1.0.0"]));
  const relativeToRoot = (text: string) => text.replaceAll(/\.\.\/[^"]*/g, "");
  for (const { text } of [base, web]) expect(relativeToRoot(text)).not.toContain(process.cwd());
});

test("destroying base stops what it started", () => {
  const { resources } = synthesize(sideBySide, emptyRecord("socialgoal")).base;
  const stopping = Object.entries(resources).filter(([, { provisioner }]) =>
    provisioner.some((each) => each["local-exec"].when === "destroy"),
  );
  expect(stopping.map(([id]) => id).sort()).toEqual([
    "proxy-1_6F01E083",
    "proxy-1_folder_F0999FA9",
    "web-1_18B4D3DD",
    "web-2_ACF93DD4",
  ]);
});

test("a record of another application is refused", () => {
  expect(() => synthesize(sideBySide, { ...emptyRecord("shop"), sequence: 1 })).toThrow(
    'the record is for application "shop", the environment for "socialgoal"',
  );
});
