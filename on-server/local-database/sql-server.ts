/** A database of one's own on a SQL Server that is there already. */
import type { MssqlAddress } from "../../release/migrations/database-address";
import { MssqlSession } from "../migrate/databases/mssql-session";

/** Azure SQL's edition: it has no single-user mode, and needs none to drop a database. */
const AZURE_SQL = 5;

/**
 * Makes the database where it is missing, with the row versions that Azure SQL's have: who reads does not wait for who
 * writes. @param anew what is there under this name belonged to a data folder that is gone.
 */
export async function createSqlServerDatabase(
  server: MssqlAddress,
  name: string,
  anew: boolean,
): Promise<void> {
  const { user, password, ...login } = server;
  const session = await MssqlSession.open({
    ...login,
    authentication: () => Promise.resolve({ user, password }),
  });
  try {
    const quoted = `[${name.replaceAll("]", "]]")}]`;
    const isThere = async (): Promise<boolean> => {
      const [found] = await session.ask("SELECT DB_ID(@name) AS id", { name });
      return found !== undefined && found["id"] !== null;
    };
    // These take their time: the program's own time limit ends them.
    if (anew && (await isThere())) {
      await session.run(
        `IF CAST(SERVERPROPERTY('EngineEdition') AS int) <> ${AZURE_SQL} ALTER DATABASE ${quoted} SET SINGLE_USER WITH ROLLBACK IMMEDIATE`,
      );
      await session.run(`DROP DATABASE ${quoted}`);
    }
    if (await isThere()) return;
    await session.run(`CREATE DATABASE ${quoted}`);
    await session.run(`ALTER DATABASE ${quoted} SET READ_COMMITTED_SNAPSHOT ON`);
  } finally {
    await session.close();
  }
}
