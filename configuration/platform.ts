/** What kind of place an environment is. */
import type { Dialect } from "../release/migrations/sql-text";
import { InvalidInput } from "../release/failure";
import type { AzureEnvironment, Environment, LocalEnvironment } from "./environment";
import type { DeploymentEnvironment, CustomEnvironment } from "./custom-environment";

/** Whether the environment is on existing machines, described in code. */
export function isCustom(environment: DeploymentEnvironment): environment is CustomEnvironment {
  return environment.platform.kind === "custom";
}

export function isLocal(environment: Environment): environment is LocalEnvironment {
  return environment.platform.kind === "local";
}

/** @throws InvalidInput if the environment is on Azure. */
export function requireLocal(environment: Environment, what: string): LocalEnvironment {
  if (isLocal(environment)) return environment;
  throw new InvalidInput(
    `${what} is only for environments on this machine; "${environment.name}" is on Azure`,
  );
}

/** The dialect of the environment's database; null without a database, and so without migrations. */
export function databaseDialect({ platform }: Pick<Environment, "platform">): Dialect | null {
  if (platform.database === undefined) return null;
  return platform.kind === "local" ? platform.database : "mssql";
}

/** Whether instances are IIS sites, which IIS starts itself. */
export function usesIis({ platform }: Pick<Environment, "platform">): boolean {
  return platform.kind === "azure" && platform.webServers.os === "windows";
}

/** @throws Error if the environment is not on Azure. */
export function requireAzure(environment: Environment): AzureEnvironment {
  if (environment.platform.kind === "azure") return environment as AzureEnvironment;
  throw new Error(`"${environment.name}" is not an Azure environment`);
}
