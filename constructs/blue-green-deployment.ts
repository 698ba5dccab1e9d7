/**
 * The toggle: which slot gets the new artifact, and the steps around it. The graph is the same for every record;
 * only the names of the steps change, and a changed name is what runs a step:
 *
 *   begin (each proxy) -> migrate (where the release has new scripts) -> install blue + install green (each server) -> switch (proxy after proxy)
 *                      -> converge blue + converge green (each server) -> share (each proxy)
 *
 * Hooks of the environment stand between these steps: those before a phase hold it up, those after it hold up nothing.
 *
 * So the live slot's install steps are no-ops in every plan: that is the proof that a release does not touch it. A
 * heal runs the install steps of the healed servers between begin and switch, and no others.
 */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { directorSpec, encodeSpec } from "../release/director-spec";
import type { Environment } from "../release/environment";
import { hooksAt, refuseHooksInRecreate } from "../release/hooks";
import type { Phase, When } from "../release/hooks";
import { migrateSpec } from "../release/migrations/migrate-spec";
import type { DatabaseAccess } from "../release/migrations/migrate-spec";
import { refuseUnknownServers, slotEndpoints, stepId, stepName } from "../release/naming";
import type { Endpoint } from "../release/naming";
import {
  expectedRelease,
  healedServers,
  idOrNull,
  installedRelease,
  recordDigest,
  refuseOtherApplication,
  scheduleOf,
  target,
} from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { InvalidInput } from "../release/refusal";
import { releaseId } from "../release/release";
import type { Release } from "../release/release";
import { otherSlot, SLOTS } from "../release/slot";
import type { Slot } from "../release/slot";
import { hookStep } from "./hook-step";
import { onServerProgram } from "./on-server-program";
import type { Server } from "./server";

export interface BlueGreenDeploymentProps {
  readonly environment: Environment;
  /** What should run. Sequence 0 means that nothing was released yet: then there are no steps. */
  readonly record: ReleaseRecord;
  /** The web servers by name, as many as the environment names. */
  readonly servers: ReadonlyMap<string, Server>;
  /** The proxies in the order of the traffic shift: the first carries the schedule. */
  readonly proxies: readonly Server[];
  readonly installer: Installer;
  /** What brings the database to what a release asks for; only environments with a database have one. */
  readonly migrator?: Migrator;
}

/** Where migrations run, and on what. */
export interface Migrator {
  readonly server: Server;
  readonly database: DatabaseAccess;
  /** Where the migrator's program is fetched: see on-server/migrate/run-migrate.sh. No secrets. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What installs a release into a slot of a server. */
export interface Installer {
  /** Path of the script. What it promises: see on-server/install/install-release.sh. */
  readonly script: string;
  /** Besides those of the release and the slot. No secrets. */
  readonly parameters: Readonly<Record<string, string>>;
  /** How long it may wait for what is not the release's fault: rights, downloads. */
  readonly patienceSeconds: number;
}

const PER_STEP_MARGIN_SECONDS = 120;
/** A large table takes its time, and so does waiting for somebody else's migration. */
const MIGRATE_SECONDS = 3_600;

export class BlueGreenDeployment extends Construct {
  private readonly props: BlueGreenDeploymentProps;

  constructor(scope: Construct, id: string, props: BlueGreenDeploymentProps) {
    super(scope, id);
    this.props = props;
    refuseOtherApplication(props.record, props.environment.application, "the record");
    refuseUnknownServers(healedServers(props.record), props.environment);
    if (props.record.sequence === 0) return;

    refuseHooksInRecreate(props.environment, scheduleOf(props.record, props.environment));

    const begun = this.phase("begin", [], (after) =>
      props.proxies.map((proxy, index) => this.direct("begin", proxy, index, after)),
    );
    const migrated = this.phase("migrate", begun, (after) => this.migrate(after));
    const installed = this.phase("install", [...begun, ...migrated], (after) =>
      SLOTS.flatMap((slot) => this.installSlot(slot, after)),
    );
    const switched = this.phase("switch", installed, (after) =>
      props.proxies.reduce<ITerraformDependable[]>((before, proxy, index) => {
        return [...before, this.direct("switch", proxy, index, index === 0 ? after : before.slice(-1))];
      }, []),
    );
    const converged = this.phase("converge", switched, (after) =>
      SLOTS.flatMap((slot) => this.convergeSlot(slot, after)),
    );
    this.phase("share", converged, (after) =>
      props.proxies.map((proxy, index) => this.direct("share", proxy, index, after)),
    );
  }

  /** @returns the phase's steps, without its hooks: what is after a phase holds up nothing. */
  private phase(
    phase: Phase,
    before: ITerraformDependable[],
    addSteps: (dependsOn: ITerraformDependable[]) => ITerraformDependable[],
  ): ITerraformDependable[] {
    const steps = addSteps([...before, ...this.hooks(`before ${phase}`, before)]);
    this.hooks(`after ${phase}`, steps);
    return steps;
  }

  /** One after another, in the order of the environment file. */
  private hooks(when: When, dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    const { environment, record } = this.props;
    return hooksAt(environment, when).reduce<ITerraformDependable[]>((before, hook) => {
      return [...before, hookStep(this, { hook, environment, record, dependsOn: [...dependsOn, ...before] })];
    }, []);
  }

  private direct(
    step: "begin" | "switch" | "share",
    proxy: Server,
    index: number,
    dependsOn: ITerraformDependable[],
  ): ITerraformDependable {
    const { environment, record } = this.props;
    return proxy.run(this, stepId[step](proxy.name), {
      name: stepName[step](record),
      script: onServerProgram("director/run-director.sh"),
      parameters: {
        DIRECTOR_COMMAND: step,
        DIRECTOR_SPEC: encodeSpec(directorSpec(environment, record, index)),
      },
      timeoutSeconds: this.directorTimeout(),
      dependsOn,
      needed: step !== "share" || this.converges(),
    });
  }

  /** Before anything is installed, so that a release never meets a database that it does not know. */
  private migrate(dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    const { record, migrator } = this.props;
    const release = target(record);
    const needed = record.migrate === true;
    if (migrator === undefined) {
      if (!needed) return [];
      throw new InvalidInput("the release carries migrations, and the environment has no platform.database");
    }
    const { server, database, parameters } = migrator;
    const { migrations } = release ?? {};
    const spec =
      release === null || migrations === undefined
        ? {}
        : { MIGRATE_SPEC: encodeSpec(migrateSpec(record, { ...release, migrations }, database)) };
    return [
      server.run(this, stepId.migrate(server.name), {
        name: stepName.migrate(record),
        script: onServerProgram("migrate/run-migrate.sh"),
        parameters: { ...spec, ...parameters },
        timeoutSeconds: MIGRATE_SECONDS,
        dependsOn,
        needed,
      }),
    ];
  }

  private installSlot(slot: Slot, dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    const { environment, record } = this.props;
    const heals = healedServers(record).length > 0;
    const recreates = !heals && scheduleOf(record, environment).strategy === "recreate";
    return slotEndpoints(environment)[slot].map((endpoint) => {
      const { server } = endpoint;
      const release = installedRelease(record, slot, server);
      return this.install(
        stepId.install(slot, server),
        stepName.install(record, slot, server),
        slot,
        endpoint,
        {
          release,
          inPlace: recreates && slot === record.active,
          dependsOn,
          // What is empty stays as it is: after a convergence it may serve what `converge` put there.
          needed: !heals || release !== null,
        },
      );
    });
  }

  /** The idle slot's servers get the active release too. */
  private convergeSlot(slot: Slot, dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    const { environment, record } = this.props;
    return slotEndpoints(environment)[slot].map((endpoint) =>
      this.install(stepId.converge(slot, endpoint.server), stepName.converge(record, slot), slot, endpoint, {
        release: target(record),
        inPlace: false,
        dependsOn,
        needed: this.converges() && slot === otherSlot(record.active),
      }),
    );
  }

  private install(
    id: string,
    name: string,
    slot: Slot,
    endpoint: Endpoint,
    step: { release: Release | null; inPlace: boolean; dependsOn: ITerraformDependable[]; needed: boolean },
  ): ITerraformDependable {
    const { environment, servers, installer } = this.props;
    const server = servers.get(endpoint.server);
    if (server === undefined)
      throw new Error(`there is no server "${endpoint.server}", which the environment names`);
    const { deadlineSeconds } = environment.verification;
    return server.run(this, id, {
      name,
      script: installer.script,
      parameters: this.installParameters(slot, endpoint, step.release, step.inPlace),
      timeoutSeconds:
        Math.ceil(2 * deadlineSeconds + environment.stopSeconds) +
        installer.patienceSeconds +
        PER_STEP_MARGIN_SECONDS,
      dependsOn: step.dependsOn,
      needed: step.needed,
    });
  }

  private installParameters(
    slot: Slot,
    endpoint: Endpoint,
    release: Release | null,
    inPlace: boolean,
  ): Record<string, string> {
    const { environment, record, installer } = this.props;
    const { verification } = environment;
    const inUse = [
      ...SLOTS.map((each) => idOrNull(expectedRelease(record, each))),
      idOrNull(record.previous),
    ];
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
      HEALTH_PATH: verification.path,
      HEALTH_STATUS: String(verification.status),
      HEALTH_HOST: verification.host ?? "",
      RELEASE_HEADER: verification.releaseHeader ?? "",
      HEALTH_SUCCESSES: String(verification.successes),
      HEALTH_INTERVAL_SECONDS: String(verification.intervalSeconds),
      HEALTH_TIMEOUT_SECONDS: String(verification.timeoutSeconds),
      DEADLINE_SECONDS: String(verification.deadlineSeconds),
      STOP_SECONDS: String(environment.stopSeconds),
      KEEP_RELEASES: String(environment.keepReleases),
      PROTECTED_RELEASES: [...new Set(inUse.filter((id) => id !== null))].join(" "),
      MODE: inPlace ? "inPlace" : "slot",
      ...installer.parameters,
    };
  }

  private converges(): boolean {
    const { record } = this.props;
    const converges = record.converge === true && record.goal === "live" && target(record) !== null;
    return converges && healedServers(record).length === 0;
  }

  /** Long enough for everything that the schedule may wait for; a step that hangs still ends. */
  private directorTimeout(): number {
    const { environment, record } = this.props;
    const { steps, stepSeconds, bakeSeconds, drainSeconds } = scheduleOf(record, environment);
    const waiting =
      steps.length * stepSeconds + bakeSeconds + 2 * drainSeconds + environment.verification.deadlineSeconds;
    return Math.ceil(waiting) + PER_STEP_MARGIN_SECONDS;
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
