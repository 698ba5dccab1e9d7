/** What a release measures while it runs: which requests an environment asks for, and that measuring never fails it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { environmentLoad } from "../../../cli/measure/environment-load";
import { nothingToObserve, startObservation, type Observation } from "../../../cli/measure/observation";
import { MeasuredRequests } from "../../../release/receipt";
import { Application, until, worker } from "../load/application";
import { endOnRequest } from "../load/end-on-request";
import { azureEnvironment } from "../../configuration/azure/examples";
import { environmentOf } from "../../release/examples";

const RATE_AND_PATH = { rate: 10, gets: [{ path: "/health", status: 200 }], releaseHeader: "x-release-id" };
const ADDRESS = "203.0.113.7";

test("on this machine: what verification asks, ten times a second, at the first proxy", () => {
  expect(environmentLoad(environmentOf()).plan).toEqual({
    origin: "http://127.0.0.1:18080",
    ...RATE_AND_PATH,
  });
});

test("what the environment says: origin, rate and paths; only the verification's own may answer otherwise than 200", () => {
  const environment = environmentOf({
    verification: { path: "/ready", status: 204, releaseHeader: null },
    measurement: { origin: "https://shop.example.com", rate: 2.5, paths: ["/", "/ready"] },
  });
  expect(environmentLoad(environment).plan).toEqual({
    origin: "https://shop.example.com",
    rate: 2.5,
    gets: [
      { path: "/", status: 200 },
      { path: "/ready", status: 204 },
    ],
    releaseHeader: null,
  });
});

test.each([
  ["http://127.0.0.1:18080", "shop.example.com"],
  ["http://localhost:8080", "shop.example.com"],
  [`https://${ADDRESS}`, "shop.example.com"],
  ["http://[2001:db8::1]:8080", "shop.example.com"],
  ["https://www.example.com", undefined],
])("asked at %s, the site's own name is sent as Host: %s", (origin, host) => {
  const environment = environmentOf({ verification: { host: "shop.example.com" }, measurement: { origin } });
  expect(environmentLoad(environment).plan?.headers?.["host"]).toBe(host);
});

test.each([
  [{ domain: "shop.example.com" }, "http://shop.example.com"],
  [{ domain: "shop.example.com", tlsCertificate: "shop" }, "https://shop.example.com"],
])("on Azure with %j it is %s", (platform, origin) => {
  expect(environmentLoad(azureEnvironment(platform)).plan).toEqual({ origin, ...RATE_AND_PATH });
});

test.each([
  [azureEnvironment(), /^the address for users of prod is unknown: set measurement\.origin, or platform/],
  [environmentOf({ measurement: { rate: 0 } }), /^measurement\.rate is 0$/],
])("nothing is measured, and a sentence says why (%#)", async (environment, words) => {
  const observation = await startObservation({ environment });
  expect(observation.snapshot()).toBeNull();
  expect(await observation.stop()).toEqual({ requests: null, notMeasured: expect.stringMatching(words) });
});

test("before a first release nobody is served, and that is no failure", async () => {
  const observation = nothingToObserve("nothing was live before");
  expect(await observation.stop()).toEqual({ requests: null, notMeasured: "nothing was live before" });
  await observation.kill();
});

describe("while a sequence runs", () => {
  let application: Application;
  let observation: Observation | undefined;

  beforeEach(async () => {
    application = await Application.listen();
  });
  afterEach(async () => {
    await observation?.kill();
    await application.close();
  });

  const environment = () => environmentOf({ measurement: { origin: application.origin, rate: 100 } });
  const start = async () => (observation = await startObservation({ environment: environment() }, worker));

  test("the figures are those of a receipt", async () => {
    const { snapshot, stop } = await start();
    expect(snapshot()).toBeNull();
    await until(() => snapshot() !== null);
    application.release = "1.1.0-2";
    const before = application.seen.length;
    await until(() => application.seen.length >= before + 20);
    const { requests, notMeasured } = await stop();

    expect(notMeasured).toBeNull();
    expect(MeasuredRequests.safeParse(requests).error).toBeUndefined();
    expect(requests).toMatchObject({ origin: application.origin, rate: 100, failed: 0, acknowledged: 0 });
    expect(Object.keys(requests?.versions ?? {})).toEqual(["1.0.0-1", "1.1.0-2"]);
    expect(requests?.timeline.reduce((sum, { sent }) => sum + sent, 0)).toBe(application.seen.length);
    expect(new Set(application.seen.map(({ method, path }) => `${method} ${path}`))).toEqual(
      new Set(["GET /health"]),
    );
    expect((await stop()).requests?.sent).toBe(requests?.sent);
  });

  test("if the process that sends them dies, the receipt says so", async () => {
    const end = endOnRequest();
    const dies = { ...worker, execArgv: [...worker.execArgv, "--import", end.module] };
    observation = await startObservation({ environment: environment() }, dies);
    await until(() => application.seen.length > 0);
    end.request();
    await until(() => application.open === 0);
    expect(await observation.stop()).toEqual({
      requests: null,
      notMeasured: "the load process ended unexpectedly (exit code 7)",
    });
  });

  test("if it can't be started, the receipt says so", async () => {
    observation = await startObservation(
      { environment: environment() },
      { ...worker, workerEntry: "/nowhere/worker.ts" },
    );
    const { notMeasured } = await observation.stop();
    expect(notMeasured).toMatch(/^the load process ended unexpectedly \(exit code 1\): .*Cannot find module/);
  });

  /** Another process that starts an observation, as a release would. */
  const command = (before: string, then: string) => {
    const module = join(__dirname, "../../../cli/measure/observation.ts");
    const script = `
      const { startObservation } = require(${JSON.stringify(module)});
      ${before};
      startObservation({ environment: ${JSON.stringify(environment())} }).then(${then});
    `;
    return spawn(process.execPath, [...worker.execArgv, "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  };

  test("if the process can't even be created, the receipt says so", async () => {
    const told = "async (observation) => console.log(JSON.stringify(await observation.stop()))";
    const { stdout } = command(`process.execPath = "/nowhere/node"`, told);
    let printed = "";
    for await (const chunk of stdout) printed += String(chunk);
    expect(JSON.parse(printed)).toEqual({
      requests: null,
      notMeasured: "the load process ended unexpectedly (spawn /nowhere/node ENOENT)",
    });
  });

  test("it ends with the command, even if that is killed", async () => {
    const release = command("setInterval(() => undefined, 1000)", "() => undefined");
    await until(() => application.seen.length >= 10);
    release.kill("SIGKILL");
    await until(() => application.open === 0);
  });
});
