/**
 * The NGINX configuration that base installs once. Releases never change it: they change a folder of empty files, which
 * NGINX checks with every request. Needs NGINX >= 1.18 with the module secure_link; tested with 1.22.
 *
 * Why files: this NGINX has no other value that can change at run time for all workers at once and survives a restart. A
 * reload cuts idle connections. Cached checks (`open_file_cache`) are free, but another value would reach workers up to a
 * second later, or after any time if the clock was set back. A check costs about a microsecond of the 25 that a plain
 * configuration needs for a request, so at rest there is one (two while green is live), and no log. Measured at rest, medians
 * of ten pairs or more: 1.15 of the throughput of version 0.1.0, and 0.95 of a plain configuration's (0.93 with green live).
 * With affinity (see affinity.ts), a request with a valid token needs one check as well, whichever slot is live: 0.95 to 0.99 of
 * the throughput without. An answer that gives a token to a new client costs half of a request more, for resolving the link.
 */
import { createHash } from "node:crypto";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { CONNECT_MILLISECONDS } from "../../../../configuration/http-settings";
import { drains, hasAffinity } from "../../../../configuration/sessions";
import { NOT_READY_FILE, SEQUENCE_FILE, SEQUENCE_PATH } from "../driver";
import { NONE_OUT } from "../rotation";
import type { OutOfRotation } from "../rotation";
import { affinityGroups, affinityMaps, GIVEN_TOKEN, keptPlaces } from "./affinity";
import { COUNTED_FORMAT } from "./answers-log";
import { locations, requestHeaders } from "./locations";
import { isAtLeast, OLDEST } from "./nginx-program";
import type { NginxProgram } from "./nginx-program";
import { quoted, requestMaps, strictTransportHeader } from "./request-maps";
import { LEAVING, LIVE, MARKS, RESTING } from "./traffic-folder";
import { triedMap, upstreams } from "./upstreams";
import { SPAN_MAP, WATCHED } from "./watch-marks";

/** All paths are relative to the proxy's folder, where NGINX is started. */
export const CONFIGURATION = "nginx.conf";
export const ADMIN_SOCKET = "admin.sock";
export const PID_FILE = "nginx.pid";
export const ERROR_LOG = "nginx-error.log";
export const EXCLUDED_FILE = "traffic.excluded.json";

const CONNECTIONS = 8192;
/** Bodies up to this size are read before they are forwarded (see `$streamed`). */
const BODY_KILOBYTES = 100;
/** A reload leaves connections alone that were used so recently (NGINX >= 1.27.4). */
const RECENTLY_SECONDS = 10;

/** 503 while the proxy is behind the others; and the last sequence that ended here, for them. */
const HEALTH = `    location = /proxy-healthz {
      default_type text/plain;
      if (-f ${NOT_READY_FILE}) {
        return 503;
      }
      return 200 "OK\\n";
    }
    location = ${SEQUENCE_PATH} {
      default_type text/plain;
      alias ${SEQUENCE_FILE};
    }
`;

export class NginxConfigurator {
  constructor(
    private readonly spec: DirectorSpec,
    private readonly out: OutOfRotation = NONE_OUT,
    private readonly program: NginxProgram = OLDEST,
  ) {}

  private get keeps(): boolean {
    return hasAffinity(this.spec);
  }

  /** Contains its own digest, which shows whether a reload took effect. */
  configuration(): string {
    const text = (generation: string) => this.text(generation);
    return text(createHash("sha256").update(text("")).digest("hex"));
  }

  private text(generation: string): string {
    const { application, environment, proxy } = this.spec;
    const maps = this.keeps ? affinityMaps(this.spec, this.out) : "";
    const groups = this.keeps ? affinityGroups(this.spec, this.out) : "";
    return `# ${application}, ${environment}: written by cdktf-bluegreen; a release changes ${LIVE} only.
${this.program.user === null ? "" : `user ${this.program.user};\n`}worker_processes auto;
# Each connection of a client may need one to an instance.
worker_rlimit_nofile ${2 * CONNECTIONS};
pid ${PID_FILE};
error_log ${ERROR_LOG} warn;
${this.keeps ? "# Each request's cookies are looked through.\npcre_jit on;\n" : ""}events {
  worker_connections ${CONNECTIONS};
}
http {
  # What users and instances do wrong would fill the log.
  error_log ${ERROR_LOG} alert;
  client_body_temp_path temp-body;
  proxy_temp_path temp-proxy;
  fastcgi_temp_path temp-fastcgi;
  uwsgi_temp_path temp-uwsgi;
  scgi_temp_path temp-scgi;
  log_format answers '${COUNTED_FORMAT}${proxy.http.trusted.length === 0 ? "" : "$http_x_forwarded_for"}';
${this.notices() ? "  log_format left '.';\n" : ""}  access_log off;
  server_tokens off;
  underscores_in_headers on;
  merge_slashes off;
  recursive_error_pages on;
${this.limits()}
  proxy_http_version 1.1;
  proxy_redirect off;
  proxy_next_upstream off;
  # An event reaches its client at once, however its answer ends.
  proxy_buffering off;
${isAtLeast(this.program, "1.27.2") ? "  proxy_pass_trailers on;\n" : ""}
${this.keeps ? "  # For the tables of servers.\n  map_hash_bucket_size 256;\n" : ""}${requestMaps(this.spec)}${SPAN_MAP}${triedMap(this.spec, "$now", "$but_now")}${maps}  map $previewed $preview_storage {
    default no-store;
    '' '';
  }
${groups}${upstreams(this.spec, this.out)}
  server {
    listen unix:${ADMIN_SOCKET};
    location = /generation {
      return 200 '${generation}';
    }
    location / {
      return 404;
    }
  }
${proxy.tls === null ? "" : this.redirect()}
  server {
${this.listen()}    ${requestHeaders(this.spec)}
    ${strictTransportHeader(this.spec)}add_header Set-Cookie $bucket_cookie always;
${
  this.keeps
    ? `    add_header Set-Cookie $server_cookie always;
    add_header Cache-Control $cookie_privacy always;
    root ${GIVEN_TOKEN};`
    : "    add_header Cache-Control $bucket_privacy always;"
}

${this.route()}
${HEALTH}${locations(this.spec, this.kept())}  }
}
`;
  }

  private kept(): ReturnType<typeof keptPlaces> {
    return this.keeps ? keptPlaces(this.spec, this.out) : [];
  }

  /** Whether it is noticed when clients that leave ask last. */
  private notices(): boolean {
    return drains(this.spec) || this.kept().length > 0;
  }

  private limits(): string {
    const { http } = this.spec.proxy;
    const keeps = isAtLeast(this.program, "1.27.4")
      ? `  keepalive_min_timeout ${Math.min(RECENTLY_SECONDS, http.idleSeconds)}s;\n`
      : "";
    return `  client_header_timeout ${http.headersSeconds}s;
  client_body_timeout ${http.clientSeconds}s;
  send_timeout ${http.clientSeconds}s;
  keepalive_timeout ${http.idleSeconds}s;
${keeps}  keepalive_requests 1000000;
${this.keeps ? "  # What affinity evaluates would need a second allocation for each request.\n  request_pool_size 8k;\n" : ""}  # One buffer: it limits all headers together.
  large_client_header_buffers 1 ${http.headerKilobytes}k;
  client_body_buffer_size ${BODY_KILOBYTES}k;
  client_max_body_size ${http.bodyMegabytes}m;
  proxy_buffer_size ${http.headerKilobytes}k;
  proxy_buffers 4 ${http.headerKilobytes}k;
  proxy_busy_buffers_size ${http.headerKilobytes}k;
  proxy_connect_timeout ${CONNECT_MILLISECONDS}ms;
  proxy_read_timeout ${http.answerSeconds}s;
  proxy_send_timeout ${http.answerSeconds}s;`;
  }

  private listen(): string {
    const { tls, host, port } = this.spec.proxy;
    if (tls === null) return `    listen ${host}:${port};\n`;
    const http2 = isAtLeast(this.program, "1.25.1") ? ";\n    http2 on;" : " http2;";
    return `    listen ${host}:${tls.port} ssl${http2}
    ssl_certificate ${tls.certificate};
    ssl_certificate_key ${tls.certificate};
    ssl_protocols TLSv1.2 TLSv1.3;
`;
  }

  /** Where a request goes. Each mark alone is decisive, so no request sees half of a change. */
  private route(): string {
    const previews = this.spec.preview === null ? "" : "$knows_secret";
    return `    set $slot blue;
    set $way slot;
    set $offered '';
    set $closed '';
    set $counted '';
    set $previewed '';
${this.keeps ? "    set $stays '';\n" : ""}${this.knowsSecret()}${this.stays(`.${RESTING}${previews}`, true)}${this.leaves(previews)}    # Between releases: all requests go to one slot. Previews continue.
    if (-f ${LIVE}/${MARKS.restBlue}${previews}) {
      break;
    }
    if (-f ${LIVE}/${MARKS.restGreen}${previews}) {
      set $slot green;
      break;
    }
    if (-f ${WATCHED}/$span) {
      set $counted counted;
    }
    # There is a file for each bucket that goes to green.
    if (-f ${LIVE}/$bucket) {
      set $slot green;
    }
${this.stays("")}    if (-f ${LIVE}/${MARKS.shifting}${previews}) {
      set $way shift;
      set $offered offered;
      break;
    }
    if (-f ${LIVE}/${MARKS.fallback}) {
      set $way shift;
    }
    if (-f ${LIVE}/${MARKS.divided}) {
      set $offered offered;
    }
    if (!-f ${LIVE}/${MARKS.open}) {
      set $closed closed;
    }
${this.preview()}`;
  }

  /** A client with a valid token gets its server, whatever the traffic is. */
  private stays(suffix: string, isLast = false): string {
    if (!this.keeps) return "";
    // At rest nothing is counted for a slot.
    return `    if (-f $token_file${suffix}) {
      set $stays $asked_place;
${isLast ? "      break;\n" : "      set $slot $asked_slot;\n"}    }
`;
  }

  /** A client of the release before, which users leave: it is not counted, and the live slot's servers stand in. */
  private leaves(previews: string): string {
    if (!drains(this.spec)) return "";
    return `    set $leaving '';
    if (-f $token_file.${LEAVING}${previews}) {
      set $stays $asked_place;
      set $way shift;
      set $leaving leaving;
      break;
    }
`;
  }

  /** With the right secret `$secure_link` is 1, otherwise empty. The configuration has only the secret's digest. */
  private knowsSecret(): string {
    const { preview } = this.spec;
    if (preview === null) return "";
    const digest = Buffer.from(preview.md5 ?? "", "hex").toString("base64url");
    return `    secure_link '${digest}';
    secure_link_md5 $preview_secret;
`;
  }

  /** The slot that is not live, for requests with the secret. */
  private preview(): string {
    if (this.spec.preview === null) return "";
    return `    set $waiting blue;
    if (-f ${LIVE}/${MARKS.liveBlue}) {
      set $waiting green;
    }
    if ($knows_secret = 1) {
      set $slot $waiting;
${this.keeps ? "      set $stays '';\n" : ""}      set $offered '';
      set $closed '';
      set $counted '';
      set $previewed $waiting;
    }
`;
  }

  /** A request for another host name gets 421: a redirect would send its user to whatever site the name has. */
  private redirect(): string {
    const { host, port, tls, http } = this.spec.proxy;
    const suffix = tls!.port === 443 ? "" : `:${tls!.port}`;
    const isOurs = `  map $host $is_ours {
    default '';
${http.hosts.map((name) => `    ${quoted(name)} ours;\n`).join("")}  }
`;
    const others = `      if ($is_ours = '') {
        return 421;
      }
`;
    const named = http.hosts.length > 0;
    return `${named ? isOurs : ""}  server {
    listen ${host}:${port};
${HEALTH}    location / {
      if ($http_host = '') {
        return 400;
      }
${named ? others : ""}      return 308 https://$host${suffix}$request_uri;
    }
  }
`;
  }
}
