/** Polls the proxies, one poll after another, and makes a snapshot of each. Errors don't stop it. */
import { setTimeout as sleep } from "node:timers/promises";
import { scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { LoadSnapshot } from "../load/messages";
import type { Project } from "../project/project";
import { isReleaseRunning } from "../project/project-lock";
import type { Proxies } from "../proxies/proxies";
import type { Snapshot, ProxySnapshot } from "./snapshot";
import { RequestRates } from "./request-rates";

/** On Azure each poll needs a Terraform plan. */
const INTERVAL_SECONDS = { local: 1, azure: 15 };

export interface PollerProps {
  /** Reads the current record. */
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

  /** The last snapshot, with the current time. */
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

  /** Runs until `signal` aborts; calls `onPoll` after each poll. */
  async watch(signal: AbortSignal, onPoll: (moment: Snapshot) => void): Promise<void> {
    const { local, azure } = INTERVAL_SECONDS;
    const seconds = this.props.intervalSeconds ?? (this.proxies.reachable ? local : azure);
    while (!signal.aborted) {
      const due = performance.now() + 1000 * seconds;
      await this.poll();
      if (signal.aborted) return;
      onPoll(this.moment);
      await sleep(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => undefined);
    }
  }

  private async poll(): Promise<void> {
    try {
      this.record = this.props.readRecord();
      this.atWork = !this.proxies.reachable || (await isReleaseRunning(this.project));
      const results = await this.proxies.poll(this.record);
      const now = Date.now();
      this.seen = results.map((result) => {
        const { proxy, status } = result;
        // NGINX keeps no counts; only a running director counts its requests.
        const counts = this.project.environment.proxies.driver === "nginx" ? undefined : status?.counts;
        return { ...result, rates: counts === undefined ? null : this.rates.add(proxy, now, counts) };
      });
      this.problem = null;
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }
}
