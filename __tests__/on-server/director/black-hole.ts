/** A listener that accepts nothing and whose queue is full: attempts to connect to it get no answer. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

/** It listens and then never runs again. */
const LISTENER = `
  const server = require("node:net").createServer();
  server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
    require("node:fs").writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;
const ANSWERED_WITHIN_MS = 200;

export class BlackHole {
  private constructor(
    readonly port: number,
    private readonly listener: ChildProcess,
    private readonly queued: readonly Socket[],
  ) {}

  static async open(): Promise<BlackHole> {
    const listener = spawn(process.execPath, ["-e", LISTENER], { stdio: ["ignore", "pipe", "ignore"] });
    const [port] = (await once(listener.stdout!, "data")) as [Buffer];
    const queued: Socket[] = [];
    for (let isFull = false; !isFull;) {
      const socket = connect(Number(String(port)), "127.0.0.1");
      socket.on("error", () => undefined);
      queued.push(socket);
      isFull = await new Promise((resolve) => {
        socket.once("connect", () => resolve(false));
        setTimeout(() => resolve(true), ANSWERED_WITHIN_MS);
      });
    }
    return new BlackHole(Number(String(port)), listener, queued);
  }

  async close(): Promise<void> {
    for (const socket of this.queued) socket.destroy();
    const exited = once(this.listener, "exit");
    this.listener.kill("SIGKILL");
    await exited;
  }
}
