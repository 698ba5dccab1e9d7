/**
 * The NGINX configuration that base installs once. Releases never change it: they change a folder of empty files,
 * which NGINX checks with every request. Needs NGINX >= 1.18 with the module secure_link; tested with 1.22.
 */
import { createHash } from "node:crypto";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { otherSlot, SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { NOT_READY_FILE, SEQUENCE_FILE, SEQUENCE_PATH } from "../driver";
import { htmlOf, NOTHING_DEPLOYED, RETRY_AFTER_SECONDS, UPDATING } from "../pages";
import type { Page } from "../pages";
import { LIVE, MARKS } from "./traffic-folder";

/** All paths are relative to the proxy's folder, where NGINX is started. */
export const CONFIGURATION = "nginx.conf";
export const ADMIN_SOCKET = "admin.sock";
export const PID_FILE = "nginx.pid";
export const ANSWERS_LOG = "answers.log";
export const EXCLUDED_FILE = "traffic.excluded.json";

export const NONE_EXCLUDED: PerSlot<readonly string[]> = { blue: [], green: [] };
/** Logs answers for the director, up to 100 ms late: without a buffer each line costs a system call. */
const COUNTED = `access_log ${ANSWERS_LOG} answers buffer=16k flush=100ms if=$counted;`;

export class NginxConfigurator {
  constructor(
    private readonly spec: DirectorSpec,
    private readonly excluded: PerSlot<readonly string[]> = NONE_EXCLUDED,
  ) {}

  /** Contains its own digest, which shows whether a reload took effect. */
  configuration(): string {
    const text = (generation: string) => this.text(generation);
    return text(createHash("sha256").update(text("")).digest("hex"));
  }

  private text(generation: string): string {
    const { application, environment, proxy, verification } = this.spec;
    const { tls, host, port } = proxy;
    const previews = this.spec.preview === null ? "" : "$secure_link";
    // Workers must run as the owner of the folder. By default, NGINX started by root changes their user.
    const user = process.getuid?.() === 0 ? "user root;\n" : "";
    return `# ${application}, ${environment}: written by cdktf-bluegreen; a release changes ${LIVE} only.
${user}worker_processes auto;
pid ${PID_FILE};
error_log nginx-error.log warn;
events {
  worker_connections 8192;
}
http {
  client_body_temp_path temp-body;
  proxy_temp_path temp-proxy;
  fastcgi_temp_path temp-fastcgi;
  uwsgi_temp_path temp-uwsgi;
  scgi_temp_path temp-scgi;
  log_format answers '$slot|$status|$upstream_addr|$upstream_header_time';
  access_log off;
  server_tokens off;
  keepalive_timeout 75s;
  keepalive_requests 1000000;
  client_max_body_size 0;
  underscores_in_headers on;
  merge_slashes off;

  proxy_http_version 1.1;
  proxy_redirect off;
  proxy_connect_timeout 5s;
  proxy_buffer_size 16k;
  proxy_buffers 8 16k;
  # An upload goes to its slot from the first byte: buffered here, it could reach an instance that was stopped
  # meanwhile.
  proxy_request_buffering off;
  proxy_busy_buffers_size 32k;
  # A refused connection is retried at once with another server: nothing was sent yet, so this is safe for a POST too.
  proxy_next_upstream error timeout;
  map $http_upgrade $connection_upgrade {
    default upgrade;
    '' '';
  }
  # HTTP/1.0 clients may omit the host.
  map $http_host $asked_host {
    default $http_host;
    '' ${verification.host ?? "localhost"};
  }

  # A client's bucket (0 to 99) keeps it on its side; it names no release, so it never goes stale.
  map $http_cookie $own_bucket {
    default '';
    '~(?:^|;\\s*)bluegreen-bucket=0?(?<asked_bucket>[1-9]?[0-9])(?:;|$)' $asked_bucket;
  }
  split_clients $request_id $drawn_bucket {
${Array.from({ length: 99 }, (_, bucket) => `    1% ${bucket};\n`).join("")}    * 99;
  }
  map $own_bucket $bucket {
    default $own_bucket;
    '' $drawn_bucket;
  }
  map $own_bucket $new_bucket {
    default '';
    '' 'bluegreen-bucket=$drawn_bucket; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax';
  }
${this.previewSecret()}
${SLOTS.map((slot) => this.upstreams(slot)).join("")}
  server {
    listen unix:${ADMIN_SOCKET};
    location = /generation {
      return 200 '${generation}';
    }
    location / {
      return 404;
    }
  }
${tls === null ? "" : this.redirect()}
  server {
    listen ${host}:${tls === null ? port : `${tls.port} ssl http2`};
${tls === null ? "" : `    ssl_certificate ${tls.certificate};\n    ssl_certificate_key ${tls.certificate};\n    ssl_protocols TLSv1.2 TLSv1.3;\n`}    proxy_set_header Host $asked_host;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Bluegreen-Preview '';
    add_header Set-Cookie $offered_bucket always;
    add_header X-Bluegreen-Slot $previewed always;

    # One check decides, so no request sees half of a change: there is a file for each bucket that goes to green.
    set $slot blue;
    if (-f ${LIVE}/$bucket) {
      set $slot green;
    }
    set $way slot;
    set $offered_bucket '';
    set $closed '';
    set $counted counted;
    set $previewed '';
${this.knowsSecret()}    # The usual case ends here, without further checks. Previews continue.
    if (-f ${LIVE}/${MARKS.atRest}${previews}) {
      break;
    }
    if (-f ${LIVE}/${MARKS.shifting}${previews}) {
      set $way shift;
      set $offered_bucket $new_bucket;
      break;
    }
    if (-f ${LIVE}/${MARKS.fallback}) {
      set $way shift;
    }
    if (-f ${LIVE}/${MARKS.page}) {
      set $way page;
    }
    if (-f ${LIVE}/${MARKS.divided}) {
      set $offered_bucket $new_bucket;
    }
    if (!-f ${LIVE}/${MARKS.open}) {
      set $closed closed;
    }
${this.preview()}
${healthEndpoint()}    location / {
      error_page 419 = @closed;
      error_page 420 = @socket;
      ${pageInsteadOfNothing()}
      if ($closed) {
        return 419;
      }
      if ($http_upgrade ~* ^websocket$) {
        return 420;
      }
      ${COUNTED}
      proxy_read_timeout 75s;
      proxy_send_timeout 75s;
      proxy_pass http://\${way}_$slot;
    }
    location @socket {
      ${pageInsteadOfNothing()}
      ${COUNTED}
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
      proxy_pass http://\${way}_$slot;
    }
    location @updating {
      ${COUNTED}
      ${page(UPDATING)}
    }
    location @closed {
      ${page(NOTHING_DEPLOYED)}
    }
  }
}
`;
  }

  private upstreams(slot: Slot): string {
    // NGINX closes idle connections before the application does, so no request meets a closed one. Soon after the last
    // request, every remaining connection is in use.
    const kept = "    keepalive 128;\n    keepalive_timeout 500ms;\n";
    const servers = (of: Slot, option = " max_fails=1 fail_timeout=1s") =>
      this.spec.endpoints[of]
        .map(({ server, host, port }) => {
          const down = this.excluded[of].includes(server) ? " down" : "";
          return `    server ${host}:${port}${option}${down};\n`;
        })
        .join("");
    return `  upstream slot_${slot} {
${servers(slot)}${kept}  }
  # Both slots are verified: if a slot can't serve a request, the other one does.
  upstream shift_${slot} {
${servers(slot)}${servers(otherSlot(slot), " max_fails=1 fail_timeout=1s backup")}${kept}  }
  # Perhaps nothing listens there. As soon as an instance does, it gets the next request.
  upstream page_${slot} {
${servers(slot, " max_fails=0")}${kept}  }
`;
  }

  private previewSecret(): string {
    if (this.spec.preview === null) return "";
    return `  map $http_cookie $preview_cookie {
    default '';
    '~(?:^|;\\s*)bluegreen-preview=(?<preview_value>[^;]+)' $preview_value;
  }
  map $http_x_bluegreen_preview $preview_secret {
    default $http_x_bluegreen_preview;
    '' $preview_cookie;
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
    if ($secure_link = 1) {
      set $slot $waiting;
      set $way page;
      set $offered_bucket '';
      set $closed '';
      set $counted '';
      set $previewed $waiting;
    }
`;
  }

  private redirect(): string {
    const { host, port, tls } = this.spec.proxy;
    const suffix = tls!.port === 443 ? "" : `:${tls!.port}`;
    return `  server {
    listen ${host}:${port};
${healthEndpoint()}    location / {
      if ($http_host = '') {
        return 400;
      }
      return 308 https://$host${suffix}$request_uri;
    }
  }
`;
  }
}

/** 503 while the proxy is behind the others; and the last sequence that ended here, for them. */
function healthEndpoint(): string {
  return `    location = /proxy-healthz {
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
}

/** NGINX's answer if no instance answers. The application's errors pass unchanged. */
function pageInsteadOfNothing(): string {
  return "error_page 502 504 =503 @updating;";
}

function page(shown: Page): string {
  return `default_type 'text/html; charset=utf-8';
      add_header Retry-After ${RETRY_AFTER_SECONDS} always;
      add_header X-Bluegreen-Slot $previewed always;
      return 503 '${htmlOf(shown)}';`;
}
