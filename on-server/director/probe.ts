/** Probes an endpoint: is it a healthy instance of exactly this release? */
import type { HttpExchange } from "../../configuration/http-exchange";
import type { InstanceProtocol } from "../../configuration/http-settings";
import type { Endpoint } from "../../configuration/naming";
import type { Verification } from "../../configuration/verification";
import { ask, mismatch } from "./exchange";
import type { Answer, Place } from "./exchange";
import { referred } from "./referred";

export interface Probe {
  readonly healthy: boolean;
  /** The release that the answer names; null if none. */
  readonly releaseId: string | null;
  /** What was wrong, as text; empty if nothing was. */
  readonly problem: string;
  /** How long the answer took to begin; null if there was none. */
  readonly milliseconds: number | null;
}

export type ProbeEndpoint = (place: Place, expected: string | null) => Promise<Probe>;

/** Sends a request that the environment defines. */
export type TryExchange = (
  endpoint: Endpoint,
  exchange: HttpExchange,
) => Promise<Pick<Probe, "problem" | "milliseconds">>;

/** @param expected the release id that the answer must name; null: any. */
export function httpProbe(verification: Verification, protocol: InstanceProtocol): ProbeEndpoint {
  const { path, releaseHeader } = verification;
  return async (place, expected) => {
    let answer: Answer;
    try {
      answer = await ask(place, { method: "GET", path, headers: {} }, { ...verification, protocol });
    } catch (error) {
      return { healthy: false, releaseId: null, problem: (error as Error).message, milliseconds: null };
    }
    const releaseId = namedRelease(answer, releaseHeader, expected);
    const other = expected !== null && releaseId !== expected;
    const problem =
      mismatch(answer, verification) ||
      (answer.isCut ? "answers with more than 1 MiB" : "") ||
      (other ? `answers as ${releaseId ?? "no release"}, not ${expected}` : "");
    return { healthy: problem === "", releaseId, problem, milliseconds: answer.milliseconds };
  };
}

export function httpTry(verification: Verification, protocol: InstanceProtocol): TryExchange {
  return async (endpoint, exchange) => {
    const what = `${exchange.method} ${exchange.path}`;
    try {
      const answer = await ask(endpoint, withSecrets(exchange), { ...verification, protocol });
      const problem = mismatch(answer, exchange);
      return { problem: problem && `${what}: ${problem}`, milliseconds: answer.milliseconds };
    } catch (error) {
      return { problem: `${what}: ${(error as Error).message}`, milliseconds: null };
    }
  };
}

/** Only while it is sent, so that no file and no message has them. */
function withSecrets(exchange: HttpExchange): HttpExchange {
  const { headers, body } = exchange;
  return {
    ...exchange,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, referred(value)])),
    body: body && referred(body),
  };
}

function namedRelease(
  { headers, body }: Answer,
  releaseHeader: string | null,
  expected: string | null,
): string | null {
  if (releaseHeader !== null) {
    const value = headers[releaseHeader.toLowerCase()];
    return typeof value === "string" ? value : null;
  }
  if (expected === null) return /[0-9A-Za-z][0-9A-Za-z.-]*-[0-9]+/.exec(body)?.[0] ?? null;
  return names(body, expected) ? expected : null;
}

/** The same rule as the installers': __tests__/on-server/judgement/answers.json. A dot may end a sentence. */
function names(body: string, releaseId: string): boolean {
  const id = releaseId.replaceAll(".", "\\.");
  return new RegExp(`(^|[^0-9A-Za-z._-])${id}($|[^0-9A-Za-z._-]|\\.($|[^0-9A-Za-z]))`).test(body);
}
