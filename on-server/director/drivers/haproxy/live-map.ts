/**
 * The traffic map of a running HAProxy. It is replaced as a whole over the stats socket (`prepare map`, `add map`,
 * `commit map`; HAProxy >= 2.4), so no request sees half of a change.
 */
import type { ServerToken } from "../../../../configuration/sessions";
import { sameSessions } from "../driver";
import type { Traffic } from "../driver";
import { TOKENS_MAP, tokensMap } from "./affinity-rules";
import { COUNTS_CLIENTS, COUNTS_PAGES, TIMES_BUCKETS } from "./haproxy-configuration";
import type { RuntimeSocket } from "./runtime-socket";
import { shownMeasured, shownTraffic, TRAFFIC_MAP, trafficMap, UNMEASURED } from "./traffic-map";
import type { Measured } from "./traffic-map";

/** HAProxy reads a command into one buffer, which is larger than that with any setting. */
const LARGEST_PART = 4_096;

const SHOW_MAP = `show map ${TRAFFIC_MAP}`;

export class LiveMap {
  /** For how many buckets of each side to measure latencies, 0 to 50. Set by the next `replace` or `renew`. */
  measured = 0;
  private known: Readonly<Record<string, boolean>> = {};
  private lastChange: Promise<unknown> = Promise.resolve();

  /** @param tokensOf the tokens of clients that stay on their servers */
  constructor(
    private readonly socket: RuntimeSocket,
    private readonly tokensOf: (traffic: Traffic) => Promise<readonly ServerToken[]>,
  ) {}

  async observe(): Promise<Traffic> {
    return shownTraffic(await this.socket.send(SHOW_MAP));
  }

  /** @returns the tokens that are valid from now on */
  replace(traffic: Traffic): Promise<readonly ServerToken[]> {
    return this.oneAtATime(async () => this.write(traffic, await this.supported()));
  }

  /** Applies `measured`, without a change of the traffic. */
  renew(): Promise<void> {
    return this.oneAtATime(async () => {
      if (!(await this.supports(TIMES_BUCKETS))) return;
      const [shown, wanted] = [await this.socket.send(SHOW_MAP), await this.supported()];
      const measured = shownMeasured(shown);
      // Keep a change by hand: the director must find it.
      if (measured !== null && JSON.stringify(measured) !== JSON.stringify(wanted))
        await this.write(shownTraffic(shown), wanted);
    });
  }

  /** Applies a change of the servers that are in rotation. @returns null after a change by hand, which stays */
  renewTokens(): Promise<{ readonly traffic: Traffic; readonly tokens: readonly ServerToken[] } | null> {
    return this.oneAtATime(async () => {
      const shown = await this.socket.send(SHOW_MAP);
      const [traffic, measured] = [shownTraffic(shown), shownMeasured(shown)];
      return measured === null ? null : { traffic, tokens: await this.write(traffic, measured) };
    });
  }

  /**
   * Whether the configuration keeps clients on their servers. An environment variable would not tell: HAProxy's master
   * hands it on to the workers of later configurations.
   */
  private async keepsClients(): Promise<boolean> {
    return (await this.socket.send("show map")).includes(`(${TOKENS_MAP})`);
  }

  /** Runs changes one at a time: each reads and writes the map. */
  private oneAtATime<Result>(change: () => Promise<Result>): Promise<Result> {
    const changed = this.lastChange.then(change, change);
    this.lastChange = changed;
    return changed;
  }

  /** With a configuration of an earlier base, HAProxy times all answers, and does not count clients. */
  private async supported(): Promise<Measured> {
    if (this.measured === 0 || !(await this.supports(TIMES_BUCKETS))) return UNMEASURED;
    return { timed: this.measured, clients: await this.countsClients() };
  }

  /** Whether the configuration has tables of clients. */
  countsClients(): Promise<boolean> {
    return this.supports(COUNTS_CLIENTS);
  }

  countsPages(): Promise<boolean> {
    return this.supports(COUNTS_PAGES);
  }

  private async supports(name: string): Promise<boolean> {
    if (this.known[name] !== true) {
      const shown = await this.socket.send(`show env ${name}`);
      this.known = { ...this.known, [name]: shown.startsWith(`${name}=`) };
    }
    return this.known[name]!;
  }

  private async write(traffic: Traffic, measured: Measured): Promise<readonly ServerToken[]> {
    const { interruptions } = this.socket;
    try {
      return await this.writeOnce(traffic, measured);
    } catch (error) {
      // HAProxy was killed and restarted in between: what was prepared is lost.
      if (this.socket.interruptions === interruptions) throw error;
      return this.writeOnce(traffic, measured);
    }
  }

  private async writeOnce(traffic: Traffic, measured: Measured): Promise<readonly ServerToken[]> {
    const tokens = await this.tokensOf(traffic);
    await this.replaceMap(TRAFFIC_MAP, trafficMap(traffic, measured, tokens));
    // Given to clients once they are valid.
    if (await this.keepsClients()) await this.replaceMap(TOKENS_MAP, tokensMap(tokens));
    const observed = await this.observe();
    if (!sameSessions(observed, traffic)) {
      throw new Error(
        `haproxy serves ${JSON.stringify(observed)}, but the director set ${JSON.stringify(traffic)}`,
      );
    }
    return tokens;
  }

  private async replaceMap(name: string, map: string): Promise<void> {
    const prepared = await this.socket.send(`prepare map ${name}`);
    const [, version] = /^New version created: (\d+)$/.exec(prepared) ?? [];
    if (version === undefined) throw new Error(`haproxy refused to prepare ${name}: ${prepared}`);
    for (const part of partsOf(map)) await this.socket.sendSilent(`add map @${version} ${name} <<\n${part}`);
    await this.socket.sendSilent(`commit map @${version} ${name}`);
  }
}

/** Lines, in parts that are each small enough for a command. */
function partsOf(map: string): string[] {
  const parts: string[] = [];
  for (const line of map.split("\n").filter(Boolean)) {
    const last = parts.at(-1);
    if (last === undefined || last.length + line.length >= LARGEST_PART) parts.push(`${line}\n`);
    else parts[parts.length - 1] = `${last}${line}\n`;
  }
  return parts;
}
