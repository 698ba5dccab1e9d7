/** Users of a proxy who ask and post all the time. */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../development/testbed/processes";
import { ask } from "./proxy-under-test";

/** Users on keep-alive connections, who ask and post one after another; none of them tries anything twice. */
export class Load {
  answered = 0;
  readonly lost: string[] = [];
  private gate: Promise<void> = Promise.resolve();
  private open: () => void = () => undefined;
  private running = 0;
  private stopped = false;
  private readonly users: Promise<void>[];

  constructor(private readonly port: number) {
    this.users = Array.from({ length: 6 }, (_, user) => this.use(user));
  }

  /** Lets what runs end, and nothing new begin. */
  async pause(): Promise<void> {
    this.gate = new Promise((resolve) => (this.open = resolve));
    await until(() => this.running === 0, "no request runs");
  }

  resume(): void {
    this.open();
  }

  /** Waits for so many more answers. */
  async more(answers: number): Promise<void> {
    const enough = this.answered + answers;
    await until(() => this.answered >= enough || this.lost.length > 0, `${answers} more answers came`);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.open();
    await Promise.all(this.users);
  }

  private async use(user: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = 0; !this.stopped; turn += 1) {
      await this.gate;
      const body = `user ${user}, turn ${turn}`;
      this.running += 1;
      try {
        const post = turn % 2 === 1;
        const answer = await ask(this.port, post ? { agent, method: "POST", body } : { agent });
        const right =
          answer.status === 200 && (post ? answer.body === body : answer.body.startsWith("release"));
        if (right) this.answered += 1;
        else this.lost.push(`${answer.status} ${answer.body.slice(0, 60)}`);
      } catch (error) {
        this.lost.push((error as Error).message);
      }
      this.running -= 1;
      // A rate that leaves the machine to others.
      await sleep(2);
    }
    agent.destroy();
  }
}
