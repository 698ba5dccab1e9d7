/** Tokens of the machine's managed identity, from Azure's instance metadata service. */
import { setTimeout as sleep } from "node:timers/promises";
import { InvalidInput } from "../../release/failure";

/** The service's address; tests use another one. */
const METADATA = "http://169.254.169.254";
const ATTEMPTS = 8;
const REDIRECTED =
  "a redirect is not followed with a token, from http, to anything but https, or more than five times";

export async function accessToken(resource: string, identity: string): Promise<string> {
  const url = new URL("/metadata/identity/oauth2/token", process.env["IMDS_ENDPOINT"] ?? METADATA);
  url.search = new URLSearchParams({
    "api-version": "2018-02-01",
    resource,
    msi_res_id: identity,
  }).toString();
  const { access_token: token } = await patiently(
    () =>
      fetch(url, { headers: { Metadata: "true" }, redirect: "manual", signal: AbortSignal.timeout(10_000) }),
    (answer) => answer.json() as Promise<{ access_token?: string }>,
  );
  if (token === undefined) throw new Error(`the metadata service gave no token for ${resource}`);
  return token;
}

/** The newest value of a secret in Key Vault. */
export async function secretValue(vault: string, secret: string, identity: string): Promise<string> {
  const token = await accessToken("https://vault.azure.net", identity);
  const { value } = await patiently(
    () =>
      fetch(`https://${vault}/secrets/${secret}?api-version=7.4`, {
        headers: { authorization: `Bearer ${token}` },
        redirect: "manual",
        signal: AbortSignal.timeout(30_000),
      }),
    (answer) => answer.json() as Promise<{ value: string }>,
  );
  return value;
}

/** Retries: a new role assignment takes minutes to apply, and the metadata service may be busy. */
export async function patiently<Body>(
  request: () => Promise<Response>,
  read: (answer: Response) => Promise<Body>,
): Promise<Body> {
  for (let attempt = 1, pause = 1_000; ; attempt += 1, pause = Math.min(60_000, pause * 2)) {
    let problem: string;
    try {
      const answer = await request();
      // A body that is cut off is requested again, too.
      if (answer.ok) return await read(answer);
      const isRedirect = answer.status >= 300 && answer.status < 400;
      problem = `${new URL(answer.url).host} answered ${answer.status}${isRedirect ? `: ${REDIRECTED}` : ""}`;
      if (![403, 404, 408, 410, 429].includes(answer.status) && answer.status < 500)
        throw new OutOfReach(problem);
    } catch (error) {
      if (error instanceof OutOfReach || error instanceof InvalidInput) throw error;
      problem =
        error instanceof Error
          ? `${error.message} ${(error.cause as Error | undefined)?.message ?? ""}`
          : String(error);
    }
    if (attempt === ATTEMPTS) throw new OutOfReach(`${problem.trim()}, ${ATTEMPTS} times`);
    process.stderr.write(`migrate: ${problem.trim()}; retrying in ${pause / 1000} s\n`);
    await sleep(pause);
  }
}

/** The metadata service, Key Vault or the artifact store did not answer as expected, after all attempts. */
export class OutOfReach extends Error {}
