/**
 * What a weight change is measured on: a proxy as the local platform starts it, before one instance of each slot. Nothing
 * of the proxy or its driver is made for the measurement.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";

const REPOSITORY = resolve(import.meta.dirname, "..");
const HOST = "127.0.0.1";

/**
 * Starts both in a folder of their own, which becomes the working directory: there the driver finds its proxy.
 * @returns where users come in, the driver, the processes by what they are, and how to end it all.
 */
export async function startProxiedSlots(driverName) {
  const lib = (file) => join(REPOSITORY, "lib", file);
  if (!existsSync(lib("on-server/director.js"))) throw new Error("lib/ is not built: npm run build");
  const { parseEnvironment } = await import(lib("release/environment.js"));
  const { directorSpec, encodeSpec } = await import(lib("release/director-spec.js"));
  const { emptyRecord } = await import(lib("release/record.js"));

  const folder = mkdtempSync(join(tmpdir(), "bluegreen-bench-"));
  const [port, blue, green] = [await freePort(), await freePort(), await freePort()];
  const environment = parseEnvironment(JSON.stringify(environmentFile(driverName)), "bench");
  const placed = directorSpec(environment, emptyRecord("bench"), 0);
  const endpoint = (listens) => [{ server: "web-1", host: HOST, port: listens }];
  const spec = {
    ...placed,
    proxy: { ...placed.proxy, port },
    endpoints: { blue: endpoint(blue), green: endpoint(green) },
  };

  const application = spawn(process.execPath, [join(REPOSITORY, "bench/slots.mjs"), blue, green], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const proxyFolder = join(folder, "proxy");
  mkdirSync(proxyFolder);
  const script = (name) => {
    const { status, stderr } = spawnSync("bash", [lib(`on-server/local/${name}`)], {
      env: {
        ...process.env,
        PROJECT_FOLDER: folder,
        SERVER_FOLDER: "proxy",
        DIRECTOR_BUNDLE: lib("on-server/director.js"),
        DIRECTOR_SPEC: encodeSpec(spec),
        PROXY_DRIVER: driverName,
        PROXY_ADDRESS: `${HOST}:${port}`,
        PROXY_BUNDLE: lib("on-server/embedded-proxy.js"),
      },
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`${name}: ${stderr.trim()}`);
  };
  const close = async () => {
    process.chdir(REPOSITORY);
    script("stop-server.sh");
    const exited = once(application, "exit");
    application.kill();
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };

  try {
    script("install-director.sh");
    script("start-proxy.sh");
    process.chdir(proxyFolder);
    const { KINDS } = await compiledDrivers(folder);
    const driver = KINDS[driverName].driver(spec);
    await bothHealthy(driver);
    return { origin: `http://${HOST}:${port}`, driver, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function environmentFile(driverName) {
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
  };
}

/** The drivers as the director has them: they are shipped only inside of its bundle. */
async function compiledDrivers(folder) {
  const outfile = join(folder, "drivers.mjs");
  await build({
    absWorkingDir: REPOSITORY,
    entryPoints: ["on-server/director/drivers/kinds.ts"],
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
  const end = Date.now() + 10_000;
  for (;;) {
    const counts = await driver.counts();
    if ([counts.blue, counts.green].every(({ endpoints }) => endpoints.every(({ healthy }) => healthy)))
      return;
    if (Date.now() > end) throw new Error("the proxy does not find both slots healthy");
    await sleep(50);
  }
}

async function freePort() {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
