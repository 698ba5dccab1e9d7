/** The server on which base makes the local platform's database, as the environment of this process names it. */
import { databaseOnServer, NO_SQL_SERVER, SERVER_VARIABLE } from "../../release/migrations/database-address";
import type { Dialect } from "../../release/migrations/sql-text";
import type { Environment } from "../../configuration/environment";
import { databaseDialect, isLocal } from "../../configuration/platform";
import { InvalidInput } from "../../release/failure";

/** @returns the variable that names it; null where base makes a PostgreSQL of its own, or there is no database. */
export function databaseServer(environment: Environment): string | null {
  const dialect = databaseDialect(environment);
  return dialect === null || !isLocal(environment) ? null : serverFor(dialect);
}

/**
 * @returns the variable that names it; null where none does, and none has to.
 * @throws InvalidInput where it is no address, or a SQL Server is wanted and not named: before anything is made.
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
