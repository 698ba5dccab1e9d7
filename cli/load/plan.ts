/**
 * What the load of a rehearsal asks of an application, as data: which pages are read, what is posted, how an answer must
 * look, and where an acknowledged POST is looked for at the end. It is checked here, once, and then travels from the
 * parent (`load.ts`) to the process that sends the requests (`worker.ts`).
 */
import { z } from "zod";

const path = z.string().startsWith("/");

const isPattern = (text: string): boolean => {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
};

export const loadPlanSchema = z.strictObject({
  /** Scheme, host and port that users see, such as `http://127.0.0.1:8080`. */
  origin: z.url({ protocol: /^https?$/, error: "must be an http or https address" }),

  /** Requests that are due each second, GET and POST together. @default 150 */
  rate: z.number().positive().max(10_000).default(150),

  /** Simulated users; each request is made by one of them, picked at random. @default 100 */
  users: z.int().positive().max(100_000).default(100),

  /** The part of the users that keep their cookies, as browsers do, from 0 to 1. @default 0.5 */
  cookieKeepingShare: z.number().min(0).max(1).default(0.5),

  /** The part of the requests that are POSTs, from 0 to 1. @default 0.2 */
  postShare: z.number().min(0).max(1).default(0.2),

  /** Most connections open at once; more requests wait inside the worker, their latency running. @default 256 */
  connections: z.int().positive().default(256),

  /** A request without a whole answer this long after it was due has failed. @default 10000 */
  timeLimitMs: z.number().positive().default(10_000),

  /** A request that becomes due while this many are under way is not sent and has failed. @default 1000 */
  inFlightCap: z.int().positive().default(1_000),

  /** The response header that names the release. @default "x-release-id" */
  releaseHeader: z.string().min(1).default("x-release-id"),

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

  /** What is posted, as JSON. An answer with this status and an id acknowledges it. */
  post: z.strictObject({
    path,
    /** The field of the posted JSON that holds a marker no other request has. */
    markerField: z.string().min(1),
    /** Further fields of the posted JSON. @default none */
    body: z.record(z.string(), z.unknown()).default({}),
    /** @default 201 */
    status: z.int().default(201),
    /** The field of the answer's JSON that holds the id. @default "id" */
    idField: z.string().min(1).default("id"),
  }),

  /** Where an acknowledged POST is looked for at the end. */
  find: z.strictObject({
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
  }),
});

/** A plan as it is written: whatever has a default may be left out. */
export type LoadPlanInput = z.input<typeof loadPlanSchema>;

/** A plan with every default filled in. */
export type LoadPlan = z.output<typeof loadPlanSchema>;

/** Fills in the defaults. Refuses a plan that cannot be run, with one line that names the fields. */
export const parseLoadPlan = (input: LoadPlanInput): LoadPlan => {
  const parsed = loadPlanSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const complaints = parsed.error.issues.map((issue) => `'${issue.path.join(".")}': ${issue.message}`);
  throw new Error(`the load cannot be run: ${complaints.join("; ")}`);
};
