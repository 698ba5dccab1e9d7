/** The balancers in front whose X-Forwarded headers are kept, and the client's address that they report. */
import { BlockList, isIP } from "node:net";

/** Proxies whose rules can't loop look through a chain of so many trusted balancers. */
export const MOST_BALANCERS = 4;

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

  /**
   * The last address that no trusted balancer added: who sent the request. What is before a text that is no address may be
   * the client's invention: then the client is the balancer that reported it.
   * @param peer who sent the request to the proxy
   * @param forwardedFor all of the request's X-Forwarded-For
   */
  clientOf(peer: string, forwardedFor: string): string {
    let client = peer;
    for (const reported of forwardedFor.split(",").reverse()) {
      if (!this.include(client)) break;
      const address = withoutPort(reported.trim());
      if (isIP(address) === 0) break;
      client = address;
    }
    return client;
  }
}

/** Azure's Application Gateway adds a port; then IPv6 has brackets. */
function withoutPort(reported: string): string {
  return isIP(reported) === 0 ? reported.replace(/^\[?(.*?)\]?(:\d+)?$/, "$1") : reported;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
