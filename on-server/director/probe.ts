/** Asks one endpoint once: does it answer as a healthy instance of exactly this release? */
import { request } from "node:http";
import type { Endpoint } from "../../release/naming";
import type { Verification } from "../../release/verification";

interface Probe {
  readonly healthy: boolean;
  /** The release that the answer names; null where none does. */
  readonly releaseId: string | null;
  /** What was wrong, for a person. */
  readonly problem: string;
}

export type ProbeEndpoint = (endpoint: Endpoint, expected: string | null) => Promise<Probe>;

const BODY_LIMIT = 256 * 1024;

/** @param expected the release id that the answer shall carry; null: whichever it names. */
export function httpProbe(verification: Verification): ProbeEndpoint {
  return (endpoint, expected) =>
    new Promise((resolve) => {
      const { path, status, host, releaseHeader, timeoutSeconds } = verification;
      const failed = (problem: string): void => resolve({ healthy: false, releaseId: null, problem });
      const signal = AbortSignal.timeout(timeoutSeconds * 1000);
      const options = { host: endpoint.host, port: endpoint.port, path, agent: false as const, signal };
      const headers = host === undefined ? {} : { host };
      const asked = request({ ...options, headers }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (body.length < BODY_LIMIT ? (body += chunk) : undefined));
        response.on("error", (error) => failed(error.message));
        response.on("end", () => {
          const releaseId = namedRelease(response.headers, body, releaseHeader, expected);
          const problem =
            response.statusCode !== status
              ? `answers ${response.statusCode}, not ${status}`
              : expected !== null && releaseId !== expected
                ? `says it is ${releaseId ?? "no release"}, not ${expected}`
                : "";
          resolve({ healthy: problem === "", releaseId, problem });
        });
      });
      asked.on("error", (error: NodeJS.ErrnoException) =>
        failed(signal.aborted ? `no answer within ${timeoutSeconds} s` : (error.code ?? error.message)),
      );
      asked.end();
    });
}

function namedRelease(
  headers: NodeJS.Dict<string | string[]>,
  body: string,
  releaseHeader: string | null,
  expected: string | null,
): string | null {
  if (releaseHeader !== null) {
    const value = headers[releaseHeader.toLowerCase()];
    return typeof value === "string" ? value : null;
  }
  if (expected === null) return /[0-9A-Za-z][0-9A-Za-z.-]*-[0-9]+/.exec(body)?.[0] ?? null;
  return body.split(/[^0-9A-Za-z.-]+/).includes(expected) ? expected : null;
}
