/**
 * What a step tells the director on a proxy: the record's facts, resolved, in one message. Synth writes it, the
 * director reads it; the format is the contract between a web stack and the proxies that base set up.
 */
import * as z from "zod/mini";
import { ApplicationName, EnvironmentName, Port } from "../release/patterns";
import { Activation } from "./http-exchange";
import { Preview } from "./preview";
import { Verification } from "./verification";
import { DRIVER_NAMES, DriverCommand } from "./drivers";
import { proxyPlaces, slotEndpoints } from "./naming";
import type { DeploymentEnvironment } from "./custom-environment";
import { isCustom } from "./platform";
import { scheduleOf, ServerName } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { Schedule } from "../release/schedule";
import { Sequence, sequenceOf } from "../release/sequence";

const SPEC_FORMAT = 1;

/** One word of a proxy's configuration, where a line's end or a blank would say more. */
const Address = z.string().check(z.regex(/^[0-9A-Za-z:][0-9A-Za-z.:-]{0,99}$/));

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
   * The record itself, for the director to keep as it is: `bluegreen recover` reads it back. Only a step brings it; what
   * asks or sets up a proxy has none, and neither had a step of version 0.1.0.
   */
  record: z.optional(z.record(z.string(), z.unknown())),
  schedule: Schedule,
  verification: Verification,
  activation: z.nullable(Activation),
  preview: z.nullable(Preview),
  endpoints: z.strictObject({ blue: z.array(EndpointSpec), green: z.array(EndpointSpec) }),
  proxy: z.strictObject({
    driver: z.enum(DRIVER_NAMES),
    /** The program behind the driver "command"; no other driver has one. */
    command: z.optional(DriverCommand),
    name: z.string().check(z.regex(/^[a-z0-9-]{1,40}$/)),
    /** 0 carries the schedule; later ones verify and follow. */
    index: z.int().check(z.minimum(0)),
    host: Address,
    port: Port,
    /** null: users come over plain HTTP. Else they come to this port, and `port` only tells them so. */
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

/** What the director on a proxy is given for one sequence: slots, endpoints, schedule and checks. */
export function directorSpec(
  environment: DeploymentEnvironment,
  record: ReleaseRecord,
  proxyIndex: number,
): DirectorSpec {
  const place = proxyPlaces(environment)[proxyIndex];
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
    endpoints: { blue: [...endpoints.blue], green: [...endpoints.green] },
    proxy: {
      driver: environment.proxies.driver,
      ...(isCustom(environment) && environment.proxies.command !== undefined
        ? { command: environment.proxies.command }
        : {}),
      index: proxyIndex,
      ...place,
    },
  };
}

/** What a step gets that applies the record: the record goes along, without the bans, which are no part of what runs. */
export function stepSpec(
  environment: DeploymentEnvironment,
  record: ReleaseRecord,
  proxyIndex: number,
): DirectorSpec {
  const { banned: _, ...carried } = record;
  return { ...directorSpec(environment, record, proxyIndex), record: carried };
}

/** One word without quotes or blanks: what a command line and an environment variable carry unharmed. */
export function encodeSpec(spec: object): string {
  return Buffer.from(JSON.stringify(spec)).toString("base64");
}
