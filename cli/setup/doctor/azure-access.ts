/** Requests to Azure with the login of this machine. */
import type { AzureEnvironment } from "../../../configuration/environment";

const REQUEST_MS = 20_000;
export const MANAGEMENT = "https://management.azure.com";

/** Sends requests to Azure; tests replace it. */
export interface AzureAccess {
  /** @param resource that the token is for. @throws Error if you are not logged in. */
  token(resource: string): Promise<string>;
  get(url: string, headers: Readonly<Record<string, string>>): Promise<{ status: number; text: string }>;
}

/** Uses a pipeline's variables, a managed identity, or `az login`. */
export function defaultAccess({ platform }: AzureEnvironment): AzureAccess {
  return {
    async token(resource) {
      const { DefaultAzureCredential } = await import("@azure/identity");
      const credential = new DefaultAzureCredential({ tenantId: platform.tenantId });
      return (await credential.getToken(`${resource}/.default`)).token;
    },
    async get(url, headers) {
      const answer = await fetch(url, { headers, signal: AbortSignal.timeout(REQUEST_MS) });
      return { status: answer.status, text: await answer.text() };
    },
  };
}

/** @returns null if you are not logged in. */
export async function authorization(
  access: AzureAccess,
  resource: string,
): Promise<Record<string, string> | null> {
  try {
    return { authorization: `Bearer ${await access.token(resource)}` };
  } catch {
    return null;
  }
}
