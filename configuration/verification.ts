/** How proxies and servers verify that an endpoint serves exactly this release. */
import * as z from "zod/mini";
import { Expectation, HttpExchange } from "./http-exchange";
import { HEADER_NAME, HOST_NAME, HTTP_PATH, matches } from "../release/patterns";

/** Seconds with millisecond precision. */
const seconds = (minimum: number, maximum: number) =>
  z.number().check(
    z.minimum(minimum),
    z.maximum(maximum),
    z.refine((value) => /^\d+(\.\d{1,3})?$/.test(String(value)), { error: () => "at most three decimals" }),
  );

export const wholeSeconds = (minimum: number, maximum: number) =>
  z.int().check(z.minimum(minimum), z.maximum(maximum));

export const Verification = z.strictObject({
  /** The path requested on every endpoint. @default "/health" */
  path: z._default(matches(HTTP_PATH, "HTTP path"), "/health"),
  ...Expectation,
  /** The only healthy status; redirects are not followed. @default 200 */
  status: z._default(z.int().check(z.minimum(200), z.maximum(599)), 200),
  /** The Host header, usually the public host name. @default the endpoint's own address */
  host: z.optional(matches(HOST_NAME, "host name")),
  /** The header with the release id; null: the id must be in the body. @default "x-release-id" */
  releaseHeader: z._default(z.nullable(matches(HEADER_NAME, "header name")), "x-release-id"),
  /** Required successes in a row, on each endpoint. @default 3 */
  successes: z._default(z.int().check(z.minimum(1), z.maximum(100)), 3),
  /** Pause between two requests to an endpoint. @default 1 */
  intervalSeconds: z._default(seconds(0.01, 60), 1),
  /** Time limit of one request. @default 5 */
  timeoutSeconds: z._default(seconds(0.1, 60), 5),
  /** The candidate is rejected after this time without enough successes. @default 60 */
  deadlineSeconds: z._default(wholeSeconds(1, 3600), 60),
  /** Requests to every healthy endpoint, in this order, with the same host and time limit. @default none */
  smoke: z._default(z.array(HttpExchange).check(z.maxLength(50)), []),
});
export type Verification = z.infer<typeof Verification>;
