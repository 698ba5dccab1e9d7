/** Sends one request to an endpoint, over HTTP/1.1 or HTTP/2, and checks the answer. */
import { request as plainRequest } from "node:http";
import { connect, constants } from "node:http2";
import type { IncomingHttpHeaders } from "node:http2";
import { request as tlsRequest } from "node:https";
import { isIPv6 } from "node:net";
import type { Readable } from "node:stream";
import type { HttpExchange } from "../../configuration/http-exchange";
import type { InstanceProtocol } from "../../configuration/http-settings";
import type { Endpoint } from "../../configuration/naming";
import type { Verification } from "../../configuration/verification";

export interface Answer {
  readonly status: number;
  /** With the trailers: gRPC has its status there, or in the headers of an answer without a body. */
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
export interface RequestOptions extends Pick<Verification, "host" | "timeoutSeconds"> {
  readonly protocol: InstanceProtocol;
  /**
   * Whether a body that goes on after BODY_LIMIT, or after the time limit, need not be read: a download, or a stream of
   * events. @default false
   */
  readonly beginningSuffices?: boolean;
}

/** Where to ask: an instance, or the proxy's port for users, which takes HTTP/1.1 whatever instances speak. */
export interface Place extends Endpoint {
  readonly entrance?: "http" | "https";
}

/** The installers read as much. */
const BODY_LIMIT = 1024 * 1024;

/** @throws Error if there was no complete answer in time, with a short cause. */
export async function ask(
  place: Place,
  question: Question,
  { host, timeoutSeconds, protocol, beginningSuffices = false }: RequestOptions,
): Promise<Answer> {
  const headers = {
    ...(host === undefined ? {} : { host }),
    ...lengthOf(question.body),
    ...question.headers,
  };
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  const send = protocol === "http2" && place.entrance === undefined ? sendOverHttp2 : sendOverHttp1;
  try {
    return await send(place, { ...question, headers }, { signal, beginningSuffices });
  } catch (error) {
    if (signal.aborted) throw new Error(`no answer within ${timeoutSeconds} s`);
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === "ERR_HTTP2_ERROR" ? "its answer is not HTTP/2" : (code ?? message));
  }
}

interface Limits {
  readonly signal: AbortSignal;
  readonly beginningSuffices: boolean;
}

function sendOverHttp1(place: Place, question: Question, limits: Limits): Promise<Answer> {
  const { signal } = limits;
  const { method, path, headers, body } = question;
  const { host, port } = place;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const options = { host, port, method, path, headers, agent: false, signal };
    const sent =
      place.entrance === "https"
        ? tlsRequest({ ...options, ...tlsOptions(headers["host"]) })
        : plainRequest(options);
    sent.on("response", (response) => {
      const milliseconds = performance.now() - started;
      const answered = () =>
        resolve({
          status: response.statusCode!,
          headers: { ...response.trailers, ...response.headers },
          ...beginning(),
          milliseconds,
        });
      const beginning = beginningOf(response, limits, () => {
        answered();
        sent.destroy();
      });
      response.on("error", reject);
      response.on("end", answered);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** With prior knowledge: without TLS there is no negotiation. */
function sendOverHttp2(endpoint: Endpoint, question: Question, limits: Limits): Promise<Answer> {
  const { signal } = limits;
  const { method, path, body } = question;
  const { host, ...headers } = lowerCase(question.headers);
  const address = isIPv6(endpoint.host) ? `[${endpoint.host}]` : endpoint.host;
  const started = performance.now();
  const session = connect(`http://${address}:${endpoint.port}`);
  const asked = new Promise<Answer>((resolve, reject) => {
    session.on("error", reject);
    const authority = host === undefined ? {} : { [constants.HTTP2_HEADER_AUTHORITY]: host };
    const stream = session.request(
      {
        [constants.HTTP2_HEADER_METHOD]: method,
        [constants.HTTP2_HEADER_PATH]: path,
        ...authority,
        ...headers,
      },
      { signal },
    );
    let answered: Omit<Answer, "body" | "isCut"> | undefined;
    let trailers: IncomingHttpHeaders = {};
    const beginning = beginningOf(stream, limits, () => {
      if (answered !== undefined) resolve({ ...answered, ...beginning() });
    });
    stream.on("response", (received) => {
      const status = Number(received[constants.HTTP2_HEADER_STATUS]);
      answered = { status, headers: received, milliseconds: performance.now() - started };
    });
    stream.on("trailers", (received) => (trailers = received));
    // If the connection fails, Node cancels the stream and has the cause here.
    stream.on("error", (error: Error) => reject(error.cause ?? error));
    stream.on("close", () => {
      // If the connection ends in the middle, Node ends the stream without an error: only the code reports it.
      if (answered === undefined || stream.rstCode !== constants.NGHTTP2_NO_ERROR)
        return reject(new Error("no complete answer"));
      resolve({ ...answered, headers: { ...trailers, ...answered.headers }, ...beginning() });
    });
    stream.end(body);
  });
  return asked.finally(() => session.destroy());
}

/**
 * Reads the stream to its end.
 * @param enough is called once the rest need not be read.
 * @returns a function that returns what it began with.
 */
function beginningOf(
  stream: Readable,
  { signal, beginningSuffices }: Limits,
  enough: () => void,
): () => Pick<Answer, "body" | "isCut"> {
  let body = "";
  let bytes = 0;
  if (beginningSuffices) signal.addEventListener("abort", enough);
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    if (bytes <= BODY_LIMIT) body += chunk;
    bytes += Buffer.byteLength(chunk);
    if (beginningSuffices && bytes > BODY_LIMIT) enough();
  });
  return () => ({ body, isCut: bytes > BODY_LIMIT });
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

/** The proxy's certificate names the site, not this address. Whether it is valid is another check's question. */
function tlsOptions(host: string | undefined) {
  return { rejectUnauthorized: false, ...(host !== undefined && { servername: host.replace(/:\d+$/, "") }) };
}

function lengthOf(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
}

/** As HTTP/2 requires it. */
function lowerCase(headers: Question["headers"]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
