/** Turns the errors of Azure's SDK into one line with a remedy. */
import { Failure } from "../../release/failure";
import { blobHost } from "../../configuration/azure/azure-names";
import type { AzureEnvironment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import { inOneLine } from "../../release/text";

interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly statusCode?: number;
  readonly errors?: readonly SdkError[];
  readonly response?: { readonly headers: { get(name: string): string | undefined } };
}

const LOG_IN =
  "log in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET as in a pipeline";
const NO_CREDENTIAL = [
  "CredentialUnavailableError",
  "AggregateAuthenticationError",
  "AuthenticationRequiredError",
];

/** As in "BlobNotFound". An answer to HEAD has no body; its code is in a header. */
export function codeOf(error: unknown): string {
  const { code, response } = error as SdkError;
  return code ?? response?.headers.get("x-ms-error-code") ?? "";
}

/** @returns null for other errors. */
export function refuseCredential(error: unknown): Failure | null {
  const { name, errors = [] } = error as SdkError;
  // A login that was tried and failed explains more than the ones that are not set up.
  const tried = [...errors, error as SdkError].find((each) => each.name === "AuthenticationError");
  if (tried !== undefined) {
    return new Failure(
      `Azure refused the login (${oneLine(tried.message)}): ${LOG_IN}; nothing was changed`,
      EXIT.refused,
    );
  }
  if (!NO_CREDENTIAL.includes(name)) return null;
  return new Failure(`not logged in to Azure: ${LOG_IN}; nothing was changed`, EXIT.refused);
}

/** @returns null for an unexpected error. */
export function refuseStorage(error: unknown, environment: AzureEnvironment): Failure | null {
  const { statusCode, message } = error as SdkError;
  const code = codeOf(error);
  const refused = (reason: string): Failure =>
    new Failure(`${blobHost(environment)} ${reason}; nothing was changed there`, EXIT.refused);
  const status = code === "" ? `(${statusCode})` : `(${statusCode} ${code})`;
  if (code === "ContainerNotFound") return refused(`has no container for releases: deploy base first`);
  if (code === "KeyBasedAuthenticationNotPermitted") {
    return refused("refuses account keys: unset AZURE_STORAGE_CONNECTION_STRING, and log in with `az login`");
  }
  if (code === "AuthorizationPermissionMismatch") {
    return refused(
      `denies you write access ${status}: add your object id to platform.publishers, then deploy base`,
    );
  }
  if (statusCode === 401 || code === "AuthenticationFailed")
    return refused(`does not accept your credential ${status}: ${LOG_IN}`);
  if (statusCode === 403) {
    return refused(
      `denies you access ${status}: it has no public endpoint, publish from inside its network (docs/azure.md)`,
    );
  }
  if (statusCode !== undefined) return refused(`answered ${statusCode}: ${oneLine(message)}`);
  if (/^E[A-Z_]+$/.test(code) || code === "REQUEST_SEND_ERROR") {
    return refused(`can't be reached (${oneLine(message)}): publish from inside its network (docs/azure.md)`);
  }
  return refuseCredential(error);
}

function oneLine(message: string): string {
  const line = inOneLine(message.split("\n")[0]!).trim();
  return line.length > 160 ? `${line.slice(0, 157)}...` : line;
}
