/**
 * An environment over machines that somebody else provides: written in code, beside the constructs that use it. What
 * an environment file lets `naming.ts` compute (names, addresses, ports) is said here instead.
 */
import * as z from "zod/mini";
import { EnvironmentName, Port } from "../release/patterns";
import { DRIVER_NAMES, DriverCommand } from "./drivers";
import type { Environment } from "./environment";
import { Hooks, refuseHooks, refuseHooksInRecreate } from "../release/hooks";
import { Activation } from "./http-exchange";
import { matches, Program } from "../release/patterns";
import { Preview } from "./preview";
import { ServerName } from "../release/record";
import { ApplicationName } from "../release/patterns";
import { InvalidInput } from "../release/failure";
import { quote } from "../release/text";
import { resolveSchedule, ScheduleChoice } from "../release/schedule";
import type { Topology } from "../release/schedule";
import { describeIssues } from "../release/validation";
import { SLOTS } from "../release/slot";
import { Verification, wholeSeconds } from "./verification";

/** An address or a name, without a port. */
const Host = matches(/^[0-9A-Za-z:][0-9A-Za-z.:-]{0,99}$/, "host: an address or a name, without a port");

const OwnServer = z.strictObject({
  /** Unique in the environment: a-z, 0-9 and -. It is in the steps' Terraform addresses. */
  name: ServerName,
  /** Where the proxies reach it. */
  host: Host,
  /**
   * On which port each slot answers. Both slots on every server: topology `sideBySide`. One slot on each server: `split`.
   */
  ports: z.strictObject({ blue: z.optional(Port), green: z.optional(Port) }),
});

const OwnProxy = z.strictObject({
  /** Unique in the environment: a-z, 0-9 and -. It is in the steps' Terraform addresses. */
  name: ServerName,
  /** Where users come to, as the proxy's own configuration writes it. */
  host: Host,
  port: Port,
  /** HTTPS, for the drivers whose configuration the director writes. @default plain HTTP */
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
  /** Of the environment, as in "production". */
  name: EnvironmentName,
  servers: z.array(OwnServer).check(z.minLength(1), z.maxLength(200)),
  /** In the order of the traffic shift: the first carries the schedule. */
  proxies: z.array(OwnProxy).check(z.minLength(1), z.maxLength(8)),
  /** How the director on the proxies talks to them. @default "haproxy" */
  driver: z._default(z.enum(DRIVER_NAMES), "haproxy"),
  /** The program behind the driver "command"; no other driver has one. */
  driverCommand: z.optional(DriverCommand),
  /** What starts an instance, as a list of arguments; for our installers. @default - an own installer knows */
  start: z.optional(Program),
  verification: z._default(Verification, z.parse(Verification, {})),
  /** @default - nobody is told which slot is live */
  activation: z.optional(Activation),
  /** @default - nobody sees a release before it gets traffic */
  preview: z.optional(Preview),
  /** @default - none */
  hooks: z.optional(Hooks),
  /** How releases get their traffic unless the record says otherwise. @default blue/green, all at once */
  schedule: z._default(ScheduleChoice, { strategy: "blueGreen" }),
  /** Whether there is a migrator: a record whose release brings scripts is refused without. @default false */
  database: z._default(z.boolean(), false),
  /** Releases that our installer keeps on a server's disk besides those in use. @default 5 */
  keepReleases: z._default(z.int().check(z.minimum(2), z.maximum(50)), 5),
  /** How long an instance may take to finish its requests when it is stopped, in seconds. @default 30 */
  stopSeconds: z._default(wholeSeconds(1, 600), 30),
});

/** What {@link customEnvironment} is given; see each field. @useDeclaredType */
export type CustomEnvironmentProps = z.input<typeof CustomEnvironmentFields>;
type CustomEnvironmentParts = z.infer<typeof CustomEnvironmentFields>;

/** An environment over somebody else's machines, checked. Made by {@link customEnvironment}, never by hand. */
export interface CustomEnvironment extends Pick<
  Environment,
  | "application"
  | "name"
  | "topology"
  | "start"
  | "verification"
  | "activation"
  | "preview"
  | "hooks"
  | "schedule"
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
  };
}

/** Any place where releases can be deployed: read from an environment file, or said in code. */
export type DeploymentEnvironment = Environment | CustomEnvironment;

/**
 * An environment over machines that are there already. The topology follows from the servers' ports.
 * @throws InvalidInput one line that names the field and what it should be: two servers of one name, an endpoint that
 * two slots weight, servers of which some have one slot and some have both, a driver without its program.
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
  const { servers, proxies, driver, driverCommand, database, schedule: choice, ...rest } = parts;
  refuseTwice("servers", servers);
  refuseTwice("proxies", proxies);
  refuseSharedEndpoints(servers);
  refuseDriver(parts);
  const topology = topologyOf(servers);
  const schedule = resolveSchedule(choice);
  if (schedule.afterPromotion === "converge" && topology !== "split") {
    throw new InvalidInput(
      `schedule.afterPromotion "converge" needs one slot on each server, these have both ("${topology}")`,
    );
  }
  const platform = { kind: "custom" as const, servers, proxies, database: database || undefined } as const;
  refuseHooks({ ...rest, platform, topology });
  refuseHooksInRecreate(rest, schedule);
  return { ...rest, topology, schedule, platform, proxies: { driver, command: driverCommand } };
}

function topologyOf(servers: CustomEnvironmentParts["servers"]): Topology {
  const slots = servers.map(({ ports }) => Object.values(ports).filter((port) => port !== undefined).length);
  const [none] = servers.filter((_, index) => slots[index] === 0);
  if (none !== undefined) {
    throw new InvalidInput(
      `servers: ${quote(none.name)} has no port for a slot: { blue: 8080, green: 8081 }`,
    );
  }
  if (slots.every((count) => count === 2)) return "sideBySide";
  if (slots.some((count) => count === 2)) {
    throw new InvalidInput(
      `servers: ${servers.map(({ name }, index) => `${quote(name)} has ${slots[index]}`).join(", ")} of the slots: give each one of them, or each both`,
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

function refuseTwice(field: string, named: readonly { readonly name: string }[]): void {
  const twice = named.find(({ name }, index) => named.findIndex((other) => other.name === name) < index);
  if (twice !== undefined) throw new InvalidInput(`${field}: ${quote(twice.name)} is there twice`);
}

function refuseSharedEndpoints(servers: CustomEnvironmentParts["servers"]): void {
  const places = servers.flatMap(({ host, ports }) =>
    [ports.blue, ports.green].flatMap((port) => (port === undefined ? [] : [`${host}:${port}`])),
  );
  const shared = places.find((place, index) => places.indexOf(place) < index);
  if (shared !== undefined) throw new InvalidInput(`servers: ${shared} is two endpoints at once`);
}

function refuseDriver({ driver, driverCommand, preview, proxies }: CustomEnvironmentParts): void {
  if ((driver === "command") !== (driverCommand !== undefined)) {
    throw new InvalidInput(
      driverCommand === undefined
        ? `driver "command" needs a driverCommand: { program: ["/opt/proxy/driver"] }`
        : `driverCommand is for driver "command", this one is "${driver}"`,
    );
  }
  if (driver === "command" && preview !== undefined) {
    throw new InvalidInput(`preview is for proxies whose configuration the director writes: leave it out`);
  }
  if (driver === "nginx" && preview !== undefined && preview.md5 === undefined) {
    throw new InvalidInput("preview.md5 is missing: NGINX can compute no other digest");
  }
  const withTls = proxies.find(({ tls }) => tls !== undefined);
  if (driver !== "haproxy" && driver !== "nginx" && withTls !== undefined) {
    throw new InvalidInput(
      `proxies: "${withTls.name}" has tls, which driver "${driver}" does not configure: leave it out`,
    );
  }
}
