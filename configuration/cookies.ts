/**
 * The proxies' cookies: names, attributes, and the answers that may carry them. Each driver writes the same rule in its
 * proxy's language, from the patterns here.
 */

/** A client's bucket, 0 to 99, in decimal digits. It names no release, so it never goes stale. */
export const BUCKET_COOKIE = "bluegreen-bucket";
/**
 * The server that the client stays on: a token (see sessions.ts). It ends with the browser's session; where sessions drain, some
 * time after the client's last answer.
 */
export const SERVER_COOKIE = "bluegreen-server";
/** The secret of a preview. The application gets neither it nor the header. */
export const PREVIEW_COOKIE = "bluegreen-preview";

const BUCKET_SECONDS = 30 * 24 * 60 * 60;

/** What follows a bucket cookie's value. @param secure whether users use TLS. */
export function bucketAttributes(secure: boolean): string {
  return `; Path=/; Max-Age=${BUCKET_SECONDS}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}

/**
 * The user's scheme, by which a trusted balancer in front reports TLS: X-Forwarded-Proto begins so, in any case. Some balancers
 * report a WebSocket's own scheme.
 */
export const SECURE_SCHEMES = ["https", "wss"] as const;

/**
 * What follows a server cookie's value. A login that returns with a cross-site POST must find its server, which browsers
 * allow only with TLS. @param secure whether users use TLS, which may end at a balancer (see SECURE_SCHEMES). @param seconds
 * after which the browser drops it
 */
export function serverAttributes(secure: boolean, seconds?: number): string {
  const ends = seconds === undefined ? "" : ` Max-Age=${seconds};`;
  return `; Path=/;${ends} HttpOnly; ${secure ? "SameSite=None; Secure" : "SameSite=Lax"}`;
}

/**
 * A shared cache would give a cookie to every user, or store nothing because of it. So answers that others may store get
 * no cookie: status 304, and those that {@link SHARED} or {@link EXPIRES_AHEAD} match while {@link NOT_SHARED} does not. All
 * other answers with a cookie get `Cache-Control: private` added, unless NOT_SHARED matches.
 *
 * The patterns are valid in JavaScript and in PCRE; compare without case.
 */
export const NOT_MODIFIED = 304;
/** For Cache-Control: only this user's own cache may store the answer, or none. */
export const NOT_SHARED = "(^|[,\\s])(private|no-store)([,=\\s]|$)";
/** For Cache-Control: a shared cache may store the answer. */
export const SHARED = '(^|[,\\s])(public([,\\s]|$)|s-maxage="?0*[1-9]|max-age="?0*[1-9])';
/** For Expires: a year from 2020 on. Proxies can't compare dates, and earlier years are the usual way to say "expired". */
export const EXPIRES_AHEAD = "\\s(20[2-9][0-9]|2[1-9][0-9][0-9])\\s";

/** Whether others than the user may store an answer: then it gets no cookie. */
export function isShareable(answer: {
  readonly status: number;
  readonly cacheControl: string | undefined;
  readonly expires: string | undefined;
}): boolean {
  const { status, cacheControl = "", expires = "" } = answer;
  if (status === NOT_MODIFIED) return true;
  if (isOnlyForUser(cacheControl)) return false;
  return new RegExp(SHARED, "i").test(cacheControl) || new RegExp(EXPIRES_AHEAD).test(expires);
}

/** The Cache-Control of an answer with a cookie. */
export function privateCacheControl(cacheControl: string | undefined): string {
  if (cacheControl === undefined || cacheControl === "") return "private";
  return isOnlyForUser(cacheControl) ? cacheControl : `${cacheControl}, private`;
}

function isOnlyForUser(cacheControl: string): boolean {
  return new RegExp(NOT_SHARED, "i").test(cacheControl);
}
