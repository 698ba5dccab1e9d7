/**
 * Proxies on Azure: nobody reaches them from outside, so what is known of them is what their last steps reported,
 * read from the web stack's state after a refresh. Whether it still holds, begin checks on the spot.
 */
import { proxyPlaces } from "../../configuration/naming";
import { parseStep } from "../../release/steps";
import type { AzureEnvironment } from "../../configuration/environment";
import type { ReleaseRecord } from "../../release/record";
import { InstallResult, readResultLine } from "../../release/result-line";
import type { Slot } from "../../release/slot";
import type { EndpointStatus, Proxies, ProxyStatus, Sighting, StepResult } from "./proxies";
import { lastWords } from "./step-words";
import type { Project } from "../project/project";
import { synthesize } from "../terraform/synth";
import type { TerraformBinary } from "../terraform/binary";
import { Stack } from "../terraform/stack";
import type { StateResource } from "../terraform/stack";

export class AzureProxies implements Proxies {
  readonly reachable = false;
  private aside: Stack | null = null;

  constructor(
    private readonly project: Project,
    private readonly environment: AzureEnvironment,
    private readonly terraform: () => Promise<TerraformBinary>,
  ) {}

  /** Base is deployed apart: its rights are others. */
  baseIsDeployed(): boolean {
    return true;
  }

  async statuses(record: ReleaseRecord): Promise<ProxyStatus[]> {
    const web = new Stack(await synthesize(this.project, record), "web", await this.terraform());
    const resources = await web.refreshedState();
    return proxyPlaces(this.environment).flatMap(
      ({ name }) => this.readStatus(record, resources, name) ?? [],
    );
  }

  async look(record: ReleaseRecord): Promise<Sighting[]> {
    this.aside ??= await this.stackAside(record);
    const resources = await this.aside.refreshedState();
    return proxyPlaces(this.environment).map(({ name: proxy }): Sighting => {
      try {
        const status = this.readStatus(record, resources, proxy);
        if (status !== null) return { proxy, status, problem: null };
        return { proxy, status, problem: `${proxy} has run no step yet` };
      } catch (error) {
        return { proxy, status: null, problem: (error as Error).message };
      }
    });
  }

  /** A folder of its own, beside those of a release that may be under way. The state is the same for any record. */
  private async stackAside(record: ReleaseRecord): Promise<Stack> {
    const environment = { ...this.environment, name: `${this.environment.name}/watch` };
    const aside = { ...this.project, environment };
    return new Stack(await synthesize(aside, record), "web", await this.terraform());
  }

  private readStatus(
    record: ReleaseRecord,
    resources: readonly StateResource[],
    proxy: string,
  ): ProxyStatus | null {
    const last = lastWords(resources, proxy);
    return last === null ? null : { ...last, endpoints: this.endpoints(record, resources) };
  }

  /** A director whose step runs ends by itself, with traffic on verified releases; nobody can be told from here. */
  abort(): Promise<StepResult[]> {
    return Promise.resolve([]);
  }

  /** Whether the recorded releases were installed; who answers now, only the proxies know. */
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
