/**
 * What HAProxy does with a user's request before it chooses a slot (docs/traffic.md, section 7). Each rule costs every
 * request something, so there is one only where the settings need it, and those for bodies come after most requests have
 * been sent on. X-Forwarded-For is added by HAProxy's `option forwardfor`, which costs a third of a rule.
 */
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { privatePathRules } from "./private-path-rules";

/** For every request in a frontend whose users use this scheme. */
export function requestRules(spec: DirectorSpec, scheme: "http" | "https"): string {
  return lines([...privatePathRules(spec), DROP_H2C, ...forwarded(scheme, spec.proxy.http.trusted)]);
}

/** For requests that may have a body, where they are not sent on yet. */
export function bodyRules({ proxy }: DirectorSpec): string {
  const tooLarge = `{ req.body_size gt ${proxy.http.bodyMegabytes * 1024 * 1024} }`;
  return lines([`http-request deny deny_status 413 if ${tooLarge}`, ...UPLOADS]);
}

function lines(rules: readonly string[]): string {
  return rules.map((rule) => `  ${rule}\n`).join("");
}

/** How much of a body has not come yet when its request begins; at least 1 if that is unknown. */
const BODY_LEFT = "txn.left";

/**
 * An instance that answers an upload early has not read all of it: the client's connection may end then. HAProxy does not
 * pass on `Connection: close`, nor says it.
 */
const UPLOADS = [
  `http-request set-var(${BODY_LEFT}) req.body_len if !{ method GET HEAD }`,
  `http-request set-var(${BODY_LEFT}) req.body_size,sub(${BODY_LEFT}) if { var(${BODY_LEFT}) -m found }`,
  `http-request set-var(${BODY_LEFT}) int(1) if { var(${BODY_LEFT}) -m found } { req.fhdr(transfer-encoding) -m found }`,
  `http-response set-header Connection close if { status ge 300 } { var(${BODY_LEFT}) -m int gt 0 }`,
];

/** HTTP/2 without TLS is between the client and this proxy, which does not offer it; WebSockets are passed on. */
const DROP_H2C = "http-request del-header Upgrade if { req.hdr(upgrade) -i h2c }";

/** The host needs no header: instances get the user's `Host`. */
function forwarded(scheme: "http" | "https", trusted: readonly string[]): string[] {
  // Forwarded, and all X-Forwarded headers.
  const drop = "http-request del-header forwarded -m sub";
  if (trusted.length === 0) return [drop, `http-request add-header X-Forwarded-Proto ${scheme}`];
  return [
    `acl trusted src ${trusted.join(" ")}`,
    `${drop} if !trusted`,
    `http-request add-header X-Forwarded-Proto ${scheme} if !{ req.hdr(x-forwarded-proto) -m found }`,
  ];
}
