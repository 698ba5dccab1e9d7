/** A request as a user sent it: only a WebSocket is an upgrade, and every target has the origin's form. */
import { IncomingMessage } from "node:http";

export class UserRequest extends IncomingMessage {
  private asksForUpgrade = false;

  /**
   * Node detaches the connection of a request with this flag from HTTP. So it is set only for WebSockets; `Upgrade: h2c`,
   * for example, is an ordinary request.
   */
  get upgrade(): boolean {
    if (!this.asksForUpgrade) return false;
    return this.method === "CONNECT" || (this.method === "GET" && isWebSocket(this.headers.upgrade));
  }

  set upgrade(asked: boolean) {
    this.asksForUpgrade = asked;
  }
}

/** The target without scheme and host: `GET http://site/path` is allowed, too. */
export function originForm(target: string): string {
  const [, path] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [target, target];
  return path!.startsWith("/") ? path! : `/${path}`;
}

function isWebSocket(upgrade: string | undefined): boolean {
  return upgrade?.toLowerCase() === "websocket";
}
