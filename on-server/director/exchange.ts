/** Sends one request to an endpoint, and checks the answer. */
import { request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { HttpExchange } from "../../configuration/http-exchange";
import type { Endpoint } from "../../configuration/naming";
import type { Verification } from "../../configuration/verification";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Its beginning, about BODY_LIMIT bytes. */
  readonly body: string;
  /** Whether the body goes on after BODY_LIMIT. */
  readonly isCut: boolean;
  /** Until the answer began. */
  readonly milliseconds: number;
}

type Question = Pick<HttpExchange, "method" | "path" | "headers" | "body">;
type Expectation = Pick<HttpExchange, "status" | "bodyPattern" | "headerPatterns">;

/** The same for all requests to an application's instances. */
export type RequestOptions = Pick<Verification, "host" | "timeoutSeconds">;

/** The installers read as much. */
const BODY_LIMIT = 1024 * 1024;

/** @throws Error if there was no complete answer in time, with a short cause. */
export function ask(endpoint: Endpoint, question: Question, options: RequestOptions): Promise<Answer> {
  const { method, path, body } = question;
  const { host, timeoutSeconds } = options;
  const headers = { ...(host === undefined ? {} : { host }), ...lengthOf(body), ...question.headers };
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void =>
      reject(
        new Error(signal.aborted ? `no answer within ${timeoutSeconds} s` : (error.code ?? error.message)),
      );
    const asked = request(
      { host: endpoint.host, port: endpoint.port, method, path, headers, agent: false, signal },
      (response) => {
        const milliseconds = performance.now() - started;
        let text = "";
        let bytes = 0;
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          if (bytes <= BODY_LIMIT) text += chunk;
          bytes += Buffer.byteLength(chunk);
        });
        response.on("error", failed);
        response.on("end", () => {
          const { statusCode: status, headers } = response;
          resolve({ status: status!, headers, body: text, isCut: bytes > BODY_LIMIT, milliseconds });
        });
      },
    );
    asked.on("error", failed);
    asked.end(body);
  });
}

/** @returns how an answer differs from the expected one, as text; empty if it does not. */
export function mismatch({ status, headers, body }: Answer, expected: Expectation): string {
  if (status !== expected.status) return `answers ${status}, not ${expected.status}`;
  if (expected.bodyPattern !== undefined && !new RegExp(expected.bodyPattern, "u").test(body)) {
    return `answers with a body that does not match ${expected.bodyPattern}`;
  }
  for (const [name, pattern] of Object.entries(expected.headerPatterns)) {
    const value = [headers[name.toLowerCase()] ?? ""].flat().join(", ");
    if (!new RegExp(pattern, "u").test(value)) return `answers with ${name} that does not match ${pattern}`;
  }
  return "";
}

function lengthOf(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
}
