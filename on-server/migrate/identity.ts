/** Tokens of the machine's managed identity, as Azure's instance metadata service gives them out. */
import { setTimeout as sleep } from "node:timers/promises";

/** The service's own address; another one is for tests. */
const METADATA = "http://169.254.169.254";
const ATTEMPTS = 8;

export async function accessToken(resource: string, identity: string): Promise<string> {
  const url = new URL("/metadata/identity/oauth2/token", process.env["IMDS_ENDPOINT"] ?? METADATA);
  url.search = new URLSearchParams({
    "api-version": "2018-02-01",
    resource,
    msi_res_id: identity,
  }).toString();
  const { access_token: token } = await patiently(
    () => fetch(url, { headers: { Metadata: "true" }, signal: AbortSignal.timeout(10_000) }),
    (answer) => answer.json() as Promise<{ access_token?: string }>,
  );
  if (token === undefined) throw new Error(`the metadata service gave no token for ${resource}`);
  return token;
}

/** The value of a Key Vault's secret, in its newest version. */
export async function secretValue(vault: string, secret: string, identity: string): Promise<string> {
  const token = await accessToken("https://vault.azure.net", identity);
  const { value } = await patiently(
    () =>
      fetch(`https://${vault}/secrets/${secret}?api-version=7.4`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(30_000),
      }),
    (answer) => answer.json() as Promise<{ value: string }>,
  );
  return value;
}

/** A fresh role assignment takes minutes to be known everywhere, and the metadata service may be busy. */
export async function patiently<Body>(
  request: () => Promise<Response>,
  read: (answer: Response) => Promise<Body>,
): Promise<Body> {
  for (let attempt = 1, pause = 1_000; ; attempt += 1, pause = Math.min(60_000, pause * 2)) {
    let said: string;
    try {
      const answer = await request();
      // What is cut off within its body is asked for again as well.
      if (answer.ok) return await read(answer);
      said = `${new URL(answer.url).host} answered ${answer.status}`;
      if (![403, 404, 408, 410, 429].includes(answer.status) && answer.status < 500)
        throw new OutOfReach(said);
    } catch (error) {
      if (error instanceof OutOfReach) throw error;
      said =
        error instanceof Error
          ? `${error.message} ${(error.cause as Error | undefined)?.message ?? ""}`
          : String(error);
    }
    if (attempt === ATTEMPTS) throw new OutOfReach(`${said.trim()}, ${ATTEMPTS} times`);
    process.stderr.write(`migrate: ${said.trim()}; again in ${pause / 1000} s\n`);
    await sleep(pause);
  }
}

/** The metadata service, Key Vault or the store of artifacts did not answer as it should, however often it was asked. */
export class OutOfReach extends Error {}
