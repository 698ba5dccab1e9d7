/** HAProxy's stats socket: one command per connection. The answer ends with the connection. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const TIMEOUT_MS = 5_000;
/** A killed proxy is restarted by systemd, or by start-proxy.sh on the local platform. Until then nothing listens. */
const RESTART_MS = 3_000;
const RESTART_POLL_MS = 50;
const IS_DOWN = ["ECONNREFUSED", "ENOENT", "ECONNRESET", "EPIPE"];
/** Every complete answer ends with it. If it is missing, HAProxy was killed meanwhile. */
const EMPTY_LINE = /(^|\n)\n$/;

export class RuntimeSocket {
  /** How often HAProxy was down during a command, or before it. */
  interruptions = 0;

  constructor(private readonly path: string) {}

  /**
   * Repeats the command if HAProxy was killed meanwhile: every command is idempotent.
   * @throws Error when HAProxy can't be reached in time.
   */
  async send(command: string): Promise<string> {
    const deadline = performance.now() + RESTART_MS;
    for (;;) {
      try {
        return await this.ask(command);
      } catch (error) {
        const { code = "", message } = error as NodeJS.ErrnoException;
        if (!IS_DOWN.includes(code) || performance.now() >= deadline) {
          throw new Error(`haproxy can't be reached on ${this.path}: ${message}; is the proxy running?`);
        }
        this.interruptions += 1;
        await sleep(RESTART_POLL_MS);
      }
    }
  }

  /** @throws Error if HAProxy answers anything: that is a refusal. */
  async sendSilent(command: string): Promise<void> {
    const answer = await this.send(command);
    if (answer !== "") throw new Error(`haproxy refused "${command.split("\n", 1)[0]}": ${answer}`);
  }

  private ask(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.path);
      let answer = "";
      socket.setEncoding("utf8");
      socket.setTimeout(TIMEOUT_MS, () =>
        socket.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)),
      );
      socket.on("connect", () => socket.write(`${command}\n`));
      socket.on("data", (chunk: string) => (answer += chunk));
      socket.on("error", reject);
      socket.on("end", () => {
        if (EMPTY_LINE.test(answer)) return resolve(answer.trim());
        reject(
          Object.assign(new Error("the connection closed before the answer was complete"), {
            code: "ECONNRESET",
          }),
        );
      });
    });
  }
}
