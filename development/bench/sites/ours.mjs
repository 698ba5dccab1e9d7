/**
 * A proxy as the local platform starts it, with one instance for each slot. Proxy and driver are unchanged for the
 * measurement.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { HOST, openPlace, REPOSITORY, run, until } from "./place.mjs";

/** The interval at which a director reads the counters, so that HAProxy's driver adapts to the traffic. */
const LOOK_MS = 250;

/** With affinity: whose clients stay. */
const KEPT = { blue: "1.0.0-1", green: "1.1.0-2" };

/**
 * Its folder becomes the working directory, where the driver finds its proxy.
 * @returns the site's address, the driver, how to change the traffic, the director's files, and how to end it all.
 */
export async function startOurs(driverName, instances = "node", affinity = "none") {
  const lib = (file) => join(REPOSITORY, "lib", file);
  if (!existsSync(lib("on-server/director.js"))) throw new Error("lib/ is not built: npm run build");
  const { parseEnvironment } = await import(lib("configuration/environment-file.js"));
  const { directorSpec, encodeSpec } = await import(lib("configuration/director-spec.js"));
  const { serverTokens } = await import(lib("configuration/sessions.js"));
  const { emptyRecord } = await import(lib("release/record.js"));

  const place = await openPlace(instances);
  const environment = parseEnvironment(JSON.stringify(environmentFile(driverName, affinity)), "bench");
  const placed = directorSpec(environment, emptyRecord("bench"), 0);
  const endpoint = (port) => [{ server: "web-1", host: HOST, port }];
  const spec = {
    ...placed,
    proxy: { ...placed.proxy, port: place.port },
    endpoints: { blue: endpoint(place.blue), green: endpoint(place.green) },
  };
  const proxyFolder = join(place.folder, "proxy");
  mkdirSync(proxyFolder);
  const script = (name) =>
    run("bash", [lib(`on-server/local/${name}`)], {
      env: {
        ...process.env,
        PROJECT_FOLDER: place.folder,
        SERVER_FOLDER: "proxy",
        DIRECTOR_BUNDLE: lib("on-server/director.js"),
        DIRECTOR_SPEC: encodeSpec(spec),
        PROXY_DRIVER: driverName,
        PROXY_ADDRESS: `${HOST}:${place.port}`,
        PROXY_BUNDLE: lib("on-server/embedded-proxy.js"),
      },
    });
  const home = process.cwd();
  place.atEnd(() => {
    process.chdir(home);
    script("stop-server.sh");
  });
  try {
    script("install-director.sh");
    script("start-proxy.sh");
    process.chdir(proxyFolder);
    const { KINDS } = await compiledDirector(place.folder);
    const driver = KINDS[driverName].driver(spec);
    await until(() => bothHealthy(driver), "both slots being healthy");
    // As the director does it: while both slots get requests, each fails over to the other, and both are watched.
    let looks;
    const stopLooking = () => clearInterval(looks);
    place.atEnd(stopLooking);
    const change = async ({ live, weight, offset = 0 }) => {
      if (weight > 0) await driver.measureLatencies?.(true);
      const sessions = affinity === "none" ? {} : { sessions: KEPT };
      await driver.setTraffic({ live, weight, offset, mode: "serve", fallback: weight > 0, ...sessions });
      stopLooking();
      if (weight > 0) looks = setInterval(() => driver.counts().catch(() => undefined), LOOK_MS);
    };
    const [{ token }] = affinity === "none" ? [{}] : serverTokens(spec, KEPT);
    return { ...place, driver, change, token, spec: encodeSpec(spec) };
  } catch (error) {
    await place.close();
    throw error;
  }
}

function environmentFile(driverName, affinity) {
  return {
    formatVersion: 1,
    application: "bench",
    name: "bench",
    record: "release.json",
    platform: { kind: "local" },
    topology: "sideBySide",
    servers: { count: 1 },
    proxies: { driver: driverName },
    start: ["node", "server.js"],
    verification: { path: "/" },
    ...(affinity === "none" ? {} : { sessions: { affinity } }),
  };
}

/** Bundles the drivers, which are otherwise only in the director's bundle. */
async function compiledDirector(folder) {
  const outfile = join(folder, "director.mjs");
  await build({
    absWorkingDir: REPOSITORY,
    stdin: {
      contents: `export { KINDS } from "./drivers/kinds";`,
      resolveDir: join(REPOSITORY, "on-server/director"),
    },
    outfile,
    bundle: true,
    platform: "node",
    target: "node18",
    format: "esm",
    logLevel: "warning",
  });
  return import(pathToFileURL(outfile).href);
}

async function bothHealthy(driver) {
  const { blue, green } = await driver.counts();
  return [blue, green].every(({ endpoints }) => endpoints.every(({ healthy }) => healthy));
}
