/** Checks the run commands that Azure keeps on the servers: those that no state knows, and the limit. */
import * as z from "zod/mini";
import { virtualMachineId } from "../../../configuration/azure/azure-names";
import { judgeRunCommands, MOST_RUN_COMMANDS } from "../../../configuration/azure/run-commands";
import type { ServerCommands } from "../../../configuration/azure/run-commands";
import type { AzureEnvironment } from "../../../configuration/environment";
import { OPERATIONS_SERVER, proxyPlaces, serverPlaces } from "../../../configuration/naming";
import { MANAGEMENT } from "./azure-access";
import type { AzureAccess } from "./azure-access";
import { failed, ok, warning } from "./check";
import type { Finding } from "./check";

const Commands = z.object({
  value: z.array(z.object({ id: z.string() })),
  nextLink: z.optional(z.nullable(z.string())),
});

/** @param known the ids in the states of base and web; null if these can't be read. */
export async function findRunCommands(
  environment: AzureEnvironment,
  access: AzureAccess,
  headers: Readonly<Record<string, string>>,
  known: readonly string[] | null,
): Promise<Finding> {
  const names = [
    ...serverPlaces(environment).map(({ name }) => name),
    ...proxyPlaces(environment).map(({ name }) => name),
    OPERATIONS_SERVER,
  ];
  const servers: ServerCommands[] = [];
  for (const server of names) {
    const listed = await list(virtualMachineId(environment, server), access, headers);
    if ("problem" in listed) return warning(`${server}: ${listed.problem}`, "see the check of rights");
    servers.push({ server, ids: listed.ids });
  }
  const most = Math.max(0, ...servers.map(({ ids }) => ids.length));
  const total = `at most ${most} of ${MOST_RUN_COMMANDS} on a server`;
  // Without the states nothing is known to be left over; the limit is.
  const findings = judgeRunCommands(servers, known ?? servers.flatMap(({ ids }) => ids));
  if (findings.length === 0)
    return ok(known === null ? `${total}; not compared with the states` : `${total}, all in the states`);
  const found = findings.map((finding) => finding.found).join("; ");
  const mend = findings.map((finding) => finding.mend).join("; ");
  return (findings.some(({ isFull }) => isFull) ? failed : warning)(found, mend);
}

async function list(
  machine: string,
  access: AzureAccess,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly ids: readonly string[] } | { readonly problem: string }> {
  const ids: string[] = [];
  let url: string | undefined = `${MANAGEMENT}${machine}/runCommands?api-version=2024-07-01`;
  while (url !== undefined) {
    const { status, text } = await access.get(url, headers);
    // Not created yet.
    if (status === 404) return { ids };
    if (status !== 200) return { problem: `Azure answers ${status} to the list of run commands` };
    const read = z.safeParse(Commands, JSON.parse(text));
    if (!read.success) return { problem: "the list of run commands has an unknown format" };
    ids.push(...read.data.value.map(({ id }) => id));
    const next: string | null | undefined = read.data.nextLink;
    // The token is for this host only.
    url = next?.startsWith(`${MANAGEMENT}/`) === true && ids.length < 1000 ? next : undefined;
  }
  return { ids };
}
