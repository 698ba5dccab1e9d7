/**
 * What HAProxy does with every request of a user before it chooses a slot (docs/traffic.md, section 7). Each rule costs
 * every request something, so there is one only where the settings need it.
 */
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { privatePathRules } from "./private-path-rules";

/** HAProxy's rules for a frontend whose users use this scheme. */
export function requestRules(spec: DirectorSpec, scheme: "http" | "https"): string {
  const { bodyMegabytes, trusted } = spec.proxy.http;
  return [
    ...privatePathRules(spec),
    `http-request deny deny_status 413 if { req.body_size gt ${bodyMegabytes * 1024 * 1024} }`,
    ...UPLOADS,
    ...UPGRADES,
    ...forwarded(scheme, trusted),
  ]
    .map((rule) => `  ${rule}\n`)
    .join("");
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
  `http-response set-header Connection close if { var(${BODY_LEFT}) -m int gt 0 } { status ge 300 }`,
];

/** HTTP/2 without TLS is between the client and this proxy, which does not offer it; WebSockets are passed on. */
const UPGRADES = [
  "http-request del-header Upgrade if { req.hdr(upgrade) -i h2c }",
  "http-request del-header HTTP2-Settings",
];

function forwarded(scheme: "http" | "https", trusted: readonly string[]): string[] {
  const replaced = (condition: (header: string) => string) => [
    `http-request set-header X-Forwarded-Proto ${scheme}${condition("x-forwarded-proto")}`,
    `http-request set-header X-Forwarded-Host %[req.hdr(host)]${condition("x-forwarded-host")}`,
  ];
  if (trusted.length === 0)
    return [
      ...replaced(() => ""),
      "http-request set-header X-Forwarded-For %[src]",
      "http-request del-header Forwarded",
    ];
  return [
    `acl trusted src ${trusted.join(" ")}`,
    // What a balancer does not send is set, too.
    ...replaced((header) => ` if !trusted or !{ req.hdr(${header}) -m found }`),
    "http-request del-header X-Forwarded-For if !trusted",
    "http-request add-header X-Forwarded-For %[src]",
    "http-request del-header Forwarded if !trusted",
  ];
}
