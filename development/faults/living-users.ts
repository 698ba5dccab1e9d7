/** The users of the proxy that lives while the other one is away: which releases they get, followed during a whole row. */
import { setTimeout as pause } from "node:timers/promises";
import type { World } from "../testbed/world";

const POLL_MS = 200;
/** Each is a new client, so a share of 50 % shows both releases almost for certain. */
const ASKED = 8;

/** What unkind.cjs fails; no proxy answers 500. */
export function byChance(failures: Readonly<Record<string, number>>): number {
  return failures["status 500"] ?? 0;
}

export class LivingUsers {
  private readonly seen: { readonly at: number; readonly releases: readonly string[] }[] = [];
  private watching = true;
  private readonly ended: Promise<void>;

  constructor(private readonly world: World) {
    this.ended = this.watch();
  }

  async stop(): Promise<void> {
    this.watching = false;
    await this.ended;
  }

  /**
   * @param since `performance.now()` of the decision.
   * @returns after how many milliseconds they got this release only, and kept it; 0 if they never got another one.
   */
  settledOn(release: string, since: number): number {
    const wrong = this.seen.findLast(({ releases }) => releases.some((each) => each !== release));
    return Math.max(0, Math.round((wrong?.at ?? since) - since));
  }

  private async watch(): Promise<void> {
    while (this.watching) {
      const releases = await this.world.serving(0, ASKED);
      this.seen.push({ at: performance.now(), releases });
      await pause(POLL_MS);
    }
  }
}
