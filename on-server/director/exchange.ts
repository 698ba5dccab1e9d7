/** Sends one request to an endpoint, and checks the answer. */
import { request as plainRequest } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { request as tlsRequest } from "node:https";
import type { HttpExchange } from "../../configuration/http-exchange";
import type { Endpoint } from "../../configuration/naming";
import type { Verification } from "../../configuration/verification";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Its beginning, up to BODY_LIMIT characters. */
  readonly body: string;
  /** Until the answer began. */
  readonly milliseconds: number;
}

type Question = Pick<HttpExchange, "method" | "path" | "headers" | "body">;
type Expectation = Pick<HttpExchange, "status" | "bodyPattern" | "headerPatterns">;

/** The same for all requests to an application's instances. */
export type RequestOptions = Pick<Verification, "host" | "timeoutSeconds">;

/** Where to ask: an instance, or the proxy's port for users. */
export interface Place extends Endpoint {
  /** @default false */
  readonly tls?: boolean;
}

const BODY_LIMIT = 256 * 1024;

/** @throws Error if there was no complete answer in time, with a short cause. */
export function ask(place: Place, question: Question, options: RequestOptions): Promise<Answer> {
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
    const asked = (place.tls === true ? tlsRequest : plainRequest)(
      {
        ...{ host: place.host, port: place.port, method, path, headers, agent: false, signal },
        // The proxy's certificate names the site, not this address; whether it is valid is another check's question.
        ...(place.tls === true && {
          rejectUnauthorized: false,
          ...(host !== undefined && { servername: nameIn(host) }),
        }),
      },
      (response) => {
        const milliseconds = performance.now() - started;
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text.length < BODY_LIMIT ? (text += chunk) : undefined));
        response.on("error", failed);
        response.on("end", () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: text, milliseconds }),
        );
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

/** A host without its port. */
function nameIn(host: string): string {
  return host.replace(/:\d+$/, "");
}

function lengthOf(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
}
