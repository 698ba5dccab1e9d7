/**
 * What the load asks of an application, as data: which pages are read, what is posted, how an answer must look, and
 * where an acknowledged POST is looked for at the end. It is checked here, once, and then travels from the parent
 * (`load.ts`) to the process that sends the requests (`worker.ts`).
 */
import { z } from "zod";
import { HEADER_NAME, isOrigin } from "../../release/patterns";
import { InvalidInput } from "../../release/failure";
import { inOneLine } from "../../release/text";

const POST_SHARE = 0.2;
/** What the client itself decides about a request. */
const OWN_HEADERS = [
  "connection",
  "content-length",
  "cookie",
  "expect",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
];

const path = z
  .string()
  .regex(/^\/[\x21-\x7e]*$/, `must start with "/" and be printable ASCII without spaces`);

const HeaderName = z
  .string()
  .regex(HEADER_NAME, "must be a header name")
  .refine((name) => !OWN_HEADERS.includes(name.toLowerCase()), "is a header that the load sets itself");
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
  /** Scheme, host and port that users see, such as `http://127.0.0.1:8080`. */
  origin: z
    .url({ protocol: /^https?$/, error: "must be an http or https address", abort: true })
    .refine(isOrigin, "must be scheme, host and port only, as in https://www.example.com"),

  /** Requests that are due each second, GET and POST together. @default 150 */
  rate: z.number().positive().max(10_000).default(150),

  /** Simulated users; each request is made by one of them, picked at random. @default 100 */
  users: z.int().positive().max(100_000).default(100),

  /** The part of the users that keep their cookies, as browsers do, from 0 to 1. @default 0.5 */
  cookieKeepingWeight: z.number().min(0).max(1).default(0.5),

  /** The part of the requests that are POSTs, from 0 to 1. @default 0.2 where something is posted, else 0 */
  postShare: z.number().min(0).max(1).optional(),

  /** Most connections open at once; more requests wait inside the worker, their latency running. @default 256 */
  connections: z.int().positive().default(256),

  /** A request without a whole answer this long after it was due has failed. @default 10000 */
  timeLimitMs: z.int().positive().max(3_600_000).default(10_000),

  /** A request that becomes due while this many are under way is not sent and has failed. @default 1000 */
  inFlightCap: z.int().positive().default(1_000),

  /**
   * Sent with every request, such as a fixed `host` for an origin that is an address. Names in lower case.
   * @default none but the client's own
   */
  headers: z
    .record(HeaderName, HeaderValue)
    .transform((headers) =>
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    )
    .default({}),

  /**
   * The response header that names the release; null for an application that names none: then no answer is checked
   * for it, and no versions are counted.
   * @default "x-release-id"
   */
  releaseHeader: z.string().regex(HEADER_NAME, "must be a header name").nullable().default("x-release-id"),

  /** Regular expression that the header's whole value must match. @default one word of at most 100 characters */
  releasePattern: z
    .string()
    .refine(isPattern, "must be a regular expression")
    .default("^[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}$"),

  /** The pages that are read, each as often as the others. */
  gets: z
    .array(
      z.strictObject({
        path,
        /** @default 200 */
        status: z.int().default(200),
        /** Text that the answer's body must contain. @default any body will do */
        bodyIncludes: z.string().optional(),
      }),
    )
    .min(1),

  /** What is posted, as JSON. An answer with this status and an id acknowledges it. @default nothing is */
  post: z
    .strictObject({
      path,
      /** The field of the posted JSON that holds a marker no other request has. */
      markerField: z.string().min(1),
      /** Further fields of the posted JSON. @default none */
      body: z.record(z.string(), z.unknown()).default({}),
      /** @default 201 */
      status: z.int().default(201),
      /** The field of the answer's JSON that holds the id. @default "id" */
      idField: z.string().min(1).default("id"),
    })
    .optional(),

  /** Where an acknowledged POST is looked for at the end. Needed where something is posted. */
  find: z
    .strictObject({
      /** With `:id` where the id goes, such as `/api/goals/:id`. */
      path: path.refine((text) => text.includes(":id"), "must contain :id"),
      /** @default 200 */
      status: z.int().default(200),
      /**
       * Whether the body must contain the marker that was posted. Without it another row that got the same id, in a
       * database that was created anew, counts as found.
       * @default true
       */
      includesMarker: z.boolean().default(true),
    })
    .optional(),
});

export const loadPlanSchema = fields
  .refine(({ post, postShare }) => post !== undefined || (postShare ?? 0) === 0, {
    path: ["postShare"],
    error: "must be left out or 0 where there is no 'post'",
  })
  .refine(({ post, find }) => (post === undefined) === (find === undefined), {
    path: ["find"],
    error: "belongs to 'post': a plan has both or neither",
  })
  .transform((plan) => ({
    ...plan,
    postShare: plan.postShare ?? (plan.post === undefined ? 0 : POST_SHARE),
  }));

/** A plan as it is written: whatever has a default may be left out. */
export type LoadPlanInput = z.input<typeof loadPlanSchema>;

/** A plan with every default filled in. */
export type LoadPlan = z.output<typeof loadPlanSchema>;

/**
 * Fills in the defaults.
 * @throws InvalidInput one line that names the fields of a plan that cannot be run.
 */
export const parseLoadPlan = (input: unknown): LoadPlan => {
  const parsed = loadPlanSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const complaints = parsed.error.issues.map((issue) => {
    const message =
      issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return issue.path.length === 0 ? message : `'${issue.path.join(".")}': ${message}`;
  });
  throw new InvalidInput(`the load cannot be run: ${inOneLine(complaints.join("; "))}`);
};
