/**
 * migrate create-database <name> [--anew]: creates a database on the SQL Server that MSSQL_URL names. The local
 * platform's base stack runs it before any migration, because only this program connects to SQL Server.
 */
import { parseArgs } from "node:util";
import { databaseOnServer, NO_SQL_SERVER, SERVER_VARIABLE } from "../../release/migrations/database-address";
import type { MssqlAddress } from "../../release/migrations/database-address";
import { InvalidInput } from "../../release/failure";
import { quote } from "../../release/text";
import { MssqlSession } from "./databases/mssql-session";

export const CREATE_DATABASE = "create-database";

const NAME = /^[a-z0-9_]{1,60}$/;
/** Azure SQL's edition, which has no single-user mode, and needs none to drop a database. */
const AZURE_SQL = 5;

interface Result {
  readonly outcome: "created" | "there";
  readonly database: string;
}

/** @throws InvalidInput for invalid arguments, and if MSSQL_URL is not the address of a server. */
export async function createDatabase(args: readonly string[]): Promise<Result> {
  const { name, anew } = readArguments(args);
  const given = process.env[SERVER_VARIABLE.mssql] ?? "";
  if (given === "") throw new InvalidInput(NO_SQL_SERVER);
  const { server } = databaseOnServer(given, name, "mssql");
  return create(server as MssqlAddress, name, anew);
}

function readArguments(args: readonly string[]): { name: string; anew: boolean } {
  const options = { anew: { type: "boolean", default: false } } as const;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new InvalidInput((error as Error).message);
  }
  const [name = "", ...rest] = parsed.positionals;
  if (rest.length > 0 || !NAME.test(name)) {
    throw new InvalidInput(
      `${quote(name)} is not a valid name for a database: a-z, 0-9 and _, at most 60 characters`,
    );
  }
  return { name, anew: parsed.values.anew };
}

/**
 * Creates the database if it is missing, with row versions as in Azure SQL: a reader does not wait for a writer.
 * @param anew an existing database of this name belonged to a removed data folder: drop it first.
 */
async function create(server: MssqlAddress, name: string, anew: boolean): Promise<Result> {
  const { user, password, ...login } = server;
  const session = await MssqlSession.open({
    ...login,
    authentication: () => Promise.resolve({ user, password }),
  });
  try {
    const quoted = `[${name.replaceAll("]", "]]")}]`;
    const exists = async (): Promise<boolean> => {
      const [found] = await session.ask("SELECT DB_ID(@name) AS id", { name });
      return found !== undefined && found["id"] !== null;
    };
    if (anew && (await exists())) {
      await session.run(
        `IF CAST(SERVERPROPERTY('EngineEdition') AS int) <> ${AZURE_SQL} ALTER DATABASE ${quoted} SET SINGLE_USER WITH ROLLBACK IMMEDIATE`,
      );
      await session.run(`DROP DATABASE ${quoted}`);
    }
    if (await exists()) {
      // The connection may have been lost between the two statements below.
      const [versions] = await session.ask(
        "SELECT CONVERT(int, is_read_committed_snapshot_on) AS rows FROM sys.databases WHERE name = @name",
        { name },
      );
      if (versions?.["rows"] === 0)
        await session.run(`ALTER DATABASE ${quoted} SET READ_COMMITTED_SNAPSHOT ON`);
      return { outcome: "there", database: name };
    }
    await session.run(`CREATE DATABASE ${quoted}`);
    await session.run(`ALTER DATABASE ${quoted} SET READ_COMMITTED_SNAPSHOT ON`);
    if (!(await exists())) throw new Error(`the server did not create ${name}`);
    return { outcome: "created", database: name };
  } finally {
    await session.close();
  }
}
