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
    ...UPGRADES,
    ...forwarded(scheme, trusted),
  ]
    .map((rule) => `  ${rule}\n`)
    .join("");
}

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
