/**
 * Makes browsers use TLS only (`http.strictTransportSecurity`): on every answer to a user with TLS, HAProxy's own included,
 * unless the application has sent the header itself. Without the setting there are no such rules.
 */
import { SECURE_SCHEMES } from "../../../../configuration/cookies";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { strictTransportSecurity } from "../../../../configuration/http-settings";

/** For the users' frontend, before any rule that answers. */
export function strictTransportRules({ tls, http }: DirectorSpec["proxy"]): string {
  const { strictTransportSecurity: wanted, trusted } = http;
  if (wanted === undefined || (tls === null && trusted.length === 0)) return "";
  // Answers don't know their request's headers.
  const reported = `  http-request set-var(txn.strict) bool(true) if { src ${trusted.join(" ")} } { req.fhdr(x-forwarded-proto,1) -m beg -i ${SECURE_SCHEMES.join(" ")} }
`;
  const isReported = tls === null;
  return `${isReported ? reported : ""}  http-after-response set-header Strict-Transport-Security "${strictTransportSecurity(wanted)}" if ${isReported ? "{ var(txn.strict) -m found } " : ""}!{ res.fhdr(strict-transport-security) -m found }
`;
}
