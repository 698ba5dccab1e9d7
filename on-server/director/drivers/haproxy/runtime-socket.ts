/** HAProxy's stats socket: one command a connection, the answer ends with the connection. */
import { connect } from "node:net";

const TIMEOUT_MS = 5_000;

export class RuntimeSocket {
  constructor(private readonly path: string) {}

  /** @throws Error when HAProxy can't be reached in time, or answers with an error of its own. */
  async send(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.path);
      let answer = "";
      socket.setEncoding("utf8");
      socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("no answer in time")));
      socket.on("connect", () => socket.write(`${command}\n`));
      socket.on("data", (chunk: string) => (answer += chunk));
      socket.on("error", (error) =>
        reject(
          new Error(`haproxy can't be reached on ${this.path}: ${error.message}; is the proxy running?`),
        ),
      );
      socket.on("end", () => resolve(answer.trim()));
    });
  }
}
