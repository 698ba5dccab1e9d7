/** One client that does its worst, from one address, and users beside it, each from an address of its own. */
import { Agent, request } from "node:http";
import type { ClientRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../development/testbed/processes";
import { ask } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

const ADDRESS = "127.9.9.9";
const HOST = "Host: shop.example";
const USERS = 16;
const USER_PAUSE_MS = 25;
const WORST_PAUSE_MS = 30;
/** Users are patient, but not for ever: by then the load of a busy machine is no excuse. */
const PATIENCE_MS = 5_000;

/** Runs until it is stopped. */
abstract class Loops {
  private stopped = false;
  private readonly running: Promise<void>[] = [];

  /** Ends all that runs. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
  }

  protected repeat(pauseMs: number, turn: (count: number) => Promise<void> | void): void {
    const loop = async (): Promise<void> => {
      for (let count = 0; !this.stopped; count += 1) {
        await turn(count);
        await sleep(pauseMs);
      }
    };
    this.running.push(loop());
  }
}

/** They get pages and post on connections that they keep, each in its own bucket, and try nothing twice. */
export class Users extends Loops {
  answered = 0;
  readonly failures: string[] = [];

  constructor(port: number) {
    super();
    for (let user = 0; user < USERS; user += 1) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const from = `127.0.1.${user + 1}`;
      const bucket = Math.floor((user * 100) / USERS);
      this.repeat(USER_PAUSE_MS, async (count) => {
        const body = `user ${user}, turn ${count}`;
        const question = count % 3 === 0 ? { method: "POST", body } : {};
        const begun = performance.now();
        try {
          const { status, body: got } = await ask(port, { agent, from, bucket, ...question });
          const took = performance.now() - begun;
          if (status === 200 && (count % 3 > 0 || got === body) && took < PATIENCE_MS) this.answered += 1;
          else this.failures.push(`${status} after ${took.toFixed(0)} ms: ${got.slice(0, 60)}`);
        } catch (error) {
          this.failures.push((error as Error).message);
        }
      });
    }
  }

  async more(answers: number): Promise<void> {
    const enough = this.answered + answers;
    await until(() => this.answered >= enough || this.failures.length > 0, `${answers} more answers came`);
  }
}

/** Everything that a client can do to a site, again and again. @param bucket whose slot it chose. */
export class WorstClient extends Loops {
  private readonly open = new Set<ClientRequest>();
  private readonly connections = new Set<RawConnection>();

  constructor(
    private readonly port: number,
    private readonly bucket: number,
  ) {
    super();
    const urls = ["/reset", "/close", "/half", "/headers?status=500", "/headers?status=503", "/refused"];
    for (const [index, path] of urls.entries())
      this.repeat(WORST_PAUSE_MS, (count) =>
        this.ask(path, count % 2 === 0 ? bucket : 99 - bucket, index % 2 === 0 ? "GET" : "POST"),
      );
    // Requests that it leaves, answers that it does not read, and those that never end.
    this.repeat(2 * WORST_PAUSE_MS, async (count) => {
      const path = ["/silent", "/endless", "/stalls"][count % 3]!;
      const asked = this.begin(path, "GET").end();
      await sleep(2 * WORST_PAUSE_MS);
      if (count % 4 > 0) asked.destroy();
    });
    // Bodies that come slowly or not at all, and requests beyond every limit.
    this.repeat(2 * WORST_PAUSE_MS, (count) => this.raw(count));
  }

  override async stop(): Promise<void> {
    await super.stop();
    for (const asked of this.open) asked.destroy();
    for (const connection of this.connections) connection.close();
  }

  private async ask(path: string, bucket: number, method: string): Promise<void> {
    const body = method === "POST" ? "x".repeat(50_000) : "";
    await ask(this.port, { path, from: ADDRESS, bucket, method, body }).catch(() => undefined);
  }

  private begin(path: string, method: string): ClientRequest {
    const headers = { host: "shop.example", cookie: `bluegreen-bucket=${this.bucket}` };
    const place = { host: "127.0.0.1", port: this.port, localAddress: ADDRESS };
    const asked = request({ ...place, method, path, headers, agent: false });
    this.open.add(asked);
    return asked.on("error", () => undefined).on("close", () => this.open.delete(asked));
  }

  private async raw(count: number): Promise<void> {
    const sent = [
      `POST /upload HTTP/1.1\r\n${HOST}\r\nContent-Length: 100000\r\n\r\nslow`,
      `GET / HTTP/1.1\r\n${HOST}\r\nX-Long: ${"h".repeat(40_000)}\r\n\r\n`,
      `POST / HTTP/1.1\r\n${HOST}\r\nContent-Length: 99999999999\r\n\r\n`,
      `GET / HTTP/1.1\r\n${HOST}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
      `POST /upload HTTP/1.1\r\n${HOST}\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n`,
      "nothing that any server knows\r\n\r\n",
      "GET / HT",
    ];
    const connection = await RawConnection.open(this.port, ADDRESS);
    this.connections.add(connection);
    connection.send(sent[count % sent.length]!);
  }
}
