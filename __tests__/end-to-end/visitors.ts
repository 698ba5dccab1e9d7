/**
 * Many users of a site: they send requests at a constant rate, however slowly the answers come, each from an address of its
 * own and with its cookies, and never send one again.
 */
import { Agent, get } from "node:http";
import { until } from "./world";

const TURN_MS = 10;
/** The addresses begin at 127.0.2.0: tests ask from 127.0.0.1. */
const FIRST_ADDRESS = 512;

export class Visitors {
  answered = 0;
  /** Answers other than 200, and requests without an answer. */
  failed = 0;
  /** When they failed, in milliseconds since 1970. */
  readonly failures: number[] = [];
  /** Answers for another session than the request's. */
  lostSessions = 0;
  /** Answers by release. */
  readonly releases = new Map<string, number>();
  private sent = 0;
  private readonly startedAt = Date.now();
  private readonly visitors: Visitor[];
  private readonly timer: NodeJS.Timeout;

  /** @param rate requests a second */
  constructor(
    private readonly origin: string,
    private readonly rate: number,
    count = 400,
  ) {
    this.visitors = Array.from({ length: count }, (_, index) => new Visitor(addressOf(index)));
    this.timer = setInterval(() => this.turn(), TURN_MS);
  }

  /** Waits for so many more answers. */
  async more(answers: number): Promise<void> {
    const enough = this.answered + answers;
    await until(() => this.answered >= enough, `${answers} more answers came`);
  }

  stop(): void {
    clearInterval(this.timer);
    for (const { agent } of this.visitors) agent.destroy();
  }

  private turn(): void {
    const due = ((Date.now() - this.startedAt) * this.rate) / 1000;
    for (; this.sent < due; this.sent++) this.send(this.visitors[this.sent % this.visitors.length]!);
  }

  private send(visitor: Visitor): void {
    const { agent, cookies, address } = visitor;
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const session = cookies.get("session");
    const options = { agent, localAddress: address, headers: cookie === "" ? {} : { cookie } };
    let isOver = false;
    const over = (isGood: boolean) => {
      if (isOver) return;
      isOver = true;
      this.answered += 1;
      if (isGood) return;
      this.failed += 1;
      this.failures.push(Date.now());
    };
    get(`${this.origin}/`, options, (response) => {
      const { statusCode, headers } = response;
      const release = String(headers["x-release-id"]);
      this.releases.set(release, (this.releases.get(release) ?? 0) + 1);
      if (session !== undefined && (headers["x-session"] ?? session) !== session) this.lostSessions += 1;
      visitor.keep(headers["set-cookie"] ?? []);
      response.resume();
      response.on("end", () => over(statusCode === 200 && response.complete));
      response.on("close", () => over(false));
    }).on("error", () => over(false));
  }
}

class Visitor {
  readonly cookies = new Map<string, string>();
  /** As browsers do, it leaves idle connections before the proxy does. */
  readonly agent = new Agent({ keepAlive: false });

  constructor(readonly address: string) {}

  keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) this.cookies.set(name, value);
    }
  }
}

function addressOf(index: number): string {
  const number = FIRST_ADDRESS + index;
  return `127.0.${Math.floor(number / 256)}.${number % 256}`;
}
