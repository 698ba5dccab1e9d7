/** Which secrets of the environment's Key Vault each kind of machine fetches: its identity may read these and no others. */
import type { Role } from "./azure-names";
import type { AzurePlatform } from "./azure-platform";

/** Roles that need none have no right on the vault. A certificate's key is the secret of its name. */
export function secretsByRole({
  webServers,
  iis,
  tlsCertificate,
  database,
}: AzurePlatform): ReadonlyMap<Role, readonly string[]> {
  const site = webServers.os === "windows" ? [iis?.connectionString?.secret, iis?.machineKeySecret] : [];
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
