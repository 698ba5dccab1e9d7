/** Which secrets of the environment's Key Vault each kind of machine fetches: its identity may read these and no others. */
import type { AzureEnvironment } from "../environment";
import { usesIis } from "../platform";
import type { Role } from "./azure-names";

/** Roles that need none have no right on the vault. A certificate's key is the secret of its name. */
export function secretsByRole(environment: AzureEnvironment): ReadonlyMap<Role, readonly string[]> {
  const { iis, tlsCertificate, database } = environment.platform;
  const site = usesIis(environment) ? [iis?.connectionString?.secret, iis?.machineKeySecret] : [];
  const all: readonly (readonly [Role, readonly (string | undefined)[]])[] = [
    ["web", site],
    ["proxy", [tlsCertificate]],
    ["operations", [database?.authentication === "sql" ? database.migrationSecret : undefined]],
  ];
  return new Map(
    all
      .map(([role, secrets]) => [role, [...new Set(secrets.filter((name) => name !== undefined))]] as const)
      .filter(([, secrets]) => secrets.length > 0),
  );
}
