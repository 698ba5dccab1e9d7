/** Chooses the next request from the plan, and checks its answer. Pure. */
import type { Outcome } from "./account";
import type { FailureKind } from "./messages";
import type { LoadPlan } from "./plan";

/** The status, header and text that an answer must have. */
interface Expectation {
  readonly status: number;
  /** null if the application names no release. */
  readonly releaseHeader: string | null;
  readonly bodyIncludes?: string | undefined;
}

export interface LoadRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly expect: Expectation;
  /** POST only: a unique text. */
  readonly marker?: string;
  /** POST only: the JSON. */
  readonly body?: string;
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

/** The id in an answer that acknowledges a POST; undefined for another status, no JSON or no id. */
export const acknowledgedId = ({ post }: LoadPlan, answer: Answer): string | undefined => {
  if (post === undefined || answer.status !== post.status) return undefined;
  try {
    const json: unknown = JSON.parse(answer.body);
    if (typeof json !== "object" || json === null) return undefined;
    const id = (json as Record<string, unknown>)[post.idField];
    return (typeof id === "string" && id !== "") || typeof id === "number" ? String(id) : undefined;
  } catch {
    return undefined;
  }
};

/** Checks an answer: the status, then the release id, then the body. */
export const judge = (
  plan: LoadPlan,
  releasePattern: RegExp,
  request: LoadRequest,
  answer: Answer,
): Outcome => {
  const { releaseHeader } = request.expect;
  const header = releaseHeader === null ? undefined : answer.headers[releaseHeader];
  const wellFormed = typeof header === "string" && releasePattern.test(header);
  const failure = ((): FailureKind | null => {
    if (answer.status !== request.expect.status) return `status ${answer.status}`;
    if (releaseHeader !== null && header === undefined) return "release id missing";
    if (releaseHeader !== null && !wellFormed) return "release id malformed";
    if (!answer.body.includes(request.expect.bodyIncludes ?? "")) return "body";
    if (request.method === "POST" && acknowledgedId(plan, answer) === undefined) return "body";
    return null;
  })();
  return { failure, status: answer.status, code: null, releaseId: wellFormed ? header : null };
};
