/**
 * The Windows Process Activation Service and http.sys: listens for each started site, and runs one worker process for each
 * started pool. It follows the configuration of IIS with a delay, as Windows does; until then it does not know what is new.
 */
import { readFileSync } from "node:fs";
import {
  createServer,
  request as send,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { IisConfiguration, PoolConfiguration, SiteConfiguration } from "./configuration";
import { WorkerProcess } from "./worker-process";

const POLL_MS = 20;
const DELAY_MS = 100;
/** Rapid-fail protection: after so many crashes a pool stops. */
const MOST_CRASHES = 5;
/** The default site's port 80 is the host's. */
const FIRST_PORT = 1024;
const RETRY_MS = 25;
const MOST_RETRIES = 80;

interface Pool {
  configuration: PoolConfiguration;
  state: "Started" | "Stopped";
  crashes: number;
  worker?: WorkerProcess;
  /** Stopped, but still running. */
  readonly leaving: Set<WorkerProcess>;
}

interface Site {
  configuration: SiteConfiguration;
  state: "Started" | "Stopped";
  listener?: { readonly server: Server; readonly binding: string };
}

export class Activation {
  private readonly pools = new Map<string, Pool>();
  private readonly sites = new Map<string, Site>();
  private readonly timer = setInterval(() => this.follow(), POLL_MS);
  private readonly control = createServer((request, response) => this.answer(request, response));
  private known = "";
  private pending: NodeJS.Timeout | undefined;

  private constructor(private readonly root: string) {}

  static async start(root: string): Promise<Activation> {
    const activation = new Activation(root);
    await new Promise<void>((resolve) => activation.control.listen(0, "127.0.0.1", resolve));
    return activation;
  }

  get port(): number {
    return (this.control.address() as AddressInfo).port;
  }

  close(): void {
    clearInterval(this.timer);
    this.control.close();
    this.stopAll();
  }

  /** Ends what runs. The configuration is read again when it is there again. */
  stopAll(): void {
    clearTimeout(this.pending);
    this.known = "";
    for (const site of this.sites.values()) closeListener(site);
    this.sites.clear();
    const pools = [...this.pools.values()];
    this.pools.clear();
    for (const pool of pools) {
      pool.state = "Stopped"; // so that none is started again
      for (const worker of pool.leaving) worker.kill();
      pool.worker?.kill();
    }
  }

  private follow(): void {
    let text: string;
    try {
      text = readFileSync(`${this.root}/state/iis.json`, "utf8");
    } catch {
      return; // IIS is not installed.
    }
    if (text === this.known) return;
    this.known = text;
    this.pending = setTimeout(() => this.apply(JSON.parse(text) as IisConfiguration), DELAY_MS);
  }

  private apply({ pools, sites }: IisConfiguration): void {
    for (const configuration of pools) {
      const pool = this.pools.get(configuration.name);
      const state = configuration.autoStart ? "Started" : "Stopped";
      if (pool !== undefined) pool.configuration = configuration;
      else this.pools.set(configuration.name, { configuration, state, crashes: 0, leaving: new Set() });
    }
    for (const configuration of sites) this.applySite(configuration);
    for (const [name, site] of this.sites) {
      if (sites.some((one) => one.name === name)) continue;
      closeListener(site);
      this.sites.delete(name);
    }
    for (const [name, pool] of this.pools) {
      const site = this.siteOf(name);
      if (!pools.some((one) => one.name === name)) {
        this.stopWorker(pool);
        this.pools.delete(name);
      } else if (
        pool.worker !== undefined &&
        site !== undefined &&
        pool.worker.key !== WorkerProcess.key(site)
      ) {
        this.stopWorker(pool); // recycled: the next process overlaps with it
        this.startWorker(pool);
      } else if (pool.configuration.startMode === "AlwaysRunning") this.startWorker(pool);
    }
  }

  private applySite(configuration: SiteConfiguration): void {
    const site = this.sites.get(configuration.name) ?? {
      configuration,
      state: configuration.serverAutoStart ? "Started" : "Stopped",
    };
    this.sites.set(configuration.name, site);
    site.configuration = configuration;
    if (site.listener?.binding !== configuration.bindings[0]!.information) closeListener(site);
    if (site.state === "Started") this.listen(site);
  }

  private siteOf(pool: string): SiteConfiguration | undefined {
    const sites = [...this.sites.values()].map(({ configuration }) => configuration);
    return sites.find(({ applications }) => applications[0]!.applicationPool === pool);
  }

  private startWorker(pool: Pool): void {
    const site = this.siteOf(pool.configuration.name);
    if (site === undefined || pool.worker !== undefined || pool.state !== "Started") return;
    const worker = WorkerProcess.start(this.root, site);
    pool.worker = worker;
    void worker.ended.then(() => {
      pool.leaving.delete(worker);
      if (pool.worker !== worker) return;
      delete pool.worker; // it crashed
      if (++pool.crashes > MOST_CRASHES) pool.state = "Stopped";
      else setTimeout(() => this.startWorker(pool), RETRY_MS);
    });
  }

  private stopWorker(pool: Pool): void {
    const { worker, configuration } = pool;
    if (worker === undefined) return;
    delete pool.worker;
    pool.leaving.add(worker);
    const [hours = 0, minutes = 0, seconds = 0] = configuration.shutdownTimeLimit.split(":").map(Number);
    worker.stop(hours * 3600 + minutes * 60 + seconds);
  }

  private listen(site: Site): void {
    const binding = site.configuration.bindings[0]!.information;
    const [address, port] = binding.split(":");
    if (site.listener !== undefined || Number(port) < FIRST_PORT) return;
    const server = createServer((request, response) => this.forward(site, request, response, MOST_RETRIES));
    server.on("error", () => {
      site.state = "Stopped"; // another process has the port
      delete site.listener;
    });
    server.listen(Number(port), address === "*" ? "0.0.0.0" : address);
    site.listener = { server, binding };
  }

  private forward(site: Site, request: IncomingMessage, response: ServerResponse, retries: number): void {
    const pool = this.pools.get(site.configuration.applications[0]!.applicationPool);
    if (pool !== undefined) this.startWorker(pool);
    if (pool?.worker === undefined || retries === 0) {
      response.writeHead(503, { connection: "close" }).end("Service Unavailable");
      return;
    }
    const { url, method, headers } = request;
    const inner = send({ socketPath: pool.worker.socket, path: url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    inner.on("error", () => {
      // It starts, or it was just replaced by another one.
      if (!response.headersSent)
        setTimeout(() => this.forward(site, request, response, retries - 1), RETRY_MS);
      else response.end();
    });
    inner.end();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const [, verb, kind, name] = decodeURIComponent(request.url!).split("/");
    const text = verb === "ports" ? this.ports() : this.state(verb!, kind!, name!);
    response.setHeader("content-type", "text/plain");
    if (text === undefined)
      response.writeHead(500).end("The object identifier does not represent a valid object.");
    else response.end(text);
  }

  private ports(): string {
    const bindings = [...this.sites.values()].flatMap(({ listener }) => listener?.binding ?? []);
    return bindings.map((binding) => binding.split(":")[1]).join(" ");
  }

  private state(verb: string, kind: string, name: string): string | undefined {
    if (kind === "sites") {
      const site = this.sites.get(name);
      if (site === undefined) return undefined;
      if (verb === "stop") closeListener(site);
      if (verb === "start" || verb === "stop") site.state = verb === "start" ? "Started" : "Stopped";
      if (verb === "start") this.listen(site);
      return site.state;
    }
    const pool = this.pools.get(name);
    if (pool === undefined) return undefined;
    if (verb === "workers") return String(pool.leaving.size + (pool.worker === undefined ? 0 : 1));
    if (verb === "start") {
      if (pool.leaving.size > 0) return undefined;
      pool.state = "Started";
      pool.crashes = 0;
      this.startWorker(pool);
    } else if (verb === "stop") {
      pool.state = "Stopped";
      this.stopWorker(pool);
    }
    return pool.state === "Stopped" && pool.leaving.size > 0 ? "Stopping" : pool.state;
  }
}

function closeListener(site: Site): void {
  site.listener?.server.closeAllConnections();
  site.listener?.server.close();
  delete site.listener;
}
