/**
 * A simulated user. With cookies it stays on the slot of a canary's sticky cookie, as a browser does; without, every
 * request is from a new user.
 */
import { parseCookie } from "undici";

interface KeptCookie {
  readonly pair: string;
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

const pathOf = (requestPath: string): string => requestPath.split("?")[0] ?? "/";

/** RFC 6265, section 5.1.4, without the domain: there is only one origin. */
const covers = (cookiePath: string, path: string): boolean =>
  path === cookiePath || path.startsWith(cookiePath.endsWith("/") ? cookiePath : `${cookiePath}/`);

export class SimulatedUser {
  readonly #cookies = new Map<string, KeptCookie>();

  constructor(private readonly keepsCookies: boolean) {}

  /** The `cookie` header for a request; undefined without cookies to send. */
  cookieHeader(requestPath: string, now: number): string | undefined {
    if (this.#cookies.size === 0) return undefined;
    const path = pathOf(requestPath);
    const pairs: string[] = [];
    for (const [key, cookie] of this.#cookies) {
      if (cookie.expires <= now) this.#cookies.delete(key);
      else if (covers(cookie.path, path)) pairs.push(cookie.pair);
    }
    return pairs.length === 0 ? undefined : pairs.join("; ");
  }

  /** Stores the `set-cookie` headers of an answer; deletes expired cookies. */
  receive(setCookies: readonly string[], requestPath: string, now: number): void {
    if (!this.keepsCookies) return;
    for (const header of setCookies) {
      const cookie = parseCookie(header);
      if (cookie === null) continue;
      const folder = pathOf(requestPath).replace(/\/[^/]*$/, "") || "/";
      const path = cookie.path?.startsWith("/") ? cookie.path : folder;
      const expires =
        cookie.maxAge !== undefined ? now + cookie.maxAge * 1000 : Number(cookie.expires ?? Infinity);
      const key = `${cookie.name};${path}`;
      if (expires <= now) this.#cookies.delete(key);
      // From the header itself, because the parser may decode the value.
      else this.#cookies.set(key, { pair: (header.split(";")[0] ?? "").trim(), path, expires });
    }
  }
}
