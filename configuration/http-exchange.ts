/** One HTTP request to an instance, and the answer that counts as well. */
import * as z from "zod/mini";
import { HEADER_NAME, HTTP_PATH, matches, pattern } from "../release/patterns";

const HeaderName = z.string().check(z.regex(HEADER_NAME));
const HeaderValue = z.string().check(
  z.maxLength(1_000),
  z.refine((text) => /^[\x20-\x7e]*$/.test(text), { error: () => "printable ASCII only" }),
);

/** What an answer must be like. Redirects are answers, and are not followed. */
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
  /** @default none but Host */
  headers: z._default(z.record(HeaderName, HeaderValue), {}),
  body: z.optional(z.string().check(z.maxLength(10_000))),
  ...Expectation,
});
export type HttpExchange = z.infer<typeof HttpExchange>;

/**
 * Tells an application that its slot became, or stops being, the live one: for schedulers and queue consumers, of which
 * only one release's shall run. Sent to every endpoint; it may come more than once, so it must do no harm then. An
 * instance starts as not activated.
 */
export const Activation = z.strictObject({ activate: HttpExchange, deactivate: HttpExchange });
export type Activation = z.infer<typeof Activation>;
