/** Checks the access to Azure: log in, run commands on the machines, read the artifact store. */
import * as z from "zod/mini";
import { azureNames, blobHost, RELEASES_CONTAINER } from "../../../configuration/azure/azure-names";
import type { AzureEnvironment } from "../../../configuration/environment";
import { cdktfCommand } from "../../project/cdktf-command";
import { failed, firstLine, ok } from "./check";
import type { Check, Finding } from "./check";
import { authorization, defaultAccess, MANAGEMENT } from "./azure-access";
import type { AzureAccess } from "./azure-access";
import { findRunCommands } from "./run-commands";

const AZURE_SECONDS = 40;
/** The states are read meanwhile. */
const STATES_SECONDS = 130;
const STORAGE = "https://storage.azure.com";
const RUN_COMMAND = "Microsoft.Compute/virtualMachines/runCommands/write";
const LOG_IN =
  "log in (`az login`), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret, certificate or federated token";

/** @param known the ids of run commands in the states; null if these can't be read. */
export function azureChecks(
  environment: AzureEnvironment,
  access = defaultAccess(environment),
  known: Promise<readonly string[] | null> = Promise.resolve(null),
): Check[] {
  const check = (name: string, run: Check["run"]): Check => ({ name, seconds: AZURE_SECONDS, run });
  return [
    check("credentials", async () => {
      try {
        await access.token(MANAGEMENT);
        return ok(`a token of tenant ${environment.platform.tenantId}`);
      } catch (error) {
        const { name, message } = error as Error;
        const none = name === "AggregateAuthenticationError" || message.startsWith("ChainedToken");
        return failed(
          none ? "not logged in: found no variables, managed identity or `az login`" : firstLine(message),
          LOG_IN,
        );
      }
    }),
    check("rights", () => findRights(environment, access)),
    check("artifact store", () => findStore(environment, access)),
    {
      name: "run commands",
      seconds: AZURE_SECONDS + STATES_SECONDS,
      async run() {
        const headers = await authorization(access, MANAGEMENT);
        if (headers === null) return failed("not logged in", LOG_IN);
        return findRunCommands(environment, access, headers, await known);
      },
    },
  ];
}

const Permissions = z.object({
  value: z.array(z.object({ actions: z.array(z.string()), notActions: z._default(z.array(z.string()), []) })),
});
type Permission = z.infer<typeof Permissions>["value"][number];

/** Whether a role allows the action. `notActions` exclude it from that role only; another role may allow it. */
export function allows(permissions: readonly Permission[], action: string): boolean {
  const covers = (pattern: string): boolean =>
    new RegExp(
      `^${pattern
        .split("*")
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
        .join(".*")}$`,
      "i",
    ).test(action);
  return permissions.some(({ actions, notActions }) => actions.some(covers) && !notActions.some(covers));
}

async function findRights(environment: AzureEnvironment, access: AzureAccess): Promise<Finding> {
  const { resourceGroup } = azureNames(environment);
  const group = `/subscriptions/${environment.platform.subscriptionId}/resourceGroups/${resourceGroup}`;
  const headers = await authorization(access, MANAGEMENT);
  if (headers === null) return failed("not logged in", LOG_IN);
  const { status, text } = await access.get(
    `${MANAGEMENT}${group}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01`,
    headers,
  );
  if (status === 404)
    return failed(`${resourceGroup} does not exist`, `\`${cdktfCommand("deploy base")}\` creates it`);
  const role = `get a role with ${RUN_COMMAND} on ${resourceGroup} (docs/azure.md, section 2)`;
  if (status !== 200) return failed(`${resourceGroup} answers ${status}`, role);
  const permissions = z.safeParse(Permissions, JSON.parse(text));
  if (!permissions.success)
    return failed("Azure's answer has an unknown format", "try again with a newer version");
  return allows(permissions.data.value, RUN_COMMAND)
    ? ok(`you may run commands on the machines of ${resourceGroup}`)
    : failed(`you may not run commands on the machines of ${resourceGroup}`, role);
}

async function findStore(environment: AzureEnvironment, access: AzureAccess): Promise<Finding> {
  const host = blobHost(environment);
  const headers = await authorization(access, STORAGE);
  if (headers === null) return failed("not logged in", LOG_IN);
  const { status, text } = await access.get(
    `https://${host}/${RELEASES_CONTAINER}?restype=container&comp=list&maxresults=1`,
    { ...headers, "x-ms-version": "2021-08-06" },
  );
  if (status === 200) return ok(`${host}/${RELEASES_CONTAINER} can be read`);
  const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(text)?.[1];
  const answer = `${host} answers ${status}${code === undefined ? "" : ` (${code})`}`;
  if (status === 403)
    return failed(
      answer,
      "get the role Storage Blob Data Contributor there: platform.publishers lists the identities that may publish",
    );
  return failed(answer, `\`${cdktfCommand("deploy base")}\` creates the store`);
}
