/**
 * Secrets in the requests that an environment file defines. As text they are in git, in the synthesized stacks and in the
 * proxy's stored spec; a reference "env:NAME" is in none of these.
 */
import type { Environment } from "./environment";
import type { HttpExchange } from "./http-exchange";
import { InvalidInput } from "../release/failure";

type Requests = Pick<Environment, "verification" | "activation" | "hooks">;

interface Value {
  /** Its place in the environment file. */
  readonly field: string;
  /** Of the header; null for a body. */
  readonly header: string | null;
  readonly text: string;
}

const SECRET_HEADER = /^(proxy-)?authorization$|^cookie$|api-?key|token|secret|password/i;

function isReference({ text }: Value): boolean {
  return text.startsWith("env:");
}

/** What the director sends. */
function valuesOf({ verification, activation }: Requests): Value[] {
  const requests: (readonly [string, HttpExchange])[] = [
    ...verification.smoke.map((request, index) => [`verification.smoke.${index}`, request] as const),
    ...(activation === undefined
      ? []
      : [
          ["activation.activate", activation.activate] as const,
          ["activation.deactivate", activation.deactivate] as const,
        ]),
  ];
  return requests.flatMap(([field, { headers, body }]) => [
    ...headerValues(field, headers),
    ...(body === undefined ? [] : [{ field: `${field}.body`, header: null, text: body }]),
  ]);
}

function headerValues(field: string, headers: Readonly<Record<string, string>>): Value[] {
  return Object.entries(headers).map(([header, text]) => ({
    field: `${field}.headers.${header}`,
    header,
    text,
  }));
}

/** The fields of headers whose names promise a secret, and that have it as text. */
export function plainSecrets(environment: Requests): string[] {
  const { hooks = [] } = environment;
  const all = [
    ...valuesOf(environment),
    ...hooks.flatMap(({ headers = {} }, index) => headerValues(`hooks.${index}`, headers)),
  ];
  return all
    .filter((value) => !isReference(value) && value.header !== null && SECRET_HEADER.test(value.header))
    .map(({ field }) => field);
}

/** @throws InvalidInput for machines whose programs get no environment from the command. */
export function refuseReferences(environment: Requests): void {
  const found = valuesOf(environment).find(isReference);
  if (found === undefined) return;
  throw new InvalidInput(
    `${found.field} is "${found.text}", but proxies on Azure have no such environment variable: check a page that needs no secret, or send this request from a hook`,
  );
}
