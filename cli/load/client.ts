/**
 * The HTTP client of the load: keep-alive connections with one request at a time. Nothing hides a failure: no retry, no
 * redirect, no pipelining.
 */
import { Pool } from "undici";
import type { LoadPlan } from "./plan";
import type { Answer } from "./request";

export class LoadClient {
  readonly #pool: Pool;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(plan: LoadPlan) {
    this.#headers = { "user-agent": "bluegreen-load", ...plan.headers };
    this.#pool = new Pool(plan.origin, {
      connections: plan.connections,
      pipelining: 1,
      connect: { timeout: plan.timeLimitMs },
      // The time limit counts from the due time, so the caller's signal enforces it.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Sends a request once and reads the whole answer. Rejects with the connection's error. */
  async send(request: {
    readonly method: "GET" | "POST";
    readonly path: string;
    readonly body?: string | undefined;
    /** @default "application/json" */
    readonly contentType?: string | undefined;
    readonly cookie?: string | undefined;
    readonly forwardedFor?: string | undefined;
    readonly signal: AbortSignal;
  }): Promise<Answer> {
    const headers: Record<string, string> = { ...this.#headers };
    if (request.cookie !== undefined) headers["cookie"] = request.cookie;
    if (request.forwardedFor !== undefined) headers["x-forwarded-for"] = request.forwardedFor;
    if (request.body !== undefined) headers["content-type"] = request.contentType ?? "application/json";
    const response = await this.#pool.request({
      method: request.method,
      path: request.path,
      headers,
      body: request.body ?? null,
      signal: request.signal,
    });
    const body = await response.body.text();
    return { status: response.statusCode, headers: response.headers, body };
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** The short name of a failed connection, such as ECONNREFUSED. */
export const errorCode = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
};
