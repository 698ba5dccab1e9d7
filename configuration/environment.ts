/**
 * An environment file (`environments/<name>.json`): where one application runs, without anything that changes with a
 * release.
 */
import * as z from "zod/mini";
import { MaxArtifactFiles } from "./artifact-limits";
import { EnvironmentName, FOLDER, matches, Program, ApplicationName } from "../release/patterns";
import { AzurePlatform } from "./azure/azure-platform";
import { Backend } from "./backend";
import { DRIVERS } from "./drivers";
import { FreezeWindow } from "../release/freeze-windows";
import { Hooks } from "../release/hooks";
import { Activation } from "./http-exchange";
import { DEFAULT_HTTP_SETTINGS, HttpSettings } from "./http-settings";
import { Measurement } from "./measurement";
import { DIALECTS } from "../release/migrations/database-address";
import { Preview } from "./preview";
import { ScheduleChoice, Topology } from "../release/schedule";
import type { Schedule } from "../release/schedule";
import { Sessions } from "./sessions";
import { ApplicationStorage } from "./shared-storage";
import { Verification, wholeSeconds } from "./verification";

/** All addresses are in one subnet. */
const MOST_SERVERS = 200;

const Proxies = z.strictObject({
  /** How the director controls the proxy; see docs. @default "haproxy" */
  driver: z._default(z.enum(DRIVERS), "haproxy"),
  /** @default 1 */
  count: z._default(z.int().check(z.minimum(1), z.maximum(8)), 1),
  /** Limits of users' requests, balancers in front, host names. @default see each field */
  http: z._default(HttpSettings, DEFAULT_HTTP_SETTINGS),
});

/** Servers are folders and instances are processes, all on the loopback address. */
const LocalPlatform = z.strictObject({
  kind: z.literal("local"),
  /** The folder for servers and Terraform's state, relative to the project. @default ".bluegreen/<name>" */
  folder: z.optional(matches(FOLDER, "folder below the project")),
  /** The first proxy's port; the other proxies get the next ones. Slots start 100 above. @default 18080 */
  portBase: z._default(z.int().check(z.minimum(1024), z.maximum(65_000)), 18_080),
  /**
   * The account of instances, HAProxy and NGINX's workers, where the command runs as root; other accounts run everything as
   * themselves. "root": they keep root's rights. @default instances as root, with a warning
   */
  user: z.optional(matches(/^[a-z_][a-z0-9_-]{0,31}$/, "name of an account")),
  /**
   * A database that all releases share. `postgres`: a new server on this machine, or the server in PG_URL. `mssql`: the
   * SQL Server in MSSQL_URL. @default none
   */
  database: z.optional(z.enum(DIALECTS)),
});

export const EnvironmentFile = z.strictObject({
  formatVersion: z.literal(1),
  application: ApplicationName,
  name: EnvironmentName,
  /** The record of this environment, relative to the project. */
  record: matches(FOLDER, "path below the project"),
  platform: z.discriminatedUnion("kind", [LocalPlatform, AzurePlatform], {
    error: () => `must be "local" or "azure"`,
  }),
  /** @default local: two files in the environment's folder */
  backend: z._default(Backend, { kind: "local" }),
  topology: Topology,
  servers: z.strictObject({ count: z.int().check(z.minimum(1), z.maximum(MOST_SERVERS)) }),
  proxies: z._default(Proxies, z.parse(Proxies, {})),
  /** The command that starts an instance, as a list of arguments. Runs in the release's folder with HOST and PORT set. Not for IIS. */
  start: z.optional(Program),
  verification: z._default(Verification, z.parse(Verification, {})),
  /** @default instances are not notified */
  activation: z.optional(Activation),
  /** @default no preview */
  preview: z.optional(Preview),
  /** Whether clients stay on a server. @default "none": each request may go to another server */
  sessions: z.optional(Sessions),
  /** Folders that all servers share. @default - none: each release has its own */
  storage: z.optional(ApplicationStorage),
  /** Synthetic requests while a sequence runs. @default verification's request, 10 times a second */
  measurement: z._default(Measurement, z.parse(Measurement, {})),
  /** Commands and webhooks before and after the phases of a release, in the order in which they run. @default none */
  hooks: z.optional(Hooks),
  /** How releases get their traffic, unless the record has a schedule. @default blue/green, all at once */
  schedule: z._default(ScheduleChoice, { strategy: "blueGreen" }),
  /** Times without releases. @default none */
  freezeWindows: z._default(z.array(FreezeWindow).check(z.maxLength(50)), []),
  /** The folder for receipts, relative to the project. To share them, use a folder in git. @default "receipts" in the environment's folder */
  receipts: z.optional(matches(FOLDER, "folder below the project")),
  /** How many files an artifact may have. Packing and the servers refuse more. @default 200000 */
  maxArtifactFiles: z.optional(MaxArtifactFiles),
  /** Releases kept on disk besides those in use. @default 5 */
  keepReleases: z._default(z.int().check(z.minimum(2), z.maximum(50)), 5),
  /** How long an instance may take to finish its requests when it is stopped. @default 30 */
  stopSeconds: z._default(wholeSeconds(1, 600), 30),
});

type Common = Omit<z.infer<typeof EnvironmentFile>, "schedule" | "platform"> & {
  readonly schedule: Schedule;
};
/** An environment on this machine, for trials: servers are folders, instances are processes. */
export interface LocalEnvironment extends Common {
  readonly platform: z.infer<typeof LocalPlatform> & { readonly folder: string };
}
/** An environment on Azure. */
export interface AzureEnvironment extends Common {
  readonly platform: AzurePlatform;
}
/** An environment, read by {@link parseEnvironment}. */
export type Environment = LocalEnvironment | AzureEnvironment;
