/**
 * A director's input: the resolved facts of the record, in one message. Synth writes it, the director reads it. The format
 * is the contract between a web stack and the proxies that base set up.
 */
import * as z from "zod/mini";
import { ApplicationName, EnvironmentName, Port } from "../release/patterns";
import { Activation } from "./http-exchange";
import { DEFAULT_HTTP_SETTINGS, HttpSettings } from "./http-settings";
import { Preview } from "./preview";
import { hasAffinity, Sessions } from "./sessions";
import { Verification } from "./verification";
import { DRIVER_NAMES, DriverCommand } from "./drivers";
import { proxyPlaces, slotEndpoints } from "./naming";
import type { ProxyPlace } from "./naming";
import type { DeploymentEnvironment } from "./custom-environment";
import { isCustom } from "./platform";
import { scheduleOf, ServerName } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { Schedule } from "../release/schedule";
import { Sequence, sequenceOf } from "../release/sequence";

const SPEC_FORMAT = 1;

/** One word in a proxy's configuration: spaces or line ends could inject more. */
const Address = z.string().check(z.regex(/^[0-9A-Za-z:][0-9A-Za-z.:-]{0,99}$/));

/** Another proxy of the environment, as it is asked for its sequence. */
const Peer = z.strictObject({
  name: z.string().check(z.regex(/^[a-z0-9-]{1,40}$/)),
  host: Address,
  port: Port,
});
export type Peer = z.infer<typeof Peer>;

const EndpointSpec = z.strictObject({
  server: ServerName,
  host: Address,
  port: Port,
});

/** @internal */
export const DirectorSpec = z.strictObject({
  formatVersion: z.literal(SPEC_FORMAT),
  application: ApplicationName,
  environment: EnvironmentName,
  ...Sequence.shape,
  /**
   * The record itself, which the director stores for `bluegreen recover`. Only steps have it, not status calls or the setup
   * of a proxy, nor steps of version 0.1.0.
   */
  record: z.optional(z.record(z.string(), z.unknown())),
  schedule: Schedule,
  verification: Verification,
  activation: z.nullable(Activation),
  preview: z.nullable(Preview),
  /** Absent without affinity. */
  sessions: z.optional(Sessions),
  endpoints: z.strictObject({ blue: z.array(EndpointSpec), green: z.array(EndpointSpec) }),
  proxy: z.strictObject({
    driver: z.enum(DRIVER_NAMES),
    /** The program of the driver "command"; other drivers have none. */
    command: z.optional(DriverCommand),
    name: z.string().check(z.regex(/^[a-z0-9-]{1,40}$/)),
    /** Among those that are not left out. Proxy 0 runs the schedule; the others verify and follow. */
    index: z.int().check(z.minimum(0)),
    host: Address,
    port: Port,
    /** The other proxies. @default - none */
    peers: z.optional(z.array(Peer)),
    /** Steps of version 0.1.0 have none. */
    http: z._default(HttpSettings, DEFAULT_HTTP_SETTINGS),
    /** null: users use plain HTTP. Otherwise they use this port, and `port` redirects to it. */
    tls: z.nullable(
      z.strictObject({
        port: Port,
        /** A PEM file with certificate, chain and key, relative to the proxy's folder. */
        certificate: z.string().check(z.regex(/^[0-9A-Za-z][0-9A-Za-z._/-]{0,99}$/)),
      }),
    ),
  }),
});
/** What {@link directorSpec} returns; its format is internal and may change with each version. */
export interface DirectorSpec extends z.infer<typeof DirectorSpec> {}

/** The input of a proxy's director for one sequence: slots, endpoints, schedule and checks. */
export function directorSpec(
  environment: DeploymentEnvironment,
  record: ReleaseRecord,
  proxyIndex: number,
): DirectorSpec {
  const places = proxyPlaces(environment);
  const place = places[proxyIndex];
  if (place === undefined) throw new RangeError(`there is no proxy ${proxyIndex}`);
  const endpoints = slotEndpoints(environment);
  return {
    formatVersion: SPEC_FORMAT,
    application: environment.application,
    environment: environment.name,
    ...sequenceOf(record),
    schedule: scheduleOf(record, environment),
    verification: environment.verification,
    activation: environment.activation ?? null,
    preview: environment.preview ?? null,
    ...(hasAffinity(environment) ? { sessions: environment.sessions } : {}),
    endpoints: { blue: [...endpoints.blue], green: [...endpoints.green] },
    proxy: {
      driver: environment.proxies.driver,
      ...(isCustom(environment) && environment.proxies.command !== undefined
        ? { command: environment.proxies.command }
        : {}),
      index: places.slice(0, proxyIndex).filter(({ name }) => record.leftOut?.includes(name) !== true).length,
      ...place,
      ...(places.length === 1 ? {} : { peers: places.filter((each) => each !== place).map(peerAt) }),
      http: environment.proxies.http,
    },
  };
}

/** By plain HTTP: where TLS users are redirected, the health endpoint answers, too. */
function peerAt({ name, host, port }: ProxyPlace): Peer {
  return { name, host, port };
}

/** The input of a step that applies the record. It includes the record without its bans, which do not affect what runs. */
export function stepSpec(
  environment: DeploymentEnvironment,
  record: ReleaseRecord,
  proxyIndex: number,
): DirectorSpec {
  const { banned: _, ...carried } = record;
  return { ...directorSpec(environment, record, proxyIndex), record: carried };
}

/** One word without quotes or spaces, safe on a command line and in an environment variable. */
export function encodeSpec(spec: object): string {
  return Buffer.from(JSON.stringify(spec)).toString("base64");
}
