/**
 * The plan of a load, as data: the pages to read, what to post, what answers must contain, and where to find an
 * acknowledged POST at the end. It is checked here once, then sent from the parent (`load.ts`) to the process that sends
 * the requests (`worker.ts`).
 */
import { z } from "zod";
import { HEADER_NAME, isOrigin } from "../../release/patterns";
import { InvalidInput } from "../../release/failure";
import { inOneLine } from "../../release/text";
import { formSchema, RequestPath } from "./form-plan";

const POST_SHARE = 0.2;
/** Headers that the client sets. */
const CLIENT_HEADERS = [
  "connection",
  "content-length",
  "cookie",
  "expect",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
];

const HeaderName = z
  .string()
  .regex(HEADER_NAME, "must be a header name")
  .refine((name) => !CLIENT_HEADERS.includes(name.toLowerCase()), "is a header that the load sets itself");
const HeaderValue = z.string().regex(/^[\x20-\x7e]{0,1000}$/, "must be printable ASCII");

const isPattern = (text: string): boolean => {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
};

const fields = z.strictObject({
  /** Scheme, host and port that users reach, such as `http://127.0.0.1:8080`. */
  origin: z
    .url({ protocol: /^https?$/, error: "must be an http or https address", abort: true })
    .refine(isOrigin, "must be scheme, host and port only, as in https://www.example.com"),

  /** Requests per second, GET and POST together. @default 150 */
  rate: z.number().positive().max(10_000).default(150),

  /** Simulated users; a random one makes each request. @default 100 */
  users: z.int().positive().max(100_000).default(100),

  /** The part of the users that keep their cookies, as browsers do, from 0 to 1. @default 0.5 */
  cookieKeepingWeight: z.number().min(0).max(1).default(0.5),

  /** How long a user sends requests before another one replaces it, from half of it to one and a half. @default - users stay */
  visitSeconds: z.number().positive().max(86_400).optional(),

  /**
   * Whether each user has its own address in X-Forwarded-For, as users behind a balancer do. For proxies that trust this
   * machine as a balancer; others ignore it. @default false
   */
  reportsAddresses: z.boolean().default(false),

  /** The part of the requests that are POSTs, from 0 to 1. @default 0.2 with `post`, otherwise 0 */
  postShare: z.number().min(0).max(1).optional(),

  /** The most open connections; further requests wait in the worker, and their latency counts. @default 256 */
  connections: z.int().positive().default(256),

  /** A request fails without a whole answer this long after its due time. @default 10000 */
  timeLimitMs: z.int().positive().max(3_600_000).default(10_000),

  /** A request that becomes due while this many are in flight fails without being sent. @default 1000 */
  inFlightCap: z.int().positive().default(1_000),

  /**
   * Sent with every request, such as a fixed `host` for an origin that is an address. Names in lower case.
   * @default only the client's
   */
  headers: z
    .record(HeaderName, HeaderValue)
    .transform((headers) =>
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    )
    .default({}),

  /**
   * The response header that names the release. null for an application without one: answers are not checked for it, and
   * versions are not counted.
   * @default "x-release-id"
   */
  releaseHeader: z.string().regex(HEADER_NAME, "must be a header name").nullable().default("x-release-id"),

  /** Regular expression that the header's whole value must match. @default one word of at most 100 characters */
  releasePattern: z
    .string()
    .refine(isPattern, "must be a regular expression")
    .default("^[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}$"),

  /** The pages to read, each equally often. */
  gets: z
    .array(
      z.strictObject({
        path: RequestPath,
        /** @default 200 */
        status: z.int().default(200),
        /** Text that the answer's body must contain. @default - the body is not checked */
        bodyIncludes: z.string().optional(),
      }),
    )
    .min(1),

  /** What to post, as JSON. An answer with this status and an id acknowledges it. @default - no POSTs */
  post: z
    .strictObject({
      path: RequestPath,
      /** The field of the posted JSON for a unique marker. */
      markerField: z.string().min(1),
      /** Further fields of the posted JSON. @default none */
      body: z.record(z.string(), z.unknown()).default({}),
      /** @default 201 */
      status: z.int().default(201),
      /** The field of the answer's JSON with the id. @default "id" */
      idField: z.string().min(1).default("id"),
    })
    .optional(),

  /** Where to find an acknowledged POST at the end. Required with `post`. */
  find: z
    .strictObject({
      /** With `:id` for the id, such as `/api/goals/:id`. */
      path: RequestPath.refine((text) => text.includes(":id"), "must contain :id"),
      /** @default 200 */
      status: z.int().default(200),
      /**
       * Whether the body must contain the posted marker. Without it, another row with the same id in a recreated database
       * counts as found.
       * @default true
       */
      includesMarker: z.boolean().default(true),
    })
    .optional(),

  /** A form of several steps, whose users are counted by whether they lost their session. Its requests are part of the rate. */
  form: formSchema.optional(),
});

export const loadPlanSchema = fields
  .refine(({ post, postShare }) => post !== undefined || (postShare ?? 0) === 0, {
    path: ["postShare"],
    error: "must be left out or 0 without 'post'",
  })
  .refine(({ post, find }) => (post === undefined) === (find === undefined), {
    path: ["find"],
    error: "belongs to 'post': set both or neither",
  })
  .refine(
    ({ form, find }) =>
      form?.acknowledges !== true || (find !== undefined && form.steps.at(-1)?.location !== undefined),
    { path: ["form", "acknowledges"], error: "needs 'find', and 'location' in the last step" },
  )
  .transform((plan) => ({
    ...plan,
    postShare: plan.postShare ?? (plan.post === undefined ? 0 : POST_SHARE),
  }));

/** A plan as written: fields with a default are optional. */
export type LoadPlanInput = z.input<typeof loadPlanSchema>;

/** A plan with every default filled in. */
export type LoadPlan = z.output<typeof loadPlanSchema>;

/**
 * Adds the defaults.
 * @throws InvalidInput one line naming the invalid fields.
 */
export const parseLoadPlan = (input: unknown): LoadPlan => {
  const parsed = loadPlanSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const message =
      issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return issue.path.length === 0 ? message : `'${issue.path.join(".")}': ${message}`;
  });
  throw new InvalidInput(`the load cannot be run: ${inOneLine(problems.join("; "))}`);
};
