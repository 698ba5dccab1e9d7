/** Chooses the next request from the plan, and checks its answer. Pure. */
import type { Outcome } from "./account";
import type { FailureKind } from "./messages";
import type { FormPlan } from "./form-plan";
import type { LoadPlan } from "./plan";

/** The status, header and text that an answer must have. */
interface Expectation {
  readonly status: number;
  /** null if the application names no release. */
  readonly releaseHeader: string | null;
  readonly bodyIncludes?: string | undefined;
  /** How the Location begins. */
  readonly location?: string | undefined;
  /** Instead of all that: the application does not know the session. */
  readonly lost?: FormPlan["lost"];
}

export interface LoadRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly expect: Expectation;
  /** A unique text in what the answer acknowledges. */
  readonly marker?: string;
  /** POST only. */
  readonly body?: string;
  /** POST only. @default "application/json" */
  readonly contentType?: string;
}

/** A whole answer, its body read to the end. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Picks request number `count` of a run. `random` returns numbers from 0 to below 1. */
export const nextRequest = (
  plan: LoadPlan,
  runId: string,
  count: number,
  random: () => number,
): LoadRequest => {
  const releaseHeader = plan.releaseHeader?.toLowerCase() ?? null;
  const { post } = plan;
  if (post !== undefined && random() < plan.postShare) {
    // With the final dot, no marker is a prefix of another.
    const marker = `${runId}.${count}.`;
    return {
      method: "POST",
      path: post.path,
      expect: { status: post.status, releaseHeader },
      marker,
      body: JSON.stringify({ ...post.body, [post.markerField]: marker }),
    };
  }
  const get = plan.gets[Math.floor(random() * plan.gets.length)];
  if (get === undefined) throw new Error("the plan has no GETs");
  const { path, status, bodyIncludes } = get;
  return { method: "GET", path, expect: { status, releaseHeader, bodyIncludes } };
};

/** A Location as path and query, with or without the origin; undefined if there is none. */
const locationOf = ({ origin }: Pick<LoadPlan, "origin">, { headers }: Answer): string | undefined => {
  const { location } = headers;
  if (typeof location !== "string" || !URL.canParse(location, origin)) return undefined;
  const { pathname, search, origin: target } = new URL(location, origin);
  return target === new URL(origin).origin ? `${pathname}${search}` : location;
};

/** Whether the application does not know the user's session any more. */
const isLost = (plan: LoadPlan, { expect: { lost } }: LoadRequest, answer: Answer): boolean =>
  answer.status === lost?.status &&
  (locationOf(plan, answer) ?? "").startsWith(lost.location ?? "") &&
  answer.body.includes(lost.bodyIncludes ?? "");

/** The id in an answer that acknowledges a request; undefined for another answer, or one without an id. */
export const acknowledgedId = (plan: LoadPlan, request: LoadRequest, answer: Answer): string | undefined => {
  const { marker, expect } = request;
  if (marker === undefined || answer.status !== expect.status || isLost(plan, request, answer))
    return undefined;
  try {
    if (expect.location !== undefined) {
      const location = locationOf(plan, answer) ?? "";
      if (!location.startsWith(expect.location) || location === expect.location) return undefined;
      return decodeURIComponent(location.slice(expect.location.length));
    }
    const json: unknown = JSON.parse(answer.body);
    if (typeof json !== "object" || json === null) return undefined;
    const id = (json as Record<string, unknown>)[plan.post?.idField ?? ""];
    return (typeof id === "string" && id !== "") || typeof id === "number" ? String(id) : undefined;
  } catch {
    return undefined;
  }
};

/** Checks an answer: the status, then the release id, the Location and the body. */
export const judge = (
  plan: LoadPlan,
  releasePattern: RegExp,
  request: LoadRequest,
  answer: Answer,
): Outcome => {
  const { releaseHeader, status, location = "", bodyIncludes = "" } = request.expect;
  const header = releaseHeader === null ? undefined : answer.headers[releaseHeader];
  const wellFormed = typeof header === "string" && releasePattern.test(header);
  const lost = isLost(plan, request, answer);
  const failure = ((): FailureKind | null => {
    if (!lost && answer.status !== status) return `status ${answer.status}`;
    if (releaseHeader !== null && header === undefined) return "release id missing";
    if (releaseHeader !== null && !wellFormed) return "release id malformed";
    if (lost) return null;
    if (!(locationOf(plan, answer) ?? "").startsWith(location)) return "location";
    if (!answer.body.includes(bodyIncludes)) return "body";
    if (request.marker !== undefined && acknowledgedId(plan, request, answer) === undefined) return "body";
    return null;
  })();
  const releaseId = wellFormed ? header : null;
  return { failure, status: answer.status, code: null, releaseId, isLost: lost && failure === null };
};
