/** What an instance gets to see of a user's request besides what the user sent. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { PREVIEW_COOKIE } from "../../configuration/cookies";
import { PREVIEW_HEADER } from "../../configuration/preview";

/** The balancers in front, whose X-Forwarded headers are kept. */
export class TrustedBalancers {
  private readonly list = new BlockList();

  constructor(trusted: readonly string[]) {
    for (const range of trusted) {
      const [address = "", prefix] = range.split("/");
      if (prefix === undefined) this.list.addAddress(address, familyOf(address));
      else this.list.addSubnet(address, Number(prefix), familyOf(address));
    }
  }

  include(address: string): boolean {
    return isIP(address) !== 0 && this.list.check(address, familyOf(address));
  }

  /** The last address that no trusted balancer added: who sent the request. */
  clientOf(request: IncomingMessage): string {
    let client = addressOf(request);
    const added = String(request.headers["x-forwarded-for"] ?? "").split(",");
    for (const address of added.map((each) => each.trim()).reverse()) {
      if (!this.include(client) || address === "") break;
      client = address;
    }
    return client;
  }
}

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
function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
