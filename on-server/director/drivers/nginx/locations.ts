/**
 * How NGINX forwards users' requests, and what it answers itself.
 *
 * A request whose body NGINX has, or that has none, makes two attempts. The first tries one server. Only if that could not be
 * reached, the second tries the rest, where traffic goes by then: so an instance that breaks off never makes NGINX send a
 * request again. A streamed body needs no such care: NGINX itself never sends it twice.
 */
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { CONNECT_MILLISECONDS } from "../../../../configuration/http-settings";
import { drains, hasAffinity } from "../../../../configuration/sessions";
import { htmlOf, NOTHING_DEPLOYED, RETRY_AFTER_SECONDS, UPDATING } from "../pages";
import type { Page } from "../pages";
import { COUNTED } from "./answers-log";
import { forwardedHeaders, hasPrivatePaths, strictTransportHeader } from "./request-maps";
import { LEAVING, LEAVING_LOG, LIVE, MARKS } from "./traffic-folder";

/** Statuses inside NGINX that lead to another location; no client gets them. */
const INTERNAL = {
  closed: 460,
  private: 461,
  preview: 462,
  socket: 463,
  streamed: 464,
  broke: 465,
  late: 466,
};
/** Retries end before any time limit but the one for connecting: that of `answerSeconds` is at least a second. */
const RETRY_MILLISECONDS = CONNECT_MILLISECONDS + 400;

const WEBSOCKET = "if ($http_upgrade ~* ^websocket$)";
const AFTER_FAILURE = `error_page 502 504 = @nobody;
      error_page ${INTERNAL.broke} = @broke;
      error_page ${INTERNAL.late} = @late;`;
/** For a request that an instance got. */
const GIVE_UP = `if ($broke = late) {
        return ${INTERNAL.late};
      }
      if ($broke) {
        return ${INTERNAL.broke};
      }`;
const RETRIES = `proxy_next_upstream error timeout;
      proxy_next_upstream_timeout ${RETRY_MILLISECONDS}ms;`;

/** @param kept servers that keep their clients, though they get no new ones */
export function locations(spec: DirectorSpec, kept: readonly Noticed[]): string {
  const { http } = spec.proxy;
  const previews = spec.preview !== null;
  const keeps = hasAffinity(spec);
  const there = keeps ? "there" : "slot";
  // Another server than the client's may answer.
  const leavesServer = keeps ? "set $stays '';\n      " : "";
  const whereTrafficGoes =
    leavesServer + WHERE_TRAFFIC_GOES + (keeps ? STAYS : "") + (drains(spec) ? LEAVES : "");
  const noticed = [...(drains(spec) ? [{ stays: "$leaving", log: LEAVING_LOG }] : []), ...kept];
  const logged = [COUNTED, ...noticed.map(notice)].join("\n      ");
  return `    location / {
      error_page ${INTERNAL.closed} = @closed;
      error_page ${INTERNAL.private} = @private;
      error_page ${INTERNAL.preview} = @preview;
      error_page ${INTERNAL.socket} = @socket;
      error_page ${INTERNAL.streamed} = @streamed;
      error_page 502 504 = @again;
${hasPrivatePaths(spec) ? refuse("if ($private)", "private") : ""}${refuse("if ($closed)", "closed")}${previews ? refuse("if ($previewed)", "preview") : ""}${refuse(WEBSOCKET, "socket")}${refuse("if ($streamed)", "streamed")}      ${logged}
      proxy_pass http://slot_$${there};
    }
    location @again {
      ${AFTER_FAILURE}
      ${GIVE_UP}
      ${whereTrafficGoes}
      ${logged}
      ${RETRIES}
      proxy_pass http://\${way}_$now$but_now;
    }
    # An answer may come before the whole request has been read. NGINX ends the connection then, so the client must know.
    location @streamed {
      ${AFTER_FAILURE}
      ${keeps ? `set $chosen $there;\n      ${leavesServer}` : ""}      ${logged}
      keepalive_timeout 0;
      proxy_request_buffering off;
      ${RETRIES}
      proxy_pass http://\${way}_$${keeps ? "chosen" : "slot"};
    }
    location @socket {
      error_page 502 504 = @socket_again;
      ${logged}
      ${tunnel(spec)}
      proxy_pass http://slot_$${there};
    }
    location @socket_again {
      ${AFTER_FAILURE}
      ${GIVE_UP}
      ${whereTrafficGoes}
      ${logged}
      ${tunnel(spec)}
      ${RETRIES}
      proxy_pass http://\${way}_$now$but_now;
    }
${previews ? previewLocations(spec) : ""}    # Nobody was reached, unless an instance broke off after others were unreachable.
    location @nobody {
      error_page ${INTERNAL.broke} = @broke;
      error_page ${INTERNAL.late} = @late;
      ${GIVE_UP}
      ${logged}
      ${page(spec, UPDATING)}
    }
    location @broke {
      ${logged}
      ${text(spec, 502, "The application broke off.")}
    }
    location @late {
      ${logged}
      ${text(spec, 504, `The application did not answer within ${http.answerSeconds} seconds.`)}
    }
    location @closed {
      ${page(spec, NOTHING_DEPLOYED)}
    }
${hasPrivatePaths(spec) ? `    location @private {\n      ${text(spec, 404, "Not found.")}\n    }\n` : ""}`;
}

/** Traffic may have moved while the request came in. */
const WHERE_TRAFFIC_GOES = `set $now blue;
      if (-f ${LIVE}/$bucket) {
        set $now green;
      }
      set $way slot;
      if (-f ${LIVE}/${MARKS.fallback}) {
        set $way shift;
      }`;
const STAYS = `
      if (-f $token_file) {
        set $now $asked_slot;
      }`;

const LEAVES = `
      if (-f $token_file.${LEAVING}) {
        set $way shift;
      }`;

/** Requests whose end is noticed, by the variable that is not empty then. */
interface Noticed {
  readonly stays: string;
  readonly log: string;
}

/** Without a buffer: when the file was changed is when the last request ended. */
function notice({ stays, log }: Noticed): string {
  return `access_log ${log} left if=${stays};`;
}

/** The headers that instances get, at the level of the server and where one of them differs. */
export function requestHeaders(spec: DirectorSpec, others: Readonly<Record<string, string>> = {}): string {
  const headers = {
    Host: "$asked_host",
    Connection: "$to_instance",
    Upgrade: "''",
    ...forwardedHeaders(spec),
    "X-Bluegreen-Preview": "''",
    ...(spec.preview === null ? {} : { Cookie: "$application_cookie" }),
    ...others,
  };
  return Object.entries(headers)
    .map(([name, value]) => `proxy_set_header ${name} ${value};`)
    .join("\n      ");
}

/** A WebSocket. Only its upgrade reaches an instance; h2c does not. */
function tunnel(spec: DirectorSpec): string {
  const { tunnelSeconds } = spec.proxy.http;
  return `${requestHeaders(spec, { Connection: "upgrade", Upgrade: "websocket" })}
      proxy_read_timeout ${tunnelSeconds}s;
      proxy_send_timeout ${tunnelSeconds}s;`;
}

/** Previews go to one slot only, and no cache stores them. */
function previewLocations(spec: DirectorSpec): string {
  const answers = `proxy_hide_header Cache-Control;
      proxy_hide_header Expires;
      ${strictTransportHeader(spec)}add_header Cache-Control no-store always;
      add_header X-Bluegreen-Slot $previewed always;`;
  return `    location @preview {
      error_page ${INTERNAL.socket} = @preview_socket;
      ${AFTER_FAILURE}
${refuse(WEBSOCKET, "socket")}      ${answers}
      ${RETRIES}
      proxy_pass http://slot_$slot;
    }
    location @preview_socket {
      ${AFTER_FAILURE}
      ${answers}
      ${tunnel(spec)}
      ${RETRIES}
      proxy_pass http://slot_$slot;
    }
`;
}

function refuse(condition: string, status: keyof typeof INTERNAL): string {
  return `      ${condition} {
        return ${INTERNAL[status]};
      }
`;
}

const OF_PREVIEWS = `add_header X-Bluegreen-Slot $previewed always;
      add_header Cache-Control $preview_storage always;`;

function page(spec: DirectorSpec, shown: Page): string {
  return `default_type 'text/html; charset=utf-8';
      add_header Retry-After ${RETRY_AFTER_SECONDS} always;
      ${strictTransportHeader(spec)}${OF_PREVIEWS}
      return 503 '${htmlOf(shown)}';`;
}

function text(spec: DirectorSpec, status: number, sentence: string): string {
  return `default_type text/plain;
      ${strictTransportHeader(spec)}${OF_PREVIEWS}
      return ${status} "${sentence}\\n";`;
}
