/** The installer's steps on the web servers: install and converge, each slot on each of its servers. */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { slotEndpoints } from "../../configuration/naming";
import { stepId, stepName } from "../../release/steps";
import type { Endpoint } from "../../configuration/naming";
import {
  convergesNow,
  expectedRelease,
  healedServers,
  idOrNull,
  installedRelease,
  recordDigest,
  scheduleOf,
  target,
} from "../../release/record";
import { InvalidInput } from "../../release/failure";
import { releaseId } from "../../release/release";
import type { Release } from "../../release/release";
import { otherSlot, SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import type { Installer } from "../installer";
import type { Server } from "../server";
import type { Deployed } from "./deployed";

export interface InstallStepsProps extends Deployed {
  /** The web servers by name: all servers of the environment. */
  readonly servers: ReadonlyMap<string, Server>;
  readonly installer: Installer;
}

/** What an installer may take until it stops the old release, besides its patience: the lock, the download, unpacking. */
const PREPARE_SECONDS = 120;
/** For what Windows refuses for a moment, and for processes that must be killed. */
const MARGIN_SECONDS = 60;

/**
 * @returns the steps: servers in parallel, the slots of a server one after another. An installer locks its server, so in
 * parallel the second would wait for the first, and time out on a long download. The steps of a slot that this record
 * does not change are no-ops in the plan.
 */
export function installSteps(scope: Construct, props: InstallStepsProps, dependsOn: ITerraformDependable[]) {
  const { environment, record } = props;
  const heals = healedServers(record).length > 0;
  const recreates = !heals && scheduleOf(record, environment).strategy === "recreate";
  const endpoints = slotEndpoints(environment);
  const before = new Map<string, ITerraformDependable[]>();
  return SLOTS.flatMap((slot) =>
    endpoints[slot].map((endpoint) => {
      const { server } = endpoint;
      const release = installedRelease(record, slot, server);
      const step = install(scope, props, slot, endpoint, {
        id: stepId.install(slot, server),
        name: stepName.install(record, slot, server),
        release,
        inPlace: recreates && slot === record.active,
        dependsOn: [...dependsOn, ...(before.get(server) ?? [])],
        // An empty slot stays as it is: after a convergence it may serve what `converge` installed.
        needed: !heals || release !== null,
      });
      before.set(server, [step]);
      return step;
    }),
  );
}

/** Installs the active release on the idle slot's servers too. */
export function convergeSteps(scope: Construct, props: InstallStepsProps, dependsOn: ITerraformDependable[]) {
  const { environment, record } = props;
  return SLOTS.flatMap((slot) =>
    slotEndpoints(environment)[slot].map((endpoint) =>
      install(scope, props, slot, endpoint, {
        id: stepId.converge(slot, endpoint.server),
        name: stepName.converge(record, slot),
        release: target(record),
        inPlace: false,
        dependsOn,
        needed: convergesNow(record) && slot === otherSlot(record.active),
      }),
    ),
  );
}

interface InstallStep {
  readonly id: string;
  readonly name: string;
  readonly release: Release | null;
  readonly inPlace: boolean;
  readonly dependsOn: ITerraformDependable[];
  readonly needed: boolean;
}

function install(
  scope: Construct,
  props: InstallStepsProps,
  slot: Slot,
  endpoint: Endpoint,
  step: InstallStep,
): ITerraformDependable {
  const { environment, servers, installer } = props;
  const server = servers.get(endpoint.server);
  if (server === undefined) {
    const given = [...servers.keys()].join(", ") || "none";
    throw new InvalidInput(
      `'servers' has no "${endpoint.server}", which the environment names; given are: ${given}`,
    );
  }
  return server.run(scope, step.id, {
    name: step.name,
    script: installer.script,
    parameters: installParameters(props, slot, endpoint, step),
    timeoutSeconds: prepareSeconds(installer) + afterPreparation(environment) + MARGIN_SECONDS,
    dependsOn: step.dependsOn,
    needed: step.needed,
  });
}

function prepareSeconds(installer: Installer): number {
  return PREPARE_SECONDS + (installer.patienceSeconds ?? 0);
}

/** A slot that may already serve the release gets a third of the deadline. Then a stop and a start, twice: back again. */
function afterPreparation({ verification, stopSeconds }: Deployed["environment"]): number {
  return Math.ceil(verification.deadlineSeconds / 3 + 2 * (verification.deadlineSeconds + stopSeconds));
}

/** The parameters of every installer. The format is public: docs/library.md, "A custom installer". */
function installParameters(
  { environment, record, installer }: InstallStepsProps,
  slot: Slot,
  endpoint: Endpoint,
  { release, inPlace }: InstallStep,
): Record<string, string> {
  const { verification } = environment;
  const inUse = [...SLOTS.map((each) => idOrNull(expectedRelease(record, each))), idOrNull(record.previous)];
  return {
    APPLICATION: environment.application,
    SLOT: slot,
    SEQUENCE: String(record.sequence),
    RECORD_DIGEST: recordDigest(record),
    RELEASE_ID: release === null ? "" : releaseId(release),
    VERSION: release?.version ?? "",
    ARTIFACT_URL_BASE64: base64(release?.artifact.url ?? ""),
    ARTIFACT_SHA256: release?.artifact.sha256 ?? "",
    HOST: endpoint.host,
    PORT: String(endpoint.port),
    ...(environment.start === undefined
      ? {}
      : { START_COMMAND_BASE64: base64(environment.start.join("\n")) }),
    ...(environment.proxies.http.instances === "http2" ? { HEALTH_PROTOCOL: "http2" } : {}),
    HEALTH_PATH: verification.path,
    HEALTH_STATUS: String(verification.status),
    HEALTH_HOST: verification.host ?? "",
    RELEASE_HEADER: verification.releaseHeader ?? "",
    HEALTH_SUCCESSES: String(verification.successes),
    HEALTH_INTERVAL_SECONDS: String(verification.intervalSeconds),
    HEALTH_TIMEOUT_SECONDS: String(verification.timeoutSeconds),
    DEADLINE_SECONDS: String(verification.deadlineSeconds),
    STOP_SECONDS: String(environment.stopSeconds),
    PREPARE_SECONDS: String(prepareSeconds(installer)),
    KEEP_RELEASES: String(environment.keepReleases),
    ...(environment.maxArtifactFiles === undefined
      ? {}
      : { MAX_ARTIFACT_FILES: String(environment.maxArtifactFiles) }),
    PROTECTED_RELEASES: [...new Set(inUse.filter((id) => id !== null))].join(" "),
    MODE: inPlace ? "inPlace" : "slot",
    ...installer.parameters,
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
