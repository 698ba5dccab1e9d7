/**
 * The HAProxy configuration that base installs once. Releases never change it: they change the traffic map.
 * Needs HAProxy >= 2.4 (atomic map replacement); tested with 2.6.
 */
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { hasAffinity } from "../../../../configuration/sessions";
import { BUCKET_COOKIE, PREVIEW_COOKIE } from "../../../../configuration/cookies";
import { CONNECT_MILLISECONDS } from "../../../../configuration/http-settings";
import { PREVIEW_HEADER } from "../../../../configuration/preview";
import { otherSlot, SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { announced, CLOSED } from "../driver";
import type { ProxyConfigurator } from "../driver";
import { htmlOf, NOTHING_DEPLOYED, RETRY_AFTER_SECONDS, UPDATING } from "../pages";
import { LOG_ABNORMAL, RING_SECTION } from "./abnormal-requests";
import {
  CLASS_OF_KEPT,
  findServer,
  IS_NEW,
  KEPT_AT_REST,
  serverCookieRules,
  serverRules,
  TOKENS_MAP,
  WAY_OF_KEPT,
} from "./affinity-rules";
import { bucketCookieRules } from "./bucket-cookie-rules";
import { clientTables, countAnswersOfClients, countClients, IS_COUNTED } from "./client-rules";
import { countFailedCalls, failedCallsTable } from "./failed-calls";
import { HEALTH_ENDPOINT, HEALTH_MAP, healthMap } from "./health-map";
import { countPages, pagesTable } from "./page-rules";
import { bodyRules, requestRules } from "./request-rules";
import { ALL_IN_ROTATION, SERVERS_STATE } from "./servers-state";
import { strictTransportRules } from "./strict-transport-rules";
import {
  ALL_USERS,
  backendNames,
  BACKENDS,
  COUNTED,
  FAILOVER,
  numberOf,
  PREVIEW,
  TIMED,
  TRAFFIC_MAP,
  trafficMap,
} from "./traffic-map";

/** Relative to the proxy's folder: the path of a Unix socket is at most 107 bytes long. */
export const ADMIN_SOCKET = "admin.sock";
const CONFIGURATION = "haproxy.cfg";

const LEFT_SECONDS = 5;

/** How long a request waits at most while a site is recreated. */
const HOLD_SECONDS = 120;

/** Tables that count a slot's answers by the milliseconds until they began, where they are not counted by client. */
export const LATENCIES: PerSlot<string> = { blue: "latencies-blue", green: "latencies-green" };
/** Bytes of a buffer for headers that the proxy adds. */
const ADDED_HEADERS = 2_048;
/** HAProxy's representation of a header is a few bytes longer than the header. */
const BUFFER_RESERVE = ADDED_HEADERS + 512;

/** Whether all users get one slot. It chooses that. */
const IS_WHOLE = `{ str(${ALL_USERS}),map_str_int(${TRAFFIC_MAP}),set-var(txn.way) -m found }`;

/** Set if the configuration supports buckets whose answers are timed. */
export const TIMES_BUCKETS = "BLUEGREEN_TIMES_BUCKETS";
/** Set if it can count clients. */
export const COUNTS_CLIENTS = "BLUEGREEN_COUNTS_CLIENTS";
/** Set if it counts pages. Then answers that are counted by client are not in the tables of latencies. */
export const COUNTS_PAGES = "BLUEGREEN_COUNTS_PAGES";

export class HaproxyConfigurator implements ProxyConfigurator {
  constructor(private readonly spec: DirectorSpec) {}

  files(): Record<string, string> {
    return {
      [CONFIGURATION]: this.configuration(),
      [TRAFFIC_MAP]: trafficMap(CLOSED),
      [HEALTH_MAP]: healthMap(announced()),
      [SERVERS_STATE]: ALL_IN_ROTATION,
      ...(this.keeps && { [TOKENS_MAP]: "" }),
    };
  }

  private configuration(): string {
    const { application, environment, preview } = this.spec;
    const { http } = this.spec.proxy;
    const bucket = `req.cook(${BUCKET_COOKIE}),map_str_int(${TRAFFIC_MAP})`;
    return `# ${application}, ${environment}: written by cdktf-bluegreen; a release changes ${TRAFFIC_MAP} only.
global
  stats socket unix@${ADMIN_SOCKET} mode 600 level admin
  stats timeout 10s
  server-state-file ./${SERVERS_STATE}
  # A map's keys are in a tree already: the pattern cache would only add a second lookup for a missing key.
  tune.pattern.cache-size 0
  # One buffer has all headers of a message, and some that are added.
  tune.bufsize ${1024 * http.headerKilobytes + BUFFER_RESERVE}
  tune.maxrewrite ${ADDED_HEADERS}
  setenv ${TIMES_BUCKETS} yes
  setenv ${COUNTS_CLIENTS} yes
  setenv ${COUNTS_PAGES} yes

${RING_SECTION}
defaults
  mode http
  load-server-state-from-file global
  timeout connect ${CONNECT_MILLISECONDS}ms
  timeout client ${http.clientSeconds}s
  timeout server ${http.answerSeconds}s
  timeout http-request ${http.headersSeconds}s
  timeout http-keep-alive ${http.idleSeconds}s
  timeout queue 30s
  timeout check 5s
  timeout tunnel ${http.tunnelSeconds}s
  # A WebSocket whose client has left ends, even if the instance does not notice. HAProxy 2.8 and later leaves that to the
  # instance.
  timeout server-fin ${LEFT_SECONDS}s
  # A request whose client has left ends. A client that only closes its side of the connection counts as one that left.
  option abortonclose
  # Parts of an answer are passed on at once. HAProxy would delay them by 200 ms to fill packets.
  option http-no-delay
  option forwardfor
  # When base reloads HAProxy, an idle connection is closed after its next answer, not during its next request.
  option idle-close-on-response
  retries 2
  retry-on conn-failure
  http-error status 503 content-type "text/html; charset=utf-8" string "${htmlOf(UPDATING)}" hdr Retry-After "${RETRY_AFTER_SECONDS}"

${this.entrance()}${this.keeps ? findServer(this.spec) : ""}${preview === null ? this.atRest("{ method GET HEAD } ", "\n  # Most requests of a site at rest are decided here.\n") : ""}
${bodyRules(this.spec)}${this.preview()}
  # The first lookup that finds something decides, so no request sees half of a change. Usually all requests go to one
  # slot. While traffic is divided, a client's bucket (0 to 99) keeps it on its side; it names no release, so it never goes
  # stale. New clients get a bucket. While a release is watched, some buckets are timed (${TIMED} and more), and the clients of
  # all are counted.
${this.atRest()}  http-request allow if ${this.keeps ? `${IS_NEW} ` : ""}{ ${bucket},set-var(txn.way) -m int lt ${TIMED} }
${this.keeps ? CLASS_OF_KEPT(bucket) : ""}  http-request set-var(txn.bucket) rand(100) if !{ var(txn.way) -m found }
  http-request set-var(txn.way) var(txn.bucket),map_str_int(${TRAFFIC_MAP}) if { var(txn.bucket) -m found }
${this.keeps ? WAY_OF_KEPT : ""}  http-request set-var(txn.begun) date(0,ms) if { var(txn.way) -m int lt ${COUNTED} }
${countClients(http.trusted)}
  # One after another: that of a site at rest comes first.
${BACKENDS.map((backend) => `  use_backend ${backend} if { var(txn.way) -m int ${numberOf(backend)} }\n`).join("")}  default_backend closed

backend closed
  http-request return status 503 content-type "text/html; charset=utf-8" string "${htmlOf(NOTHING_DEPLOYED)}" hdr Retry-After "${RETRY_AFTER_SECONDS}"

${SLOTS.map((slot) => this.backends(slot)).join("\n")}`;
  }

  private get keeps(): boolean {
    return hasAffinity(this.spec);
  }

  /** Sends requests on while all users get one slot. */
  private atRest(condition = "", comment = ""): string {
    const kept = this.keeps ? `  http-request allow if ${condition}${KEPT_AT_REST}\n` : "";
    return `${comment}${kept}  http-request allow if ${condition}${IS_WHOLE}\n`;
  }

  /** The frontends, up to the routing of requests. */
  private entrance(): string {
    const { host, port, tls, http } = this.spec.proxy;
    const users = (bind: string, scheme: "http" | "https") => `frontend users
  bind ${bind}
${LOG_ABNORMAL}${strictTransportRules(this.spec.proxy)}${HEALTH_ENDPOINT}${requestRules(this.spec, scheme)}${this.uriOfInstances()}`;
    if (tls === null) return users(`${host}:${port}`, "http");
    const known =
      http.hosts.length === 0
        ? ""
        : `  http-request return status 421 content-type text/plain string "Misdirected Request" if !{ var(txn.host) -m str -i ${http.hosts.join(" ")} }\n`;
    const suffix = tls.port === 443 ? "" : `:${tls.port}`;
    return `frontend plain
  bind ${host}:${port}
${HEALTH_ENDPOINT}  http-request deny deny_status 400 if !{ req.hdr(host) -m found }
  http-request set-var(txn.host) req.hdr(host),regsub(:[0-9]*$,)
${known}  http-request redirect code 308 location https://%[var(txn.host)]${suffix}%[pathq]

${users(`${host}:${tls.port} ssl crt ${tls.certificate} alpn h2,http/1.1 ssl-min-ver TLSv1.2`, "https")}`;
  }

  private get speaksHttp2(): boolean {
    return this.spec.proxy.http.instances === "http2";
  }

  /**
   * The scheme of a request over HTTP/2 to an instance must be that of the connection, without TLS: ASP.NET Core refuses
   * any other one. HAProxy passes on the user's scheme, and takes HTTP/1.1 for "https".
   */
  private uriOfInstances(): string {
    if (!this.speaksHttp2) return "";
    return `  http-request deny deny_status 400 if !{ req.fhdr(host,-1) -m reg ^[][0-9A-Za-z._:-]+$ }
  http-request set-uri http://%[req.fhdr(host,-1)]%[pathq] if { path_beg / }
`;
  }

  /** Requests with the secret get the slot that is not live. The configuration has only the secret's digest. */
  private preview(): string {
    const { preview } = this.spec;
    if (preview === null) return "";
    const secret = (sample: string) => `{ ${sample},sha2(256),hex -m str -i ${preview.sha256} }`;
    return `
  # A preview: the slot that is not live; before the first release the one that is up.
  http-request set-var(txn.secret) req.cook(${PREVIEW_COOKIE})
  http-request set-var(txn.preview) bool(true) if ${secret(`req.hdr(${PREVIEW_HEADER})`)}
  http-request set-var(txn.preview) bool(true) if ${secret("var(txn.secret)")}
  http-request del-header ${PREVIEW_HEADER}
  # The application gets its other cookies; none if the preview's remains, because it is there twice.
  acl has_secret var(txn.secret) -m found
  http-request replace-header Cookie '^(.*;)?\\s*${PREVIEW_COOKIE}=[^;]*;?\\s*(.*)$' '\\1 \\2' if has_secret
  http-request del-header Cookie if has_secret { req.cook(${PREVIEW_COOKIE}) -m found } or has_secret { req.fhdr(cookie) -m reg '^[;\\s]*$' }
  acl preview var(txn.preview) -m found
  acl blue_up nbsrv(${backendNames("blue").serve}) gt 0
  http-request set-var(txn.way) int(${numberOf(backendNames("green").preview)}) if preview
  http-request set-var(txn.way) int(${numberOf(backendNames("blue").preview)}) if preview blue_up
  http-request set-var(txn.way) str(${PREVIEW}),map_str_int(${TRAFFIC_MAP}) if preview
  http-request allow if preview
`;
  }

  private backends(slot: Slot): string {
    const { verification, endpoints } = this.spec;
    const { tls } = this.spec.proxy;
    const names = backendNames(slot);
    const list = (of: Slot, prefix: string, options: (server: string) => string) =>
      endpoints[of]
        .map(
          ({ server, host: address, port }) =>
            `  server ${prefix}${server} ${address}:${port}${this.speaksHttp2 ? " proto h2" : ""}${options(server)}\n`,
        )
        .join("");
    const servers = (options = "") => list(slot, "", () => options);
    const other = backendNames(otherSlot(slot)).serve;
    const checkedHost = verification.host ?? "localhost";
    const checkedUri = `${this.speaksHttp2 ? `http://${checkedHost}` : ""}${verification.path}`;
    const checked = `  option httpchk
  http-check send meth GET uri ${checkedUri} ver HTTP/1.1 hdr Host ${checkedHost}
  http-check expect status ${verification.status}
  # A refused connection is retried at once with another server: nothing was sent yet, so this is safe for a POST too.
  option redispatch 1
  retries 3
`;
    // For answers to users, not to previews. The reader groups them into classes.
    const hasCalls = this.speaksHttp2;
    const failedCalls = hasCalls ? countFailedCalls(slot) : "";
    const watched = (standsIn: boolean) =>
      countPages(slot) + countAnswersOfClients(slot, { standsIn, hasCalls });
    const timed = `  http-response track-sc0 date(0,ms),sub(txn.begun) table ${LATENCIES[slot]} if { var(txn.begun) -m found }\n`;
    const kept = this.keeps ? serverCookieRules(this.spec) : "";
    const chosen = this.keeps ? serverRules(this.spec, slot) : "";
    const counted = kept + failedCalls + timed;
    // What http-server-close does for HTTP/1.1.
    const usedOnce = this.speaksHttp2 ? " max-reuse 0" : "";
    const checks = " check fastinter 200ms downinter 200ms rise 1 fall 3";
    return `backend ${LATENCIES[slot]}
  stick-table type integer size 100k store http_req_cnt

${clientTables(slot)}
${pagesTable(slot)}
${this.speaksHttp2 ? `${failedCallsTable(slot)}\n` : ""}backend ${names.serve}
${this.keeps ? serverCookieRules(this.spec, { allowed: hasCalls ? "" : `!${IS_COUNTED}` }) : ""}${failedCalls}  # At rest nothing is counted.
  http-response allow if !${IS_COUNTED}
${watched(false)}${checked}${chosen}${servers(`${checks} inter 500ms`)}
# Both slots are verified: one refused connection takes a server out until it passes a check again. If none is left, the
# other slot's servers take over.
backend ${names.shift}
${kept}${failedCalls}${watched(true)}${bucketCookieRules(tls !== null)}${checked}  option allbackups
${chosen}${servers(`${checks} inter 2s observe layer4 error-limit 1 on-error mark-down`)}${list(otherSlot(slot), FAILOVER, (server) => ` backup track ${other}/${server}`)}
# A preview gets this slot or nothing, and is not counted.
backend ${names.preview}
  http-after-response set-header X-Bluegreen-Slot ${slot}
  http-after-response set-header Cache-Control no-store
  retries 0
${servers()}
# Recreate: requests wait here until an instance listens again. No health check and no redispatch: with them
# HAProxy answers 503 at once instead of retrying each second.
backend ${names.hold}
${counted}  timeout connect 1s
  timeout queue ${HOLD_SECONDS}s
  retries ${HOLD_SECONDS}
  # A stopping instance closes connections whose request it has not read yet: reads are retried.
  retry-on conn-failure empty-response
  http-request disable-l7-retry if !{ method GET HEAD OPTIONS }
  no option redispatch
  # No reused connections: a stopping instance may be closing them.
  option http-server-close
${chosen}${servers(usedOnce)}
# Recreate with a page: requests that can't be served get the page at once.
backend ${names.page}
${counted}  retries 0
  option http-server-close
${chosen}${servers(usedOnce)}`;
  }
}
