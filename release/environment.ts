/**
 * An environment file (`environments/<name>.json`): everything about where an application runs that does not
 * change with a release. One application each.
 */
import * as z from "zod/mini";
import { InvalidInput } from "./refusal";
import { quote } from "./release";
import { ApplicationName } from "./record";
import { resolveSchedule, ScheduleChoice, Topology } from "./schedule";
import type { Schedule } from "./schedule";
import { describeIssues, parseFile } from "./validation";

const HTTP_PATH = /^\/[A-Za-z0-9._~!&()*+,;=:@%/?-]{0,500}$/;
const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$/;
const HEADER_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
/** Relative, below the project: no "..", nothing that Terraform or a shell would read as more than a path. */
const FOLDER = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._][A-Za-z0-9._/-]{0,199}$/;

const matches = (pattern: RegExp, what: string) =>
  z
    .string()
    .check(
      z.refine((text) => pattern.test(text), { error: (issue) => `${quote(issue.input)} is no ${what}` }),
    );

/** Seconds that servers count in milliseconds. */
const seconds = (minimum: number, maximum: number) =>
  z.number().check(
    z.minimum(minimum),
    z.maximum(maximum),
    z.refine((value) => /^\d+(\.\d{1,3})?$/.test(String(value)), { error: () => "at most three decimals" }),
  );

const wholeSeconds = (minimum: number, maximum: number) =>
  z.int().check(z.minimum(minimum), z.maximum(maximum));

const Argument = z.string().check(
  z.minLength(1),
  z.maxLength(500),
  z.refine((text) => !/[\u0000-\u001f\u007f]/.test(text), { error: () => "no control characters" }),
);

/** How a proxy and a server convince themselves that an endpoint serves exactly this release. */
export const Verification = z.strictObject({
  /** Requested on every endpoint. @default "/health" */
  path: z._default(matches(HTTP_PATH, "HTTP path"), "/health"),
  /** The one status that counts as healthy; redirects are not followed. @default 200 */
  status: z._default(z.int().check(z.minimum(200), z.maximum(599)), 200),
  /** The public host name sent as Host header. @default the endpoint's own address */
  host: z.optional(matches(HOST_NAME, "host name")),
  /** The answer's header that carries the release id; null: the id must stand in the body. @default "x-release-id" */
  releaseHeader: z._default(z.nullable(matches(HEADER_NAME, "header name")), "x-release-id"),
  /** Successes in a row, on each endpoint. @default 3 */
  successes: z._default(z.int().check(z.minimum(1), z.maximum(100)), 3),
  /** Pause between two requests to an endpoint. @default 1 */
  intervalSeconds: z._default(seconds(0.01, 60), 1),
  /** Time limit of one request. @default 5 */
  timeoutSeconds: z._default(seconds(0.1, 60), 5),
  /** After this time without enough successes the candidate is rejected. @default 60 */
  deadlineSeconds: z._default(wholeSeconds(1, 3600), 60),
});
export type Verification = z.infer<typeof Verification>;

export const DRIVERS = ["haproxy", "embedded"] as const;

export const Proxies = z.strictObject({
  /** How the proxy is told about traffic; see docs. @default "haproxy" */
  driver: z._default(z.enum(DRIVERS), "haproxy"),
  /** @default 1 */
  count: z._default(z.int().check(z.minimum(1), z.maximum(8)), 1),
});

/** Servers are folders, instances are processes, everything listens on the loopback address. */
export const LocalPlatform = z.strictObject({
  kind: z.literal("local"),
  /** Where the servers' folders and Terraform's state live, relative to the project. @default ".bluegreen/<name>" */
  folder: z.optional(matches(FOLDER, "folder below the project")),
  /** The first proxy listens here, the next ones after it; slots get ports from 100 above. @default 18080 */
  portBase: z._default(z.int().check(z.minimum(1024), z.maximum(65_000)), 18_080),
});

const EnvironmentFile = z.strictObject({
  formatVersion: z.literal(1),
  application: ApplicationName,
  name: matches(/^[a-z][a-z0-9-]{0,23}$/, "environment name: a-z, 0-9 and -, at most 24 characters"),
  /** The record of this environment, relative to the project. */
  record: matches(FOLDER, "path below the project"),
  platform: LocalPlatform,
  topology: Topology,
  servers: z.strictObject({ count: z.int().check(z.minimum(1), z.maximum(20)) }),
  proxies: z._default(Proxies, z.parse(Proxies, {})),
  /** What starts an instance, as a list of arguments; run in the release's folder with HOST and PORT set. */
  start: z.array(Argument).check(
    z.minLength(1),
    z.maxLength(50),
    z.refine(([program]) => program === undefined || /^[^=-][^=]*$/.test(program), {
      error: () => `starts with a program: its name has no "=" and no leading "-"`,
    }),
  ),
  verification: z._default(Verification, z.parse(Verification, {})),
  /** How releases get their traffic unless the record says otherwise. @default blue/green, all at once */
  schedule: z._default(ScheduleChoice, { strategy: "blueGreen" }),
  /** Releases kept on a server's disk besides those in use. @default 5 */
  keepReleases: z._default(z.int().check(z.minimum(2), z.maximum(50)), 5),
  /** How long an instance may take to finish its requests when it is stopped. @default 30 */
  stopSeconds: z._default(wholeSeconds(1, 600), 30),
});

export type Environment = Omit<z.infer<typeof EnvironmentFile>, "schedule" | "platform"> & {
  readonly schedule: Schedule;
  readonly platform: z.infer<typeof LocalPlatform> & { readonly folder: string };
};

/**
 * Reads an environment file.
 * @throws InvalidInput one line that names the file, the field, and what it should be.
 */
export function parseEnvironment(text: string, file: string): Environment {
  const data = parseFile(EnvironmentFile, text, file);
  if (data.topology === "split" && data.servers.count < 2) {
    throw new InvalidInput(
      `${file}: topology "split" needs 2 servers or more, servers.count is ${data.servers.count}; one is enough for "sideBySide"`,
    );
  }
  const schedule = parseSchedule(data.schedule, `${file}: schedule`);
  refuseConvergeSideBySide(schedule, data.topology, file);
  const folder = data.platform.folder ?? `.bluegreen/${data.name}`;
  return { ...data, schedule, platform: { ...data.platform, folder } };
}

/** @throws InvalidInput where the parts of a schedule contradict each other. */
export function parseSchedule(choice: unknown, where: string): Schedule {
  const parsed = z.safeParse(ScheduleChoice, choice);
  if (!parsed.success) throw new InvalidInput(`${where}: ${describeIssues(parsed.error)}`);
  return resolveSchedule(parsed.data);
}

/** Side by side, the old slot's port on every server would only get a second copy of the same release. */
export function refuseConvergeSideBySide(schedule: Schedule, topology: Topology, where: string): void {
  if (schedule.afterPromotion === "converge" && topology !== "split") {
    throw new InvalidInput(
      `${where}: afterPromotion "converge" needs topology "split", this one is "${topology}"`,
    );
  }
}
