/** Holds requests while a site is recreated: an agent whose connections wait until an instance listens. */
import type { ProxiedEndpoint } from "./endpoints";
import { InstanceAgent } from "./instance-agent";
import type { AgentOptions, Connected } from "./instance-agent";
import { connectTo } from "./instance-connection";

const RETRY_MS = 100;
const HOLD_LIMIT_MS = 120_000;

export class HeldAgent extends InstanceAgent {
  /** @param begin returns whether the request that is being sent still has its client. */
  constructor(
    options: Omit<AgentOptions, "keepAlive">,
    private readonly begin: () => () => boolean,
  ) {
    // A stopping instance may be closing idle connections.
    super({ ...options, keepAlive: false });
  }

  protected override connect(endpoint: ProxiedEndpoint, connected: Connected): void {
    const deadline = performance.now() + HOLD_LIMIT_MS;
    const isWanted = this.begin();
    const attempt = (): void =>
      connectTo(endpoint, (error, socket) => {
        const retries = error !== null && isWanted() && performance.now() < deadline;
        if (retries) setTimeout(attempt, RETRY_MS);
        else connected(error, socket);
      });
    attempt();
  }
}
