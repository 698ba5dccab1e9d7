/**
 * A real HTTP server that the load under test is sent to: it writes down what it saw, and a test can change how it
 * answers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { Load } from "../../../cli/load/load";
import type { LoadPlanInput } from "../../../cli/load/plan";

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly cookie: string | undefined;
  readonly title: string | undefined;
}

/** Answers the request itself and returns true, or leaves it to the application. */
type Interception = (request: IncomingMessage, response: ServerResponse, seen: Seen) => boolean;

export class Application {
  release = "1.0.0-1";
  /** Every request, at the moment when it had been read. */
  readonly seen: Seen[] = [];
  readonly rows = new Map<string, string>();
  connections = 0;
  intercept: Interception = () => false;

  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async listen(): Promise<Application> {
    const application = new Application();
    await new Promise<void>((resolve) => application.#server.listen(0, "127.0.0.1", resolve));
    return application;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that clients hold. */
  get open(): number {
    return this.#sockets.size;
  }

  /** What was asked by the load, without the look-ups at the end. */
  get load(): Seen[] {
    return this.seen.filter(({ path }) => !path.startsWith("/api/goals/"));
  }

  get posts(): Seen[] {
    return this.seen.filter(({ method }) => method === "POST");
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  reply(response: ServerResponse, status: number, body: unknown): void {
    response.writeHead(status, { "x-release-id": this.release, "content-type": "application/json" });
    response.end(JSON.stringify(body));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const { method = "", url: path = "" } = request;
    const isJson = request.headers["content-type"] === "application/json";
    const title = isJson ? (JSON.parse(text) as { title: string }).title : undefined;
    const seen: Seen = { method, path, cookie: request.headers.cookie, title };
    this.seen.push(seen);
    if (this.intercept(request, response, seen)) return;
    const id = path.split("/api/goals/")[1];
    if (method === "POST" && title !== undefined) {
      const created = String(this.rows.size + 1);
      this.rows.set(created, title);
      this.reply(response, 201, { id: created });
    } else if (id !== undefined) {
      const row = this.rows.get(id);
      this.reply(response, row === undefined ? 404 : 200, { id, title: row });
    } else this.reply(response, 200, { page: path });
  }
}

export const worker = {
  workerEntry: join(__dirname, "../../../cli/load/worker.ts"),
  execArgv: ["--import", pathToFileURL(require.resolve("tsx")).href],
};

export const newLoad = (): Load => new Load(worker);

export const plan = (origin: string, rest: Partial<LoadPlanInput> = {}): LoadPlanInput => ({
  origin,
  rate: 200,
  gets: [{ path: "/" }, { path: "/api/goals?limit=20" }],
  post: { path: "/api/goals", markerField: "title" },
  find: { path: "/api/goals/:id" },
  ...rest,
});

/** Waits for a condition; a condition that does not come true is a failure that quotes it. */
export const until = async (condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within a minute: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};
