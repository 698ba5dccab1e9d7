/**
 * The traffic map of a running HAProxy. It is replaced as a whole over the stats socket (`prepare map`, `add map`,
 * `commit map`; HAProxy >= 2.4), so no request sees half of a change.
 */
import { sameTraffic } from "../driver";
import type { Traffic } from "../driver";
import { TIMES_BUCKETS } from "./haproxy-configuration";
import type { RuntimeSocket } from "./runtime-socket";
import { shownTimed, shownTraffic, TRAFFIC_MAP, trafficMap } from "./traffic-map";

const SHOW_MAP = `show map ${TRAFFIC_MAP}`;

export class LiveMap {
  /** For how many buckets of each side to measure latencies, 0 to 50. Set by the next `replace` or `renew`. */
  measured = 0;
  private knowsTimed = false;
  private lastChange: Promise<void> = Promise.resolve();

  constructor(private readonly socket: RuntimeSocket) {}

  async observe(): Promise<Traffic> {
    return shownTraffic(await this.socket.send(SHOW_MAP));
  }

  replace(traffic: Traffic): Promise<void> {
    return this.oneAtATime(async () => {
      const measures = this.measured > 0 && (await this.timesBuckets());
      await this.write(traffic, measures ? this.measured : 0);
    });
  }

  /** Applies `measured`, without a change of the traffic. */
  renew(): Promise<void> {
    return this.oneAtATime(async () => {
      if (!(await this.timesBuckets())) return;
      const shown = await this.socket.send(SHOW_MAP);
      const timed = shownTimed(shown);
      // Keep a change by hand: the director must find it.
      if (timed !== null && timed !== this.measured) await this.write(shownTraffic(shown), this.measured);
    });
  }

  /** Runs changes one at a time: each reads and writes the map. */
  private oneAtATime(change: () => Promise<void>): Promise<void> {
    this.lastChange = this.lastChange.then(change, change);
    return this.lastChange;
  }

  /** With a configuration of an earlier base, HAProxy times all answers and does not support timed buckets. */
  private async timesBuckets(): Promise<boolean> {
    this.knowsTimed ||= (await this.socket.send(`show env ${TIMES_BUCKETS}`)).startsWith(`${TIMES_BUCKETS}=`);
    return this.knowsTimed;
  }

  private async write(traffic: Traffic, timed: number): Promise<void> {
    const { interruptions } = this.socket;
    try {
      await this.writeOnce(traffic, timed);
    } catch (error) {
      // HAProxy was killed and restarted in between: what was prepared is lost.
      if (this.socket.interruptions === interruptions) throw error;
      await this.writeOnce(traffic, timed);
    }
  }

  private async writeOnce(traffic: Traffic, timed: number): Promise<void> {
    const prepared = await this.socket.send(`prepare map ${TRAFFIC_MAP}`);
    const [, version] = /^New version created: (\d+)$/.exec(prepared) ?? [];
    if (version === undefined) throw new Error(`haproxy refused to prepare the traffic map: ${prepared}`);
    const map = trafficMap(traffic, timed);
    await this.socket.sendSilent(`add map @${version} ${TRAFFIC_MAP} <<\n${map}`);
    await this.socket.sendSilent(`commit map @${version} ${TRAFFIC_MAP}`);
    const observed = await this.observe();
    if (!sameTraffic(observed, traffic)) {
      throw new Error(
        `haproxy serves ${JSON.stringify(observed)}, but the director set ${JSON.stringify(traffic)}`,
      );
    }
  }
}
