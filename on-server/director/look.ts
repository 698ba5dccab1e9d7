/**
 * What a page answers, as its users would notice it: the class of the status, the kind of its content, and whether it is
 * empty. Two releases are asked in the same way: as a browser asks through the proxy, without cookies.
 */
import type { InstanceProtocol } from "../../configuration/http-settings";
import type { Endpoint } from "../../configuration/naming";
import type { DirectorSpec } from "../../configuration/director-spec";
import { authenticatesConnection } from "../../configuration/connection-authentication";
import { ask } from "./exchange";

export interface Look {
  /** null: no answer. */
  readonly status: number | null;
  /** The content type without parameters, or its first part where formats change without a difference for users. */
  readonly kind: string;
  readonly isEmpty: boolean;
  /** Why there was no answer; else empty. */
  readonly problem: string;
  /** Whether it asks for the authentication of a connection, as NTLM is. @default false */
  readonly authenticatesConnection?: boolean;
}

export type LookAt = (endpoint: Endpoint, path: string, timeoutSeconds: number) => Promise<Look>;

const BROWSERS_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const CONTENT_TYPE = /^[a-z0-9.+-]{1,60}\/[a-z0-9.+-]{1,60}$/;
/** Names of one kind. */
const ALIASES: Readonly<Record<string, string>> = {
  "application/javascript": "text/javascript",
  "application/x-javascript": "text/javascript",
  "text/xml": "application/xml",
};
const MEDIA = ["image", "font", "audio", "video"];

export function httpLook(
  { verification, proxy }: Pick<DirectorSpec, "verification" | "proxy">,
  protocol: InstanceProtocol,
): LookAt {
  const { host } = verification;
  // Many applications redirect what does not seem to come by HTTPS. A trusted balancer usually ends it.
  const scheme = proxy.tls !== null || proxy.http.trusted.length > 0 ? "https" : "http";
  const headers = { accept: BROWSERS_ACCEPT, "x-forwarded-proto": scheme };
  return async (endpoint, path, timeoutSeconds) => {
    try {
      const question = { method: "GET", path, headers } as const;
      const options = { host, timeoutSeconds, protocol, beginningSuffices: true };
      const { status, headers: answered, body } = await ask(endpoint, question, options);
      return {
        ...{ status, kind: kindOf(answered["content-type"]), isEmpty: body.trim() === "", problem: "" },
        authenticatesConnection: authenticatesConnection(answered["www-authenticate"]),
      };
    } catch (error) {
      return { status: null, kind: "", isEmpty: true, problem: (error as Error).message };
    }
  };
}

export function kindOf(contentType: string | undefined): string {
  const type = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  if (!CONTENT_TYPE.test(type)) return "";
  const [family] = type.split("/") as [string];
  return MEDIA.includes(family) ? family : (ALIASES[type] ?? type);
}

/** Whether an application may have failed by chance: it says nothing about the page. */
export function isFailure({ status }: Look): boolean {
  return status === null || status >= 500;
}

/** What a redirect or an error page has as its content does not matter: frameworks change it, and users don't read it. */
export function agree(one: Look, other: Look): boolean {
  if (isFailure(one) || isFailure(other)) return false;
  const [first, second] = [one, other].map(({ status }) => Math.floor(status! / 100));
  if (first !== second) return false;
  return first !== 2 || (one.isEmpty === other.isEmpty && (one.isEmpty || one.kind === other.kind));
}

/** As in `200 text/html` or `404`. */
export function describeLook({ status, kind, isEmpty, problem }: Look): string {
  if (status === null) return `no answer (${problem})`;
  if (status >= 300) return String(status);
  return `${status} ${isEmpty ? "empty" : kind || "without a content type"}`;
}
