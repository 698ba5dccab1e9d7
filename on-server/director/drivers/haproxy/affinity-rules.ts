/**
 * Affinity in HAProxy's language: a client with a valid token stays on its server. The traffic map has the tokens, so they
 * change together with the traffic; another map has the token of each server, for the cookie. Without the setting there
 * are no such rules.
 */
import {
  EXPIRES_AHEAD,
  NOT_MODIFIED,
  NOT_SHARED,
  SECURE_SCHEMES,
  SERVER_COOKIE,
  serverAttributes,
  SHARED,
} from "../../../../configuration/cookies";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { tokenSeconds, validTokens } from "../../../../configuration/sessions";
import type { ServerToken } from "../../../../configuration/sessions";
import type { Slot } from "../../../../release/slot";
import type { Traffic } from "../driver";
import { findAddress } from "./client-rules";
import { backendNames, FAILOVER, SERVER_FACTOR, TIMED, TRAFFIC_MAP } from "./traffic-map";

/** By `<backend>/<server>`. Its name begins like the map's: a new configuration keeps it. */
export const TOKENS_MAP = "traffic.tokens";

const IS_KEPT = "{ var(txn.kept) -m found }";
/** Whether a balancer reports that its user has TLS. */
const HAS_TLS = "{ var(txn.tls) -m found }";

/** For the frontend, before any other choice: the server that a client's token names. */
export function findServer({ sessions, proxy }: DirectorSpec): string {
  const without = sessions?.withoutCookie ?? [];
  const noCookie =
    without.length === 0
      ? ""
      : `  http-request set-var(txn.no_cookie) bool(true) if { path_beg ${without.join(" ")} }\n`;
  return `${noCookie}  http-request set-var(txn.kept) req.cook(${SERVER_COOKIE}),map_str_int(${TRAFFIC_MAP})
  # The map has other keys, too. Of several cookies none counts.
  http-request unset-var(txn.kept) if { var(txn.kept) -m int lt ${SERVER_FACTOR} } or ${IS_KEPT} !{ req.cook_cnt(${SERVER_COOKIE}) -m int 1 }
  http-request set-var(txn.server) var(txn.kept),div(${SERVER_FACTOR}) if ${IS_KEPT}
${proxy.http.trusted.length === 0 ? "" : findAddress(proxy.http.trusted, "TRUE")}${reportsTls(proxy) ? FIND_TLS : ""}`;
}

/** Whether TLS may end in front of the proxy. */
function reportsTls({ tls, http }: DirectorSpec["proxy"]): boolean {
  return tls === null && http.trusted.length > 0;
}

/** Answers don't know their request's headers. */
const FIND_TLS = `  http-request set-var(txn.tls) bool(true) if { req.fhdr(x-forwarded-proto,1) -m beg -i ${SECURE_SCHEMES.join(" ")} }
`;

/** Whether the client has a server, while nothing is divided or measured. It chooses the way there. */
export const KEPT_AT_REST = `{ var(txn.kept),mod(${SERVER_FACTOR}),set-var(txn.way) -m int lt ${TIMED} }`;

/** Where the bucket decides: not for a client that has a server ... */
export const IS_NEW = `!${IS_KEPT}`;
/** ... of which the bucket only says whether it is counted and timed. */
export const CLASS_OF_KEPT = (bucket: string): string =>
  `  http-request unset-var(txn.way) if ${IS_KEPT}
  http-request set-var(txn.way) ${bucket} if ${IS_KEPT}
`;
export const WAY_OF_KEPT = `  http-request set-var(txn.way) var(txn.way),div(100),mul(100) if ${IS_KEPT}
  http-request set-var(txn.way) var(txn.kept),mod(100),add(txn.way) if ${IS_KEPT}
`;

/** For a backend: its servers by their numbers, and a new client's by its address. */
export function serverRules({ endpoints, proxy }: DirectorSpec, slot: Slot): string {
  // Behind a balancer HAProxy 2.5 and older go by the first address that was reported.
  const balance =
    proxy.http.trusted.length === 0
      ? "  balance source\n"
      : ".if version_atleast(2.6)\n  balance hash var(txn.address)\n.else\n  balance hdr(x-forwarded-for)\n.endif\n";
  const rules = endpoints[slot].map(
    ({ server }, index) => `  use-server ${server} if { var(txn.server) -m int ${index + 1} }\n`,
  );
  return `${balance}  hash-type consistent\n${rules.join("")}`;
}

/**
 * For a backend's answers, before all other rules: the cookie, unless the client is on the server that its token names. Where
 * sessions drain, each answer renews it. Servers of the own slot come first, so their ids are their numbers.
 * @param allowed a condition under which no rule follows for clients that need no cookie
 */
export function serverCookieRules({ sessions, proxy }: DirectorSpec, { allowed = "" } = {}): string {
  const given = "{ var(txn.given) -m found }";
  const gives = "{ var(txn.gives) -m found }";
  const seconds = tokenSeconds(sessions);
  const isRight = seconds === undefined ? "!on_own_server " : "";
  const done =
    allowed === "" || seconds !== undefined ? "" : `  http-response allow if on_own_server ${allowed}\n`;
  const give = (secure: boolean, condition = "") =>
    `  http-response add-header Set-Cookie "${SERVER_COOKIE}=%[var(txn.given)]${serverAttributes(secure, seconds)}" if ${gives}${condition}\n`;
  return `  acl on_own_server srv_id,sub(txn.server) -m int 0
${done}  acl only_for_user res.fhdr(cache-control) -m reg -i '${NOT_SHARED}'
  acl shared res.fhdr(cache-control) -m reg -i '${SHARED}'
  acl shared res.fhdr(expires) -m reg '${EXPIRES_AHEAD}'
  http-response set-var(txn.place) be_name if ${isRight}!{ var(txn.no_cookie) -m found } !{ status ${NOT_MODIFIED} }
  http-response set-var(txn.answerer) srv_name if { var(txn.place) -m found }
  http-response set-var(txn.given) var(txn.place),concat(/,txn.answerer),map(${TOKENS_MAP}) if { var(txn.place) -m found }
  http-response set-var(txn.gives) bool(true) if ${given} only_for_user or ${given} !shared
  http-response add-header Cache-Control private if ${gives} !only_for_user
${reportsTls(proxy) ? give(true, ` ${HAS_TLS}`) + give(false, ` !${HAS_TLS}`) : give(proxy.tls !== null)}`;
}

/** The valid tokens of servers in rotation. @param out servers out of rotation, as `<slot> <server>` */
export function tokensInRotation(
  spec: Parameters<typeof validTokens>[0],
  { sessions }: Traffic,
  out: ReadonlySet<string>,
): ServerToken[] {
  return validTokens(spec, sessions).filter(({ slot, server }) => !out.has(`${slot} ${server}`));
}

/** The text of {@link TOKENS_MAP}. */
export function tokensMap(tokens: readonly ServerToken[]): string {
  return tokens
    .flatMap(({ token, slot, server }) => {
      const own = backendNames(slot);
      const places = [own.serve, own.shift, own.hold, own.page].map((backend) => `${backend}/${server}`);
      const other = backendNames(slot === "blue" ? "green" : "blue");
      return [...places, `${other.shift}/${FAILOVER}${server}`].map((place) => `${place} ${token}\n`);
    })
    .join("");
}
