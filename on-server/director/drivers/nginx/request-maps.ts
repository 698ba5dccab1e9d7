/**
 * What NGINX knows about a request before it forwards it, as lazily evaluated `map` blocks: its bucket and its cookie, its
 * preview's secret, who forwarded it, how its body travels, and whether its path is private. The rules are those of
 * docs/traffic.md, section 7.
 */
import {
  BUCKET_COOKIE,
  bucketAttributes,
  EXPIRES_AHEAD,
  NOT_MODIFIED,
  NOT_SHARED,
  PREVIEW_COOKIE,
  SECURE_SCHEMES,
  SHARED,
} from "../../../../configuration/cookies";
import { strictTransportSecurity } from "../../../../configuration/http-settings";
import { CONNECTION_AUTHENTICATION } from "../../../../configuration/connection-authentication";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { privatePaths } from "../../../../configuration/private-paths";
import { BUCKETS, LONGEST_PAGE } from "../driver";

/** A word in NGINX's configuration, whatever it contains. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** A pattern in a map. */
function pattern(expression: string): string {
  return quoted(`~*${expression}`);
}

export function requestMaps(spec: DirectorSpec): string {
  return [
    hostMap(spec),
    authenticationMap(),
    bucketMaps(),
    cookieMaps(spec),
    bodyMaps(),
    pageMap(),
    ...(spec.preview === null ? [] : [previewMaps()]),
    ...(spec.proxy.http.trusted.length === 0 ? [] : [balancerMaps(spec.proxy.http.trusted)]),
    ...(hasPrivatePaths(spec) ? [privateMap(spec)] : []),
    ...(sendsStrictTransport(spec) ? [strictTransportMap(spec)] : []),
  ].join("");
}

export function hasPrivatePaths(spec: DirectorSpec): boolean {
  return privatePaths(spec).length > 0;
}

function hostMap({ verification }: DirectorSpec): string {
  return `  # HTTP/1.0 clients may omit the host.
  map $http_host $asked_host {
    default $http_host;
    '' ${verification.host ?? "localhost"};
  }
`;
}

/** A connection to an instance that may be authenticated for a user is not used again: NGINX would share it. */
function authenticationMap(): string {
  return `  map $http_authorization $to_instance {
    default '';
    ${pattern(CONNECTION_AUTHENTICATION)} close;
  }
`;
}

/** A client's bucket keeps it on its side; it names no release, so it never goes stale. */
function bucketMaps(): string {
  const last = BUCKETS - 1;
  return `  map $http_cookie $own_bucket {
    default '';
    '~(?:^|;\\s*)${BUCKET_COOKIE}=0?(?<asked_bucket>[1-9]?[0-9])(?:;|$)' $asked_bucket;
  }
  split_clients $request_id $drawn_bucket {
${Array.from({ length: last }, (_, bucket) => `    1% ${bucket};\n`).join("")}    * ${last};
  }
  map $own_bucket $bucket {
    default $own_bucket;
    '' $drawn_bucket;
  }
`;
}

/** `$offered` is set while traffic is divided. Only then NGINX evaluates the rest, from the answer's headers. */
function cookieMaps({ proxy }: DirectorSpec): string {
  const cookie = `${BUCKET_COOKIE}=$drawn_bucket${bucketAttributes(proxy.tls !== null)}`;
  return `  map $offered $bucket_cookie {
    default '';
    offered $new_bucket;
  }
  map $own_bucket $new_bucket {
    default '';
    '' $bucket_by_answer;
  }
  map $answer_kind $bucket_by_answer {
    default ${quoted(cookie)};
    shared '';
  }
  map $bucket_cookie $bucket_privacy {
    default $privacy_by_answer;
    '' '';
  }
  map $answer_kind $privacy_by_answer {
    default private;
    personal '';
  }
  map $sent_http_cache_control $cache_control_kind {
    default unknown;
    ${pattern(NOT_SHARED)} personal;
    ${pattern(SHARED)} shared;
  }
  map $sent_http_expires $expires_kind {
    default unknown;
    ${pattern(EXPIRES_AHEAD)} shared;
  }
  map "$status $cache_control_kind $expires_kind" $answer_kind {
    default unknown;
    "~^${NOT_MODIFIED} " shared;
    "~ personal " personal;
    "~shared" shared;
  }
`;
}

/**
 * Large bodies, and those of unknown length, go to their slot from the first byte, so that a drain sees them; others are read
 * first. `Expect` asks the application itself.
 */
function bodyMaps(): string {
  return `  map "$http_expect|$content_length|$http_transfer_encoding|$server_protocol|$request_method" $streamed {
    default streamed;
    "|||HTTP/1.1|GET" '';
    "|||HTTP/1.1|HEAD" '';
    "~^\\\\|[0-9]{0,5}\\\\|\\\\|HTTP/1" '';
    "~^\\\\|[0-9]{1,5}\\\\|\\\\|HTTP" '';
    "~^\\\\|\\\\|\\\\|HTTP/[23].*\\\\|(GET|HEAD|DELETE|OPTIONS)$" '';
  }
  # Whether an instance was connected to, and so got the request. Evaluated after each attempt.
  map $upstream_connect_time $sent {
    volatile;
    default '';
    "~[0-9]" sent;
  }
  map "$sent $upstream_status" $broke {
    volatile;
    default '';
    "~^sent .*504$" late;
    "~^sent" broke;
  }
`;
}

/**
 * The path of a GET for the log of answers, in printable ASCII without spaces and without what NGINX escapes there; empty for
 * others. Evaluated only for what is logged.
 */
function pageMap(): string {
  const character = "[\\x21\\x24-\\x3e\\x40-\\x5b\\x5d-\\x7e]";
  return `  map "$request_method $request_uri" $page {
    default '';
    ${quoted(`~^GET (?<page_path>/${character}{0,${LONGEST_PAGE - 1}})(?:[?]|$)`)} $page_path;
  }
`;
}

/** The application gets the other cookies only. The second map removes a duplicate. */
function previewMaps(): string {
  const without = (from: string, to: string, value: string) => `  map ${from} ${to} {
    default ${from};
    '~^${PREVIEW_COOKIE}=[^;]*(?:;\\s*(?<${value}_rest>.*))?$' $${value}_rest;
    '~^(?<${value}_head>.+?);\\s*${PREVIEW_COOKIE}=[^;]*(?<${value}_tail>;.*)?$' $${value}_head$${value}_tail;
  }
`;
  return `${without("$http_cookie", "$cookie_once", "once")}${without("$cookie_once", "$application_cookie", "twice")}  map $http_cookie $preview_cookie {
    default '';
    '~(?:^|;\\s*)${PREVIEW_COOKIE}=(?<preview_value>[^;]+)' $preview_value;
  }
  map $http_x_bluegreen_preview $preview_secret {
    default $http_x_bluegreen_preview;
    '' $preview_cookie;
  }
  # With the right secret $secure_link is 1, otherwise empty. Few requests have one.
  map $preview_secret $knows_secret {
    default $secure_link;
    '' '';
  }
`;
}

/**
 * Other headers by which balancers name what they got, and frameworks go by, if they are trusted: NGINX can't drop headers
 * by their beginning. The host needs none: instances get the user's `Host`.
 */
const ONLY_BALANCERS = ["Host", "Port", "Prefix", "Server", "Scheme", "Ssl"];

/** What a trusted balancer forwarded stays; from others these headers are dropped. */
function balancerMaps(trusted: readonly string[]): string {
  const dropped = (name: string) => `  map $balancer $forwarded_${name} {
    default $http_x_forwarded_${name};
    '' '';
  }
`;
  return `  geo $balancer {
    default '';
${trusted.map((range) => `    ${quoted(range)} trusted;\n`).join("")}  }
  map $balancer $forwarded_for {
    default $proxy_add_x_forwarded_for;
    '' $remote_addr;
  }
  map $balancer $forwarded {
    default $http_forwarded;
    '' '';
  }
  map $balancer $forwarded_proto {
    default $balancers_proto;
    '' $scheme;
  }
  map $http_x_forwarded_proto $balancers_proto {
    default $http_x_forwarded_proto;
    '' $scheme;
  }
${ONLY_BALANCERS.map((name) => dropped(name.toLowerCase())).join("")}`;
}

/** Whether users may have TLS here, and browsers are to use nothing else. */
function sendsStrictTransport({ proxy: { tls, http } }: DirectorSpec): boolean {
  return http.strictTransportSecurity !== undefined && (tls !== null || http.trusted.length > 0);
}

/** On every answer to a user with TLS, unless the application has sent the header itself. */
function strictTransportMap({ proxy: { tls, http } }: DirectorSpec): string {
  const [scheme, secure] = tls === null ? ["$forwarded_proto", SECURE_SCHEMES.join("|")] : ["$https", "on"];
  return `  map "$upstream_http_strict_transport_security|${scheme}" $strict_transport {
    default '';
    ${pattern(`^[|](${secure})`)} ${quoted(strictTransportSecurity(http.strictTransportSecurity!))};
  }
`;
}

/** For the users' server, and for each location that adds headers: NGINX inherits none there. */
export function strictTransportHeader(spec: DirectorSpec): string {
  return sendsStrictTransport(spec)
    ? "add_header Strict-Transport-Security $strict_transport always;\n      "
    : "";
}

/** The headers that name the client. */
export function forwardedHeaders({ proxy }: DirectorSpec): Readonly<Record<string, string>> {
  const isTrusting = proxy.http.trusted.length > 0;
  const others = ONLY_BALANCERS.map((name) => [
    `X-Forwarded-${name}`,
    isTrusting ? `$forwarded_${name.toLowerCase()}` : "''",
  ]);
  return {
    "X-Forwarded-For": isTrusting ? "$forwarded_for" : "$remote_addr",
    "X-Forwarded-Proto": isTrusting ? "$forwarded_proto" : "$scheme",
    Forwarded: isTrusting ? "$forwarded" : "''",
    ...(Object.fromEntries(others) as Record<string, string>),
  };
}

/**
 * Private paths in every spelling of `normalPath`. `$uri` is decoded, and without the usual dot segments. Those that only some
 * servers resolve (behind a backslash, or with parameters) are refused before a private path's last segment.
 */
function privateMap(spec: DirectorSpec): string {
  const nothing = "(?:[/\\\\]+\\.?(?:;[^/\\\\]*)?(?=[/\\\\]|$))*";
  const segment = (name: string) =>
    `[/\\\\]+${name.replace(/[^a-z0-9]/g, (sign) => `\\x{${sign.charCodeAt(0).toString(16)}}`)}(?:;[^/\\\\]*)?(?=[/\\\\]|$)`;
  const entries = privatePaths(spec).flatMap((path) => {
    const segments = path.split("/").filter(Boolean).map(segment);
    const whole = `^${segments.map((each) => `${nothing}${each}`).join("")}${nothing}$`;
    const climbing = `[/\\\\]\\.\\.(?:;[^/\\\\]*)?(?=[/\\\\]).*${segments.at(-1) ?? ""}${nothing}$`;
    return [whole, climbing].map((expression) => `    ${pattern(expression)} private;\n`);
  });
  return `  map $uri $private {
    default '';
${entries.join("")}  }
`;
}
