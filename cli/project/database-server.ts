/** The server on which base creates the local platform's database, from this process's environment variables. */
import { databaseOnServer, NO_SQL_SERVER, SERVER_VARIABLE } from "../../release/migrations/database-address";
import type { Dialect } from "../../release/migrations/sql-text";
import type { Environment } from "../../configuration/environment";
import { databaseDialect, isLocal } from "../../configuration/platform";
import { InvalidInput } from "../../release/failure";

/** @returns the variable that names it; null if base starts its own PostgreSQL, or there is no database. */
export function databaseServer(environment: Environment): string | null {
  const dialect = databaseDialect(environment);
  return dialect === null || !isLocal(environment) ? null : serverFor(dialect);
}

/**
 * @returns the variable that names it; null if it is not set and not required.
 * @throws InvalidInput if its value is not an address, or is missing for SQL Server.
 */
export function serverFor(dialect: Dialect): string | null {
  const variable = SERVER_VARIABLE[dialect];
  const address = process.env[variable] ?? "";
  if (address !== "") {
    databaseOnServer(address, "any", dialect);
    return variable;
  }
  if (dialect === "mssql") throw new InvalidInput(NO_SQL_SERVER);
  return null;
}
