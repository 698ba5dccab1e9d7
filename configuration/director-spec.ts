/**
 * What a step tells the director on a proxy: the record's facts, resolved, in one message. Synth writes it, the
 * director reads it; the format is the contract between a web stack and the proxies that base set up.
 */
import * as z from "zod/mini";
import { Activation } from "./http-exchange";
import { Preview } from "./preview";
import { Verification } from "./verification";
import { DRIVER_NAMES, DriverCommand } from "./drivers";
import { proxyPlaces, slotEndpoints } from "./naming";
import type { DeploymentEnvironment } from "./own-environment";
import { isOwn } from "./platform";
import { Goal, healedServers, recordDigest, scheduleOf, ServerName, touchedSlots } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { releaseId } from "../release/release";
import { ScriptName } from "../release/release";
import type { Release } from "../release/release";
import { Schedule } from "../release/schedule";
import { SLOTS } from "../release/slot";

const SPEC_FORMAT = 1;

const Sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const RecordedRelease = z.strictObject({
  /** A version of 40 characters, a hyphen, and a run. */
  releaseId: z.string().check(z.regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,56}$/)),
  sha256: Sha256,
  /** The contract migrations that it works without what they take away. */
  contracts: z.array(ScriptName),
});
export type RecordedRelease = z.infer<typeof RecordedRelease>;

/** One word of a proxy's configuration, where a line's end or a blank would say more. */
const Address = z.string().check(z.regex(/^[0-9A-Za-z:][0-9A-Za-z.:-]{0,99}$/));

const EndpointSpec = z.strictObject({
  server: ServerName,
  host: Address,
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
});

/** @internal */
export const DirectorSpec = z.strictObject({
  formatVersion: z.literal(SPEC_FORMAT),
  application: z.string().check(z.regex(/^[a-z][a-z0-9-]{0,23}$/)),
  environment: z.string().check(z.regex(/^[a-z][a-z0-9-]{0,23}$/)),
  sequence: z.int().check(z.minimum(0)),
  recordDigest: Sha256,
  /** The slot that the record wants live. */
  target: z.enum(SLOTS),
  goal: Goal,
  slots: z.strictObject({ blue: z.nullable(RecordedRelease), green: z.nullable(RecordedRelease) }),
  previous: z.nullable(RecordedRelease),
  /** Slots that this sequence installs into or empties. */
  touched: z.array(z.enum(SLOTS)),
  /** Servers that this sequence gives again what is live (and retained): the slots' other servers keep their traffic. */
  healing: z.array(ServerName),
  converge: z.boolean(),
  retry: z.boolean(),
  schedule: Schedule,
  /** Contract migrations that ran, or run with this sequence. */
  contracted: z.array(ScriptName),
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
    port: z.int().check(z.minimum(1), z.maximum(65_535)),
    /** null: users come over plain HTTP. Else they come to this port, and `port` only tells them so. */
    tls: z.nullable(
      z.strictObject({
        port: z.int().check(z.minimum(1), z.maximum(65_535)),
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
  const healing = healedServers(record);
  return {
    formatVersion: SPEC_FORMAT,
    application: environment.application,
    environment: environment.name,
    sequence: record.sequence,
    recordDigest: recordDigest(record),
    target: record.active,
    goal: record.goal,
    slots: { blue: recorded(record.slots.blue), green: recorded(record.slots.green) },
    previous: recorded(record.previous),
    touched: touchedSlots(record),
    healing,
    // What a convergence left stays as it is while a server is healed.
    converge: record.converge === true && healing.length === 0,
    retry: record.retry === true,
    schedule: scheduleOf(record, environment),
    contracted: record.contracted ?? [],
    verification: environment.verification,
    activation: environment.activation ?? null,
    preview: environment.preview ?? null,
    endpoints: { blue: [...endpoints.blue], green: [...endpoints.green] },
    proxy: {
      driver: environment.proxies.driver,
      ...(isOwn(environment) && environment.proxies.command !== undefined
        ? { command: environment.proxies.command }
        : {}),
      index: proxyIndex,
      ...place,
    },
  };
}

/** One word without quotes or blanks: what a command line and an environment variable carry unharmed. */
export function encodeSpec(spec: object): string {
  return Buffer.from(JSON.stringify(spec)).toString("base64");
}

function recorded(release: Release | null): RecordedRelease | null {
  if (release === null) return null;
  const { artifact, contracts = [] } = release;
  return { releaseId: releaseId(release), sha256: artifact.sha256, contracts };
}
