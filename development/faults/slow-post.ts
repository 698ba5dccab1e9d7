/** A request that runs while the traffic moves. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { until } from "../testbed/processes";

/** A POST with a slow body: it runs in the slot that was live when it began. */
export class SlowPost {
  private constructor(
    private readonly socket: Socket,
    private readonly body: string,
    private answer = "",
  ) {
    socket.setEncoding("utf8").on("data", (text: string) => (this.answer += text));
    socket.on("error", (error) => (this.answer ||= error.message));
  }

  static async begin(port: number, title: string): Promise<SlowPost> {
    const body = JSON.stringify({ title });
    const socket = connect(port, "127.0.0.1");
    const post = new SlowPost(socket, body);
    socket.write(
      `POST /api/goals HTTP/1.1\r\nhost: slow\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    );
    await new Promise((resolve) => socket.once("connect", resolve));
    return post;
  }

  /** @returns the answer's first line. */
  async end(): Promise<string> {
    this.socket.write(this.body.slice(5));
    await until(() => this.answer !== "" || this.socket.closed, "the slow POST is answered");
    this.socket.destroy();
    return this.answer.split("\r\n")[0]!;
  }
}
