/** An instance that stops answering like a machine that is cut off: packets of new connections are dropped, none is refused. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

const HOST = "127.0.0.1";
/** The kernel queues one connection more than the backlog; then it drops packets. */
const MORE_THAN_QUEUED = 4;
const INSTANCE = `
  const server = require("node:http").createServer((request, response) => {
    request.resume();
    response.setHeader("connection", "close").end("release");
  });
  server.listen({ port: Number(process.argv[1]), host: "${HOST}", backlog: 1 }, () => console.log("listens"));
`;

export class CutOffServer {
  private readonly fillers: Socket[] = [];

  private constructor(
    private readonly process: ChildProcess,
    private readonly port: number,
  ) {}

  /** Until it is closed it answers, on a new connection each time. */
  static async open(port: number): Promise<CutOffServer> {
    const instance = spawn(process.execPath, ["-e", INSTANCE, String(port)], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(instance.stdout, "data");
    return new CutOffServer(instance, port);
  }

  async close(): Promise<void> {
    this.process.kill("SIGSTOP");
    for (let count = 0; count < MORE_THAN_QUEUED; count += 1) {
      const filler = connect(this.port, HOST);
      filler.on("error", () => undefined);
      this.fillers.push(filler);
    }
    await once(this.fillers[0]!, "connect");
  }

  async end(): Promise<void> {
    for (const filler of this.fillers) filler.destroy();
    const exited = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exited;
  }
}
