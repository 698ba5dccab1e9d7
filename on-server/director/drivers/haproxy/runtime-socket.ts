/** HAProxy's stats socket: one command a connection, the answer ends with the connection. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const TIMEOUT_MS = 5_000;
/** A proxy that was killed is started again, by systemd or on the local platform by start-proxy.sh; until then nobody listens. */
const RESTART_MS = 3_000;
const RESTART_POLL_MS = 50;
const NOBODY_LISTENS = ["ECONNREFUSED", "ENOENT"];

export class RuntimeSocket {
  constructor(private readonly path: string) {}

  /** @throws Error when HAProxy can't be reached in time, or answers with an error of its own. */
  async send(command: string): Promise<string> {
    const deadline = performance.now() + RESTART_MS;
    for (;;) {
      try {
        return await this.ask(command);
      } catch (error) {
        const { code = "", message } = error as NodeJS.ErrnoException;
        // Nothing was sent yet, so it can be sent again.
        if (!NOBODY_LISTENS.includes(code) || performance.now() >= deadline) {
          throw new Error(`haproxy can't be reached on ${this.path}: ${message}; is the proxy running?`);
        }
        await sleep(RESTART_POLL_MS);
      }
    }
  }

  private ask(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.path);
      let answer = "";
      socket.setEncoding("utf8");
      socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("no answer in time")));
      socket.on("connect", () => socket.write(`${command}\n`));
      socket.on("data", (chunk: string) => (answer += chunk));
      socket.on("error", reject);
      socket.on("end", () => resolve(answer.trim()));
    });
  }
}
