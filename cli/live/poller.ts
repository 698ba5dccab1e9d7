/** Looks at the proxies again and again, one look after another, and makes a moment of each. Nothing that it meets stops it. */
import { setTimeout as sleep } from "node:timers/promises";
import { scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { LoadSnapshot } from "../load/messages";
import type { Project } from "../project/project";
import { isReleaseRunning } from "../project/project-lock";
import type { Proxies } from "../proxies/proxies";
import type { Snapshot, ProxySnapshot } from "./snapshot";
import { RequestRates } from "./request-rates";

/** Reading what proxies on Azure said takes a plan of Terraform's. */
const INTERVAL_SECONDS = { reachable: 1, afar: 15 };

export interface PollerProps {
  /** The record as it is now. */
  readonly readRecord: () => ReleaseRecord;
  readonly intervalSeconds?: number;
  readonly measured?: () => LoadSnapshot | null;
}

export class Poller {
  private readonly rates = new RequestRates();
  private record: ReleaseRecord;
  private seen: readonly ProxySnapshot[] = [];
  private problem: string | null = null;
  private atWork = true;

  constructor(
    private readonly project: Project,
    private readonly proxies: Proxies,
    private readonly props: PollerProps,
  ) {
    this.record = props.readRecord();
  }

  /** What was seen last, with the time as it is now. */
  get moment(): Snapshot {
    const { environment } = this.project;
    return {
      now: Date.now(),
      application: environment.application,
      environment: environment.name,
      record: this.record,
      schedule: scheduleOf(this.record, environment),
      proxies: this.seen,
      problem: this.problem,
      atWork: this.atWork,
      measured: this.props.measured?.() ?? null,
    };
  }

  /** Until `signal` says so; `onLook` is told after each look. */
  async watch(signal: AbortSignal, onLook: (moment: Snapshot) => void): Promise<void> {
    const { reachable, afar } = INTERVAL_SECONDS;
    const seconds = this.props.intervalSeconds ?? (this.proxies.reachable ? reachable : afar);
    while (!signal.aborted) {
      const due = Date.now() + 1000 * seconds;
      await this.look();
      if (signal.aborted) return;
      onLook(this.moment);
      await sleep(Math.max(0, due - Date.now()), undefined, { signal }).catch(() => undefined);
    }
  }

  private async look(): Promise<void> {
    try {
      this.record = this.props.readRecord();
      this.atWork = !this.proxies.reachable || (await isReleaseRunning(this.project));
      const sightings = await this.proxies.look(this.record);
      const now = Date.now();
      this.seen = sightings.map((sighting) => {
        const { proxy, status } = sighting;
        // NGINX keeps no counts: its director counts while it is at work, and this one was not.
        const counts = this.project.environment.proxies.driver === "nginx" ? undefined : status?.counts;
        return { ...sighting, rates: counts === undefined ? null : this.rates.add(proxy, now, counts) };
      });
      this.problem = null;
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }
}
