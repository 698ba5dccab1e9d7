/** Affinity in the embedded proxy: the server that a client stays on, and the cookie by which it is recognized. */
import type { IncomingHttpHeaders } from "node:http";
import { SERVER_COOKIE, serverAttributes } from "../../configuration/cookies";
import { serverTokens } from "../../configuration/sessions";
import type { ServerToken } from "../../configuration/sessions";
import type { Slot } from "../../release/slot";
import type { Traffic } from "../director/drivers/driver";
import type { EmbeddedProxySettings } from "../director/drivers/embedded/embedded-settings";
import { hasTls } from "./user-response";

const NAME = `${SERVER_COOKIE}=`;

export class Affinity {
  private tokens: ReadonlyMap<string, ServerToken> = new Map();

  constructor(
    private readonly sessions: NonNullable<EmbeddedProxySettings["sessions"]>,
    private readonly endpoints: EmbeddedProxySettings["endpoints"],
  ) {}

  /** The traffic names the releases whose clients stay; without them no token is valid. */
  follow({ sessions = { blue: null, green: null } }: Traffic): void {
    const valid = serverTokens({ ...this.sessions, endpoints: this.endpoints }, sessions);
    this.tokens = new Map(valid.map((each) => [each.token, each]));
  }

  /** @returns the server that the client has a valid token of; null if it has none, or several. */
  serverOf(cookies: string | undefined): ServerToken | null {
    return this.tokens.get(tokenIn(cookies) ?? "") ?? null;
  }

  /**
   * The cookie of an answer to `url`; null if it needs none. Where sessions drain, each answer renews it.
   * @param headers the request's, as the instance gets them: X-Forwarded-Proto is what a trusted balancer reports
   */
  cookieFor(slot: Slot, server: string, headers: IncomingHttpHeaders, url: string): string | null {
    const { seconds, withoutCookie } = this.sessions;
    if (withoutCookie.some((path) => url.startsWith(path))) return null;
    for (const { token, ...each } of this.tokens.values()) {
      if (each.slot !== slot || each.server !== server) continue;
      const isRight = seconds === undefined && tokenIn(headers.cookie) === token;
      return isRight ? null : `${NAME}${token}${serverAttributes(hasTls(headers), seconds)}`;
    }
    return null;
  }
}

function tokenIn(cookies: string | undefined): string | undefined {
  if (cookies?.includes(NAME) !== true) return undefined;
  const found = cookies
    .split(";")
    .map((each) => each.trim())
    .filter((each) => each.startsWith(NAME));
  return found.length === 1 ? found[0]!.slice(NAME.length) : undefined;
}
