/**
 * The simulated users. With cookies one stays on the slot of a canary's sticky cookie, as a browser does; without, every
 * request is from a new user.
 */
import { parseCookie } from "undici";
import type { LoadPlan } from "./plan";

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

  /** @param address for X-Forwarded-For */
  constructor(
    private readonly keepsCookies: boolean,
    readonly address?: string,
  ) {}

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

interface Visit {
  readonly user: SimulatedUser;
  /** On the clock of `now`. */
  readonly endsAt: number;
}

/** Users come and go: as many as the plan has send its requests at any time. */
export class SimulatedUsers {
  readonly #visits: Visit[] = [];
  #count = 0;

  constructor(
    private readonly plan: Pick<
      LoadPlan,
      "users" | "cookieKeepingWeight" | "visitSeconds" | "reportsAddresses"
    >,
    private readonly random: () => number,
  ) {}

  /** A random one. @param now milliseconds of any clock */
  any(now: number): SimulatedUser {
    const { users, cookieKeepingWeight, visitSeconds = Infinity } = this.plan;
    const index = Math.floor(this.random() * users);
    let visit = this.#visits[index];
    if (visit === undefined || visit.endsAt <= now) {
      const user = this.newcomer(index < Math.ceil(users * cookieKeepingWeight));
      visit = { user, endsAt: now + between(visitSeconds, this.random) };
      this.#visits[index] = visit;
    }
    return visit.user;
  }

  newcomer(keepsCookies: boolean): SimulatedUser {
    this.#count += 1;
    return new SimulatedUser(keepsCookies, this.plan.reportsAddresses ? addressOf(this.#count) : undefined);
  }
}

/** In milliseconds, from half of the average to one and a half. */
export function between(averageSeconds: number, random: () => number): number {
  return 1000 * averageSeconds * (0.5 + random());
}

/** Private addresses, 10.0.0.1 and on. */
function addressOf(number: number): string {
  return ["10", ...[16, 8, 0].map((bits) => (number >> bits) & 255)].join(".");
}
