/**
 * Proxies on Azure can't be reached from outside. Their state is what their last steps reported, read from the web
 * stack's refreshed state; the begin step checks whether it still holds.
 */
import { proxyPlaces } from "../../configuration/naming";
import { parseStep } from "../../release/steps";
import type { AzureEnvironment } from "../../configuration/environment";
import type { ReleaseRecord } from "../../release/record";
import { InstallResult, readResultLine } from "../../release/result-line";
import type { Slot } from "../../release/slot";
import { NO_REPORT } from "./proxies";
import type { Aborted, Proxies, PollResult } from "./proxies";
import type { EndpointStatus, ProxyStatus } from "../../release/director-status";
import type { Survey } from "../../release/taking-part";
import { lastReport } from "./step-reports";
import type { Project } from "../project/project";
import { synthesize } from "../terraform/synth";
import type { TerraformBinary } from "../terraform/binary";
import { Stack } from "../terraform/stack";
import type { StateResource } from "../terraform/stack";

export class AzureProxies implements Proxies {
  readonly reachable = false;
  private polling: Stack | null = null;

  constructor(
    private readonly project: Project,
    private readonly environment: AzureEnvironment,
    private readonly terraform: () => Promise<TerraformBinary>,
  ) {}

  /** On Azure base is deployed separately, with other rights. */
  baseIsDeployed(): boolean {
    return true;
  }

  /** A stopped proxy can't be noticed from here: its next step fails. */
  async survey(record: ReleaseRecord, without: readonly string[] = []): Promise<Survey> {
    const web = new Stack(await synthesize(this.project, record), "web", await this.terraform());
    const resources = await web.refreshedState();
    const asked = proxyPlaces(this.environment).filter(({ name }) => !without.includes(name));
    const statuses = asked.flatMap(({ name }) => this.readStatus(record, resources, name) ?? []);
    if (statuses.length > 0 || record.sequence === 0) return { statuses, silent: [] };
    return { statuses, silent: [], unknown: NO_REPORT };
  }

  async poll(record: ReleaseRecord): Promise<PollResult[]> {
    this.polling ??= await this.pollingStack(record);
    const resources = await this.polling.refreshedState();
    return proxyPlaces(this.environment).map(({ name: proxy }): PollResult => {
      try {
        const status = this.readStatus(record, resources, proxy);
        if (status !== null) return { proxy, status, problem: null };
        const isOut = record.leftOut?.includes(proxy) === true;
        const problem = isOut ? `is left out of record ${record.sequence}` : "has run no step yet";
        return { proxy, status, problem: `${proxy} ${problem}` };
      } catch (error) {
        return { proxy, status: null, problem: (error as Error).message };
      }
    });
  }

  /** In a separate folder, because a release may run. The state is the same for any record. */
  private async pollingStack(record: ReleaseRecord): Promise<Stack> {
    const environment = { ...this.environment, name: `${this.environment.name}/watch` };
    const project = { ...this.project, environment };
    return new Stack(await synthesize(project, record), "web", await this.terraform());
  }

  private readStatus(
    record: ReleaseRecord,
    resources: readonly StateResource[],
    proxy: string,
  ): ProxyStatus | null {
    const last = lastReport(resources, proxy);
    return last === null ? null : { ...last, endpoints: this.endpoints(record, resources) };
  }

  /** A running director can't be reached from here; it ends by itself, with traffic on verified releases. */
  abort(): Promise<Aborted> {
    return Promise.resolve({ results: [], silent: [] });
  }

  /** The installed releases by install step; only the proxies know what answers now. */
  private endpoints(record: ReleaseRecord, resources: readonly StateResource[]): ProxyStatus["endpoints"] {
    const of = (slot: Slot): EndpointStatus[] =>
      resources.flatMap((resource) => {
        const step = parseStep(resource.address);
        if (step?.kind !== "install" || step.slot !== slot || resource.deposed) return [];
        const installed = readResultLine(InstallResult, resource.output)?.releaseId ?? null;
        const healthy = resource.exitCode === 0 && record.slots[slot] !== null;
        return [
          {
            server: step.server,
            address: resource.name,
            releaseId: healthy ? installed : null,
            healthy,
            inRotation: true,
          },
        ];
      });
    return { blue: of("blue"), green: of("green") };
  }
}
