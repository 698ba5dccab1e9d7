/**
 * Authentication of a connection instead of each request (NTLM, and Negotiate, as IIS does it for Windows users): what comes over
 * the connection afterwards is that user's. So a proxy must not share such a connection to an instance between clients.
 */

/** Matches an Authorization or WWW-Authenticate header. Valid in JavaScript and in PCRE; compare without case. */
export const CONNECTION_AUTHENTICATION = "(^|[,\\s])(ntlm|negotiate)([,\\s]|$)";

const PATTERN = new RegExp(CONNECTION_AUTHENTICATION, "i");

/** Whether a request or an answer has to do with it. @param header Authorization or WWW-Authenticate */
export function authenticatesConnection(header: string | readonly string[] | undefined): boolean {
  return header !== undefined && [header].flat().some((each) => PATTERN.test(each));
}
