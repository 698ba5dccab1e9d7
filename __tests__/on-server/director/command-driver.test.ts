/** A driver that is somebody else's program: what it is told, and that nothing it says is believed unread. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandDriver } from "../../../on-server/director/drivers/command/command-driver";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import type { Traffic } from "../../../on-server/director/drivers/driver";
import { directorSpec } from "../../../configuration/director-spec";
import { customEnvironment } from "../../../configuration/custom-environment";
import { emptyRecord } from "../../../release/record";
import { until } from "../../../development/testbed/processes";

const TO_GREEN: Traffic = { live: "blue", weight: 25, offset: 7, mode: "serve", fallback: true };
const SERVED: Traffic = { ...TO_GREEN, weight: 100 };

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-driver-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** @param body of a program that has `question` and `state`, a file that stays; it returns the answer. */
function driver(body: string, timeoutSeconds = 5): CommandDriver {
  const file = join(folder, "driver.js");
  const head = `const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const question = JSON.parse(readFileSync(0, "utf8"));
const state = ${JSON.stringify(join(folder, "state.json"))};`;
  writeFileSync(file, `${head}\nconst answer = (() => {${body}\n})();\nconsole.log(JSON.stringify(answer));`);
  return driverOf([process.execPath, file], timeoutSeconds);
}

function driverOf(program: string[], timeoutSeconds = 5): CommandDriver {
  const environment = customEnvironment({
    application: "demo",
    name: "test",
    servers: [{ name: "app-01", host: "127.0.0.1", ports: { blue: 1, green: 2 } }],
    proxies: [{ name: "lb-01", host: "127.0.0.1", port: 80 }],
    driver: "command",
    driverCommand: { program, timeoutSeconds },
  });
  return new CommandDriver(directorSpec(environment, emptyRecord("demo"), 0));
}

const REMEMBERS = `
  if (question.operation === "setTraffic") writeFileSync(state, JSON.stringify(question.traffic));
  if (question.operation === "observe")
    return { traffic: existsSync(state) ? JSON.parse(readFileSync(state, "utf8")) : ${JSON.stringify(CLOSED)} };
  return {};`;

test("what was set is what is observed", async () => {
  const remembering = driver(REMEMBERS);
  expect(await remembering.observe()).toEqual(CLOSED);
  await remembering.setTraffic(TO_GREEN);
  expect(await remembering.observe()).toEqual(TO_GREEN);
});

test("it is told the operation, the proxy and the slots' endpoints", async () => {
  const writing = driver("writeFileSync(state, JSON.stringify(question)); return {};");
  await writing.exclude("green", ["app-01"]);
  expect(JSON.parse(readFileSync(join(folder, "state.json"), "utf8"))).toEqual({
    formatVersion: 1,
    operation: "exclude",
    slot: "green",
    servers: ["app-01"],
    proxy: { name: "lb-01", host: "127.0.0.1", port: 80 },
    endpoints: {
      blue: [{ server: "app-01", host: "127.0.0.1", port: 1 }],
      green: [{ server: "app-01", host: "127.0.0.1", port: 2 }],
    },
  });
});

test("counts are read as every driver's; latencies may be missing", async () => {
  const counts = {
    requests: 3,
    errors: 1,
    inFlight: 0,
    endpoints: [{ server: "app-01", healthy: true, inRotation: true }],
  };
  const counting = driver(`return { counts: { blue: ${JSON.stringify({ ...counts, latency: { 12: 3 } })},
    green: ${JSON.stringify(counts)} } };`);
  expect(await counting.counts()).toEqual({
    blue: { ...counts, latency: { 12: 3 } },
    green: { ...counts, latency: {} },
  });
});

test("counts by client are optional; of many, those with most errors are read", async () => {
  const counting = driver(`
    const clients = Object.fromEntries(Array.from({ length: 1500 }, (_, n) =>
      ["10.0." + (n >> 8) + "." + (n & 255) + "|7", { requests: 2000, errors: n, latency: { 5: 2 } }]));
    const empty = { requests: 0, errors: 0, inFlight: 0, endpoints: [{ server: "app-01", healthy: true, inRotation: true }] };
    return { counts: { blue: { ...empty, clients }, green: empty } };`);
  const { blue, green } = await counting.counts();
  expect(green.clients).toBeUndefined();
  expect(Object.keys(blue.clients!)).toHaveLength(1000);
  expect(blue.clients!["10.0.5.219|7"]).toEqual({ requests: 2000, errors: 1499, latency: { 5: 2 } });
  expect(blue.clients!["10.0.0.0|7"]).toBeUndefined();
});

test("answers by class, by client and by endpoint are optional, and so are pages", async () => {
  const counts = {
    ...{
      requests: 9,
      errors: 3,
      inFlight: 0,
      latency: {},
      classes: { "2xx": 5, "4xx": 1, "5xx": 2, none: 1 },
    },
    clients: { "10.0.0.1|7": { requests: 4, errors: 1, latency: {}, classes: { "2xx": 3, none: 1 } } },
    endpoints: [{ server: "app-01", healthy: true, inRotation: true, requests: 9, errors: 3 }],
  };
  const pages = [
    "/",
    "/a?b=1",
    "//elsewhere.example/",
    "http://elsewhere.example/",
    "/health",
    '/"',
    "/\u0000",
    "/b",
  ];
  const many = [...pages, ...Array.from({ length: 50 }, (_, number) => `/page/${number}`)];
  const counting = driver(
    `return ${JSON.stringify({ counts: { blue: counts, green: { ...counts, classes: undefined } }, pages: many })};`,
  );
  const { blue, green } = await counting.counts();
  expect(blue).toEqual(counts);
  expect(green.classes).toBeUndefined();
  const found = await counting.popularPages();
  expect(found.slice(0, 4)).toEqual(["/", "/a", "/b", "/page/0"]);
  expect(found).toHaveLength(20);
  const { pages: _, ...without } = { pages, counts: { blue: counts, green: counts } };
  expect(await driver(`return ${JSON.stringify(without)};`).popularPages()).toEqual([]);
});

test.each([
  [
    "another sum of failures",
    { "2xx": 2, "5xx": 1 },
    /counts\.blue\.classes.*5xx and none must be the errors/,
  ],
  ["a class that there is not", { "6xx": 2, none: 3 }, /counts\.blue\.classes/],
  ["less than nothing", { "2xx": -1, none: 3 }, /counts\.blue\.classes/],
])("classes with %s are an invalid answer", async (_, classes, words) => {
  const empty = { requests: 5, errors: 3, inFlight: 0, endpoints: [] };
  const counting = driver(`return { counts: { blue: ${JSON.stringify({ ...empty, classes })},
    green: ${JSON.stringify(empty)} } };`);
  await expect(counting.counts()).rejects.toThrow(words);
});

test("a client that is no address is an invalid answer", async () => {
  const counting = driver(`
    const empty = { requests: 0, errors: 0, inFlight: 0, endpoints: [] };
    const clients = { "a b": { requests: 1, errors: 0 } };
    return { counts: { blue: { ...empty, clients }, green: empty } };`);
  await expect(counting.counts()).rejects.toThrow(/gave an invalid answer: counts\.blue\.clients/);
});

test("a program that serves something else than it was told is found out", async () => {
  const lying = driver(
    `return question.operation === "observe" ? { traffic: ${JSON.stringify(SERVED)} } : {};`,
  );
  await expect(lying.setTraffic(TO_GREEN)).rejects.toThrow(
    /^the proxy serves \{"live":"blue","weight":100.*, but its driver was asked to set \{"live":"blue","weight":25/,
  );
});

test.each([
  [
    "fails",
    `console.error("line one\\nout of \\u001b[31mweights"); process.exit(3);`,
    /asked to observe, ended with exit code 3: out of \?\[31mweights$/,
  ],
  ["says nothing", "process.exit(0);", /asked to observe, answered with invalid JSON$/],
  ["says something else", "return { weight: 3 };", /gave an invalid answer: traffic must be of type object$/],
  [
    "gives 101 per cent",
    `return { traffic: ${JSON.stringify({ ...SERVED, weight: 101 })} };`,
    /traffic\.weight must be at most 100$/,
  ],
  ["talks too much", `return { traffic: "x".repeat(2 ** 21) };`, /answered with more than 1 MiB$/],
])("a program that %s has failed, in one line", async (_, body, words) => {
  await expect(driver(body).observe()).rejects.toThrow(words);
});

test("a program that is not there has failed", async () => {
  await expect(driverOf([join(folder, "nowhere")]).observe()).rejects.toThrow(
    /nowhere, asked to observe, can't be started: spawn .* ENOENT$/,
  );
});

test("counts without an endpoint are no counts: its health would be anybody's guess", async () => {
  const empty = { requests: 0, errors: 0, inFlight: 0, endpoints: [] };
  const forgetful = driver(`return { counts: ${JSON.stringify({ blue: empty, green: empty })} };`);
  await expect(forgetful.counts()).rejects.toThrow(/answered without app-01 in blue/);
});

test("one that takes too long is ended, with all that it started", async () => {
  const alive = join(folder, "alive");
  const hanging = driver(
    `require("node:child_process").execSync(${JSON.stringify(`echo $$ >${alive}; exec sleep 600`)}); return {};`,
    3,
  );
  await expect(hanging.observe()).rejects.toThrow(/asked to observe, did not end within 3 s and was killed$/);
  const pid = readFileSync(alive, "utf8").trim();
  const runs = () => existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  await until(() => !runs(), "what it started has ended");
});
