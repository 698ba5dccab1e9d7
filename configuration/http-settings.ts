/**
 * How proxies treat users' requests: limits, balancers in front, and host names. The same settings mean the same with
 * every driver whose configuration the director writes (docs/traffic.md, section 7).
 */
import * as z from "zod/mini";
import { InvalidInput } from "../release/failure";
import { matches } from "../release/patterns";
import type { DRIVER_NAMES } from "./drivers";
import { wholeSeconds } from "./verification";

const HostName = matches(
  /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
  "host name: lower case, without scheme or port",
);
const AddressRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
  error: () => `must be an address or a range, as in "10.1.0.0/24"`,
});

/** @internal */
export const HttpSettings = z.strictObject({
  /**
   * The longest silence of an instance: before its answer begins, and between two parts of it. Then the user gets 504 or
   * the end of the connection, and nothing is sent again. @default 120
   */
  answerSeconds: z._default(wholeSeconds(1, 3_600), 120),
  /** The longest silence of a client in the middle of its request, or while it should read an answer. @default 75 */
  clientSeconds: z._default(wholeSeconds(1, 3_600), 75),
  /** The time for the headers of a request. @default 30 */
  headersSeconds: z._default(wholeSeconds(1, 300), 30),
  /** How long a connection without a request stays open. @default 75 */
  idleSeconds: z._default(wholeSeconds(1, 3_600), 75),
  /** The longest silence in both directions of a WebSocket. @default 3600 */
  tunnelSeconds: z._default(wholeSeconds(1, 86_400), 3_600),
  /** The size of all headers of a request with its URL, and of an answer's headers, in KiB. Beyond it: 4xx, or 502. @default 32 */
  headerKilobytes: z._default(z.int().check(z.minimum(4), z.maximum(64)), 32),
  /** The declared length of a request's body, in MiB. Beyond it: 413. @default 1024 */
  bodyMegabytes: z._default(z.int().check(z.minimum(1), z.maximum(1_000_000)), 1_024),
  /**
   * Balancers in front of the proxies, whose X-Forwarded-For, -Proto and -Host are kept. From any other address the
   * proxies replace these headers. @default none
   */
  trusted: z._default(z.array(AddressRange).check(z.maxLength(100)), []),
  /**
   * The site's host names. If there are any, only requests for these are redirected to HTTPS.
   * @default on Azure `platform.domain`, else any
   */
  hosts: z._default(z.array(HostName).check(z.maxLength(100)), []),
  /**
   * The protocol of instances, without TLS. "http2", with prior knowledge, is for gRPC: driver "haproxy" or "command" only,
   * and not IIS. Users' connections may have either. @default "http1"
   */
  instances: z._default(z.enum(["http1", "http2"]), "http1"),
  /**
   * Browsers that got an answer over TLS use only TLS for this long (the header Strict-Transport-Security). TLS ends at the
   * proxy, or at a balancer in `trusted` that reports it in X-Forwarded-Proto. @default none
   */
  strictTransportSecurity: z.optional(
    z.strictObject({
      /** 0: browsers forget it. */
      maxAgeSeconds: z.int().check(z.minimum(0), z.maximum(315_360_000)),
      /** Also all subdomains. @default false */
      includeSubDomains: z._default(z.boolean(), false),
      /** Browsers' makers may put the domain into their lists. It takes months to get out of them. @default false */
      preload: z._default(z.boolean(), false),
    }),
  ),
});
/** Limits of users' requests, balancers in front, and host names. */
export interface HttpSettings extends z.infer<typeof HttpSettings> {}

type StrictTransportSecurity = NonNullable<HttpSettings["strictTransportSecurity"]>;

export type InstanceProtocol = HttpSettings["instances"];

export const DEFAULT_HTTP_SETTINGS: HttpSettings = z.parse(HttpSettings, {});

/** The least that https://hstspreload.org accepts: a year. */
const PRELOAD_SECONDS = 31_536_000;

/**
 * The time limit of one connection attempt to an instance. Servers are near: a longer one only delays the attempt with
 * another server when one does not answer at all.
 */
export const CONNECT_MILLISECONDS = 500;

/** @throws InvalidInput if the driver's proxy only speaks HTTP/1.1 to instances. @param within where the fields are */
export function refuseHttp2WithoutDriver(
  { driver, http }: { readonly driver: (typeof DRIVER_NAMES)[number]; readonly http: HttpSettings },
  within: "" | "proxies.",
): void {
  if (http.instances === "http1" || driver === "haproxy" || driver === "command") return;
  throw new InvalidInput(
    `${within}http.instances is "http2", but ${within}driver "${driver}" speaks only HTTP/1.1 to instances: use driver "haproxy"`,
  );
}

/** The header's value. An application's own header stays as it is. */
export function strictTransportSecurity({
  maxAgeSeconds,
  includeSubDomains,
  preload,
}: StrictTransportSecurity): string {
  return `max-age=${maxAgeSeconds}${includeSubDomains ? "; includeSubDomains" : ""}${preload ? "; preload" : ""}`;
}

/** @throws InvalidInput for a value that browsers' lists refuse, and if no user has TLS here. */
export function refuseIdleStrictTransport(
  { driver, http }: { readonly driver: (typeof DRIVER_NAMES)[number]; readonly http: HttpSettings },
  { hasTls, within }: { readonly hasTls: boolean; readonly within: "" | "proxies." },
): void {
  const wanted = http.strictTransportSecurity;
  if (wanted === undefined) return;
  const name = `${within}http.strictTransportSecurity`;
  if (wanted.preload && (!wanted.includeSubDomains || wanted.maxAgeSeconds < PRELOAD_SECONDS)) {
    throw new InvalidInput(
      `${name}.preload needs includeSubDomains and a maxAgeSeconds of at least ${PRELOAD_SECONDS}, here it is ${wanted.maxAgeSeconds}`,
    );
  }
  if (driver === "command") {
    throw new InvalidInput(`${name}: your proxy sends it, ${within}driver "command" does not: leave it out`);
  }
  if (http.trusted.length === 0 && !hasTls) {
    throw new InvalidInput(
      `${name} is sent to users with TLS only, and the proxies have none: name the balancer at which TLS ends in ${within}http.trusted, or leave it out`,
    );
  }
}
