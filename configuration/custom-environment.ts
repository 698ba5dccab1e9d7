/**
 * An environment on existing machines, written in code beside the constructs that use it. It lists the names, addresses
 * and ports that `naming.ts` computes for an environment file.
 */
import * as z from "zod/mini";
import { MaxArtifactFiles } from "./artifact-limits";
import { EnvironmentName, Port, matches, Program, ApplicationName } from "../release/patterns";
import { DRIVER_NAMES, DriverCommand } from "./drivers";
import type { Environment } from "./environment";
import { Hooks, refuseHooks, refuseHooksInRecreate } from "../release/hooks";
import { Activation } from "./http-exchange";
import {
  DEFAULT_HTTP_SETTINGS,
  HttpSettings,
  refuseHttp2WithoutDriver,
  refuseIdleStrictTransport,
} from "./http-settings";
import { Preview } from "./preview";
import { ServerName } from "../release/record";
import { InvalidInput } from "../release/failure";
import { quote } from "../release/text";
import { resolveSchedule, ScheduleChoice } from "../release/schedule";
import type { Topology } from "../release/schedule";
import { describeIssues } from "../release/validation";
import { SLOTS } from "../release/slot";
import { refuseImpossibleSessions, Sessions } from "./sessions";
import { Verification, wholeSeconds } from "./verification";

/** An address or a name, without a port. */
const Host = matches(/^[0-9A-Za-z:][0-9A-Za-z.:-]{0,99}$/, "host: an address or a name, without a port");

const Server = z.strictObject({
  /** Unique in the environment: a-z, 0-9 and -. It is in the steps' Terraform addresses. */
  name: ServerName,
  /** Where the proxies reach it. */
  host: Host,
  /**
   * Each slot's port. Both slots on every server: topology `sideBySide`. One slot per server: `split`.
   */
  ports: z.strictObject({ blue: z.optional(Port), green: z.optional(Port) }),
});

const Proxy = z.strictObject({
  /** Unique in the environment: a-z, 0-9 and -. It is in the steps' Terraform addresses. */
  name: ServerName,
  /** The address for users, as in the proxy's configuration. */
  host: Host,
  port: Port,
  /** HTTPS, for drivers whose configuration the director writes. @default plain HTTP */
  tls: z.optional(
    z.strictObject({
      port: Port,
      /** A PEM file with certificate, chain and key, relative to the proxy's folder. */
      certificate: matches(/^[0-9A-Za-z][0-9A-Za-z._/-]{0,99}$/, "file below the proxy's folder"),
    }),
  ),
});

const CustomEnvironmentFields = z.strictObject({
  application: ApplicationName,
  /** The environment's name, as in "production". */
  name: EnvironmentName,
  servers: z.array(Server).check(z.minLength(1), z.maxLength(200)),
  /** In the order of the traffic shift: the first carries the schedule. */
  proxies: z.array(Proxy).check(z.minLength(1), z.maxLength(8)),
  /** How the director controls the proxies. @default "haproxy" */
  driver: z._default(z.enum(DRIVER_NAMES), "haproxy"),
  /** The program of the driver "command"; other drivers have none. */
  driverCommand: z.optional(DriverCommand),
  /** The command that starts an instance, as a list of arguments, for our installers. @default - for custom installers */
  start: z.optional(Program),
  /** Limits of users' requests, balancers in front, host names; not for driver "command". @default see each field */
  http: z._default(HttpSettings, DEFAULT_HTTP_SETTINGS),
  verification: z._default(Verification, z.parse(Verification, {})),
  /** @default - instances are not notified which slot is live */
  activation: z.optional(Activation),
  /** @default - no preview */
  preview: z.optional(Preview),
  /** Whether clients stay on a server; not for driver "command". @default - each request may go to another server */
  sessions: z.optional(Sessions),
  /** @default - none */
  hooks: z.optional(Hooks),
  /** How releases get their traffic unless the record says otherwise. @default blue/green, all at once */
  schedule: z._default(ScheduleChoice, { strategy: "blueGreen" }),
  /** Whether there is a migrator. Without it, releases with migrations are refused. @default false */
  database: z._default(z.boolean(), false),
  /** How many files an artifact may have; our installers refuse more. @default 200000 */
  maxArtifactFiles: z.optional(MaxArtifactFiles),
  /** Releases that our installer keeps on disk besides those in use. @default 5 */
  keepReleases: z._default(z.int().check(z.minimum(2), z.maximum(50)), 5),
  /** How long an instance may take to finish its requests when it is stopped, in seconds. @default 30 */
  stopSeconds: z._default(wholeSeconds(1, 600), 30),
});

/** Props of {@link customEnvironment}; see each field. @useDeclaredType */
export type CustomEnvironmentProps = z.input<typeof CustomEnvironmentFields>;
type CustomEnvironmentParts = z.infer<typeof CustomEnvironmentFields>;

/** A validated environment on existing machines. Created by {@link customEnvironment} only. */
export interface CustomEnvironment extends Pick<
  Environment,
  | "application"
  | "name"
  | "topology"
  | "start"
  | "verification"
  | "activation"
  | "preview"
  | "sessions"
  | "hooks"
  | "schedule"
  | "maxArtifactFiles"
  | "keepReleases"
  | "stopSeconds"
> {
  readonly platform: {
    readonly kind: "custom";
    readonly servers: CustomEnvironmentParts["servers"];
    readonly proxies: CustomEnvironmentParts["proxies"];
    readonly database: true | undefined;
  };
  readonly proxies: {
    readonly driver: CustomEnvironmentParts["driver"];
    readonly command: DriverCommand | undefined;
    readonly http: HttpSettings;
  };
}

/** Any deployment target: from an environment file, or written in code. */
export type DeploymentEnvironment = Environment | CustomEnvironment;

/**
 * An environment on existing machines. The topology follows from the servers' ports.
 * @throws InvalidInput one line that names the field and what it should be: two servers with the same name, an endpoint
 * that two slots share, some servers with one slot and some with both, a driver without its program.
 */
export function customEnvironment(props: CustomEnvironmentProps): CustomEnvironment {
  const parsed = z.safeParse(CustomEnvironmentFields, props);
  if (!parsed.success) throw new InvalidInput(`customEnvironment: ${describeIssues(parsed.error)}`);
  try {
    return resolved(parsed.data);
  } catch (error) {
    throw error instanceof InvalidInput ? new InvalidInput(`customEnvironment: ${error.message}`) : error;
  }
}

function resolved(parts: CustomEnvironmentParts): CustomEnvironment {
  const { servers, proxies, driver, driverCommand, http, database, schedule: choice, ...rest } = parts;
  refuseDuplicates("servers", servers);
  refuseDuplicates("proxies", proxies);
  refuseSharedEndpoints(servers);
  refuseDriver(parts);
  refuseHttp2WithoutDriver({ driver, http }, "");
  const hasTls = proxies.some(({ tls }) => tls !== undefined);
  refuseIdleStrictTransport({ driver, http }, { hasTls, within: "" });
  const topology = topologyOf(servers);
  const schedule = resolveSchedule(choice);
  if (parts.sessions !== undefined) refuseImpossibleSessions(parts.sessions, driver, schedule, "driver");
  if (schedule.afterPromotion === "converge" && topology !== "split") {
    throw new InvalidInput(
      `schedule.afterPromotion "converge" needs one slot per server, these have both ("${topology}")`,
    );
  }
  const platform = { kind: "custom" as const, servers, proxies, database: database || undefined } as const;
  refuseHooks({ ...rest, platform, topology });
  refuseHooksInRecreate(rest, schedule);
  return { ...rest, topology, schedule, platform, proxies: { driver, command: driverCommand, http } };
}

function topologyOf(servers: CustomEnvironmentParts["servers"]): Topology {
  const slots = servers.map(({ ports }) => Object.values(ports).filter((port) => port !== undefined).length);
  const [none] = servers.filter((_, index) => slots[index] === 0);
  if (none !== undefined) {
    throw new InvalidInput(
      `servers: ${quote(none.name)} needs a port for a slot: { blue: 8080, green: 8081 }`,
    );
  }
  if (slots.every((count) => count === 2)) return "sideBySide";
  if (slots.some((count) => count === 2)) {
    throw new InvalidInput(
      `servers: ${servers.map(({ name }, index) => `${quote(name)} has ${slots[index]}`).join(", ")} of the slots: give each server one slot, or each both`,
    );
  }
  for (const slot of SLOTS) {
    if (servers.every(({ ports }) => ports[slot] === undefined)) {
      throw new InvalidInput(
        `servers: none has ${slot}: a release goes to the idle slot, so there must be two`,
      );
    }
  }
  return "split";
}

function refuseDuplicates(field: string, named: readonly { readonly name: string }[]): void {
  const twice = named.find(({ name }, index) => named.findIndex((other) => other.name === name) < index);
  if (twice !== undefined) throw new InvalidInput(`${field}: ${quote(twice.name)} is listed twice`);
}

function refuseSharedEndpoints(servers: CustomEnvironmentParts["servers"]): void {
  const places = servers.flatMap(({ host, ports }) =>
    [ports.blue, ports.green].flatMap((port) => (port === undefined ? [] : [`${host}:${port}`])),
  );
  const shared = places.find((place, index) => places.indexOf(place) < index);
  if (shared !== undefined) throw new InvalidInput(`servers: ${shared} is used by two endpoints`);
}

function refuseDriver({ driver, driverCommand, preview, proxies }: CustomEnvironmentParts): void {
  if ((driver === "command") !== (driverCommand !== undefined)) {
    throw new InvalidInput(
      driverCommand === undefined
        ? `driver "command" needs a driverCommand: { program: ["/opt/proxy/driver"] }`
        : `driverCommand is only for driver "command", this one is "${driver}"`,
    );
  }
  if (driver === "command" && preview !== undefined) {
    throw new InvalidInput(`preview needs a driver whose configuration the director writes: leave it out`);
  }
  if (driver === "nginx" && preview !== undefined && preview.md5 === undefined) {
    throw new InvalidInput("preview.md5 is missing: NGINX can't compute any other digest");
  }
  const withTls = proxies.find(({ tls }) => tls !== undefined);
  if (driver !== "haproxy" && driver !== "nginx" && withTls !== undefined) {
    throw new InvalidInput(
      `proxies: "${withTls.name}" has tls, which driver "${driver}" does not configure: leave it out`,
    );
  }
}
