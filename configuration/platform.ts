/** What kind of place an environment is. */
import type { Dialect } from "../release/migrations/sql-text";
import { InvalidInput } from "../release/failure";
import type { AzureEnvironment, Environment, LocalEnvironment } from "./environment";
import type { DeploymentEnvironment, CustomEnvironment } from "./custom-environment";

/** Whether the machines are somebody else's, and what is on them was said in code. */
export function isCustom(environment: DeploymentEnvironment): environment is CustomEnvironment {
  return environment.platform.kind === "custom";
}

export function isLocal(environment: Environment): environment is LocalEnvironment {
  return environment.platform.kind === "local";
}

/** @throws InvalidInput if something is asked of Azure that only servers on this machine can do. */
export function requireLocal(environment: Environment, what: string): LocalEnvironment {
  if (isLocal(environment)) return environment;
  throw new InvalidInput(`${what} is for environments on this machine; "${environment.name}" is on Azure`);
}

/** The dialect of the environment's database; null if it has none, and releases carry no migrations. */
export function databaseDialect({ platform }: Pick<Environment, "platform">): Dialect | null {
  if (platform.database === undefined) return null;
  return platform.kind === "local" ? platform.database : "mssql";
}

/** Whether instances are sites of IIS, which starts them itself. */
export function usesIis({ platform }: Pick<Environment, "platform">): boolean {
  return platform.kind === "azure" && platform.webServers.os === "windows";
}

/** @throws Error if a construct of one platform is given an environment of the other. */
export function requireAzure(environment: Environment): AzureEnvironment {
  if (environment.platform.kind === "azure") return environment as AzureEnvironment;
  throw new Error(`"${environment.name}" is no Azure environment`);
}
