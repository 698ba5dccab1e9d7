/**
 * The HAProxy configuration that base installs once. Releases never change it: they change the traffic map.
 * Needs HAProxy >= 2.4 (atomic map replacement); tested with 2.6.
 */
import type { DirectorSpec } from "../../../../release/director-spec";
import { SLOTS } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import { CLOSED, trafficEntries } from "../driver";
import type { ProxyConfigurator, Traffic } from "../driver";

/** Relative to the proxy's folder: paths of Unix sockets may not pass 107 bytes. */
export const ADMIN_SOCKET = "admin.sock";
export const TRAFFIC_MAP = "traffic.map";
/** Which servers are out of rotation, for a restart; in HAProxy's own format. */
export const SERVERS_STATE = "traffic.servers";
const CONFIGURATION = "haproxy.cfg";

/** Longest time that a request waits for a site that is being recreated. */
const HOLD_SECONDS = 120;
const RETRY_AFTER_SECONDS = 5;

export function backendNames(slot: Slot): { serve: string; hold: string; page: string; all: string[] } {
  const names = { serve: `slot-${slot}`, hold: `hold-${slot}`, page: `page-${slot}` };
  return { ...names, all: Object.values(names) };
}

export function trafficMap(traffic: Traffic): string {
  return trafficEntries(traffic)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}

export class HaproxyConfigurator implements ProxyConfigurator {
  constructor(private readonly spec: DirectorSpec) {}

  files(): Record<string, string> {
    return {
      [CONFIGURATION]: this.configuration(),
      [TRAFFIC_MAP]: trafficMap(CLOSED),
      [SERVERS_STATE]: "1\n",
    };
  }

  private configuration(): string {
    const { application, environment } = this.spec;
    return `# ${application}, ${environment}: written by cdktf-bluegreen; a release changes ${TRAFFIC_MAP} only.
global
  stats socket unix@${ADMIN_SOCKET} mode 600 level admin
  stats timeout 10s
  server-state-file ./${SERVERS_STATE}

defaults
  mode http
  load-server-state-from-file global
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout http-request 30s
  timeout http-keep-alive 75s
  timeout queue 30s
  timeout check 5s
  timeout tunnel 1h
  option forwardfor
  # When base reloads HAProxy, an idle connection is closed with its next answer, not under its next request.
  option idle-close-on-response
  retries 2
  retry-on conn-failure
  http-error status 503 content-type "text/html; charset=utf-8" string "${page("The site is being updated", "It is back in a moment.")}" hdr Retry-After "${RETRY_AFTER_SECONDS}"

${this.entrance()}
  http-request set-var(txn.live) str(live),map_str(${TRAFFIC_MAP},none)
  http-request set-var(txn.share) str(share),map_str(${TRAFFIC_MAP},0),add(0)
  http-request set-var(txn.offset) str(offset),map_str(${TRAFFIC_MAP},0),add(0)
  http-request set-var(txn.mode) str(mode),map_str(${TRAFFIC_MAP},serve)
  http-request set-var(txn.fallback) str(fallback),map_str(${TRAFFIC_MAP},off)

  # While traffic is divided, a client's bucket (0 to 99) keeps it on its side; it names no release, so it never goes stale.
  acl divided var(txn.share) -m int 1:99
  acl has_bucket req.cook(bluegreen-bucket) -m reg ^[0-9]{1,2}$
  http-request set-var(txn.bucket) req.cook(bluegreen-bucket),add(0) if has_bucket
  http-request set-var(txn.drawn) rand(100) if divided !has_bucket
  http-request set-var(txn.bucket) var(txn.drawn) if divided !has_bucket
  http-request set-var(txn.bucket) int(0) if !divided !has_bucket
  http-response add-header Set-Cookie "bluegreen-bucket=%[var(txn.drawn)]; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax" if { var(txn.drawn) -m found }

  http-request set-var(txn.slot) var(txn.live)
  acl in_share var(txn.bucket),add(txn.offset),mod(100),sub(txn.share) -m int lt 0
  acl live_blue var(txn.live) -m str blue
  acl live_green var(txn.live) -m str green
  http-request set-var(txn.slot) str(green) if live_blue in_share
  http-request set-var(txn.slot) str(blue) if live_green in_share

  # Only while both slots are verified: a slot without a healthy endpoint is stood in for by the other.
  acl fallback var(txn.fallback) -m str on
  acl to_blue var(txn.slot) -m str blue
  acl to_green var(txn.slot) -m str green
  acl blue_up nbsrv(slot-blue) gt 0
  acl green_up nbsrv(slot-green) gt 0
  http-request set-var(txn.slot) str(green) if fallback to_blue !blue_up green_up
  http-request set-var(txn.slot) str(blue) if fallback to_green !green_up blue_up

  use_backend hold-%[var(txn.slot)] if { var(txn.mode) -m str hold }
  use_backend page-%[var(txn.slot)] if { var(txn.mode) -m str page }
  use_backend slot-%[var(txn.slot)] if to_blue or to_green
  default_backend closed

backend closed
  http-request return status 503 content-type "text/html; charset=utf-8" string "${page("Nothing is deployed yet", "The first release is on its way.")}" hdr Retry-After "${RETRY_AFTER_SECONDS}"

${SLOTS.map((slot) => this.backends(slot)).join("\n")}`;
  }

  /** Where users come in, up to what is done with their requests. */
  private entrance(): string {
    const { host, port, tls } = this.spec.proxy;
    const users = (bind: string, scheme: "http" | "https") => `frontend users
  bind ${bind}
  monitor-uri /proxy-healthz
  http-request set-header X-Forwarded-Proto ${scheme}
`;
    if (tls === null) return users(`${host}:${port}`, "http");
    const suffix = tls.port === 443 ? "" : `:${tls.port}`;
    return `frontend plain
  bind ${host}:${port}
  monitor-uri /proxy-healthz
  http-request deny deny_status 400 if !{ req.hdr(host) -m found }
  http-request set-var(txn.host) req.hdr(host),regsub(:[0-9]*$,)
  http-request redirect code 308 location https://%[var(txn.host)]${suffix}%[pathq]

${users(`${host}:${tls.port} ssl crt ${tls.certificate} alpn h2,http/1.1 ssl-min-ver TLSv1.2`, "https")}`;
  }

  private backends(slot: Slot): string {
    const { verification, endpoints } = this.spec;
    const names = backendNames(slot);
    const servers = (options: string) =>
      endpoints[slot]
        .map(({ server, host: address, port }) => `  server ${server} ${address}:${port}${options}\n`)
        .join("");
    return `backend ${names.serve}
  option httpchk
  http-check send meth GET uri ${verification.path} ver HTTP/1.1 hdr Host ${verification.host ?? "localhost"}
  http-check expect status ${verification.status}
  default-server check inter 500ms fastinter 200ms downinter 200ms rise 1 fall 3
${servers("")}
# Recreate: requests wait here until something listens again. No health check and no redispatch, else
# HAProxy answers 503 at once instead of trying again each second.
backend ${names.hold}
  timeout connect 1s
  timeout queue ${HOLD_SECONDS}s
  retries ${HOLD_SECONDS}
  retry-on conn-failure
  no option redispatch
  http-reuse never
${servers("")}
# Recreate with a page: whoever can't be served gets the page at once.
backend ${names.page}
  retries 0
  http-reuse never
${[502, 504].map((status) => `  http-error status ${status} content-type "text/html; charset=utf-8" string "${page("The site is being updated", "It is back in a moment.")}" hdr Retry-After "${RETRY_AFTER_SECONDS}"\n`).join("")}${servers("")}`;
  }
}

function page(title: string, text: string): string {
  return `<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>${title}</title><body style='font-family:sans-serif;margin:20vh auto;max-width:30em'><h1>${title}</h1><p>${text}</p>`;
}
