/** One HTTP request to an instance, and the answer that counts as success. */
import * as z from "zod/mini";
import { FROM_ENVIRONMENT, HEADER_NAME, HTTP_PATH, matches, pattern } from "../release/patterns";
import { quote } from "../release/text";

const reference = z.refine<string>((text) => !text.startsWith("env:") || FROM_ENVIRONMENT.test(text), {
  error: (issue) =>
    `${quote(issue.input)} is not the name of an environment variable, as in "env:SHOP_TOKEN"`,
});

const HeaderName = z.string().check(z.regex(HEADER_NAME));
const HeaderValue = z.string().check(
  z.maxLength(1_000),
  z.refine((text) => /^[\x20-\x7e]*$/.test(text), { error: () => "printable ASCII only" }),
  reference,
);

/** What an answer must match. Redirects are not followed. */
export const Expectation = {
  /** @default 200 */
  status: z._default(z.int().check(z.minimum(100), z.maximum(599)), 200),
  /** A regular expression that the body must match somewhere. @default any body */
  bodyPattern: z.optional(pattern),
  /** Regular expressions by header name; each must match somewhere. @default any headers */
  headerPatterns: z._default(z.record(HeaderName, pattern), {}),
};

export const HttpExchange = z.strictObject({
  /** @default "GET" */
  method: z._default(z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]), "GET"),
  path: matches(HTTP_PATH, "HTTP path"),
  /** A value, or "env:NAME" for that variable of the director's environment. @default none but Host */
  headers: z._default(z.record(HeaderName, HeaderValue), {}),
  /** A text, or "env:NAME". @default none */
  body: z.optional(z.string().check(z.maxLength(10_000), reference)),
  ...Expectation,
});
export type HttpExchange = z.infer<typeof HttpExchange>;

/**
 * Notifies an application that its slot became live, or is no longer live, for schedulers and queue consumers that must
 * only run in one release. Sent to every endpoint, possibly more than once, so it must be idempotent. Instances start
 * deactivated.
 */
export const Activation = z.strictObject({ activate: HttpExchange, deactivate: HttpExchange });
export type Activation = z.infer<typeof Activation>;
