/** What an instance gets to see of a user's request besides what the user sent. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { PREVIEW_COOKIE } from "../../configuration/cookies";
import { PREVIEW_HEADER } from "../../configuration/preview";
import type { TrustedBalancers } from "../director/drivers/trusted-balancers";

/** Changes the request's headers in place, as the proxy library reads them. */
export function prepareHeaders(request: IncomingMessage, trusted: TrustedBalancers): void {
  const { headers } = request;
  const address = addressOf(request);
  const kept = trusted.include(address);
  const forwarded = Object.keys(headers).filter((name) => name.includes("forwarded"));
  if (!kept) for (const name of forwarded) delete headers[name];
  const before = headers["x-forwarded-for"];
  headers["x-forwarded-for"] = before === undefined ? address : `${String(before)}, ${address}`;
  headers["x-forwarded-proto"] ??= "http";
  delete headers[PREVIEW_HEADER];
  // The proxy has answered it.
  delete headers.expect;
  withoutPreviewCookie(headers);
}

/** For a request that is no WebSocket: another protocol is never offered to an instance. */
export function dropUpgrade({ headers }: IncomingMessage): void {
  if (headers.upgrade === undefined) return;
  for (const name of ["upgrade", "http2-settings", "connection"]) delete headers[name];
}

function withoutPreviewCookie(headers: IncomingHttpHeaders): void {
  if (headers.cookie?.includes(PREVIEW_COOKIE) !== true) return;
  const cookies = headers.cookie.split(";").map((each) => each.trim());
  const kept = cookies.filter((each) => !each.startsWith(`${PREVIEW_COOKIE}=`));
  if (kept.length > 0) headers.cookie = kept.join("; ");
  else delete headers.cookie;
}

/** An IPv4 client of a socket for both families has an IPv6 address. */
export function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
}
