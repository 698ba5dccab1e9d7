/**
 * migrate create-database <name> [--anew]: a database of one's own on the SQL Server that MSSQL_URL names. The local
 * platform's base asks for it, before any migration: this is the program that speaks to SQL Server.
 */
import { parseArgs } from "node:util";
import { databaseOnServer, NO_SQL_SERVER, SERVER_VARIABLE } from "../../release/migrations/database-address";
import type { MssqlAddress } from "../../release/migrations/database-address";
import { InvalidInput } from "../../release/failure";
import { quote } from "../../release/text";
import { MssqlSession } from "./databases/mssql-session";

export const CREATE_DATABASE = "create-database";

const NAME = /^[a-z0-9_]{1,60}$/;
/** Azure SQL's edition: it has no single-user mode, and needs none to drop a database. */
const AZURE_SQL = 5;

interface Result {
  readonly outcome: "created" | "there";
  readonly database: string;
}

/** @throws InvalidInput for arguments that mean nothing, and where MSSQL_URL is no server's address. */
export async function createDatabase(args: readonly string[]): Promise<Result> {
  const { name, anew } = readArguments(args);
  const given = process.env[SERVER_VARIABLE.mssql] ?? "";
  if (given === "") throw new InvalidInput(NO_SQL_SERVER);
  const { server } = databaseOnServer(given, name, "mssql");
  return make(server as MssqlAddress, name, anew);
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
      `${quote(name)} is no name for a database here: a-z, 0-9 and _, at most 60 characters`,
    );
  }
  return { name, anew: parsed.values.anew };
}

/**
 * Makes the database where it is missing, with the row versions that Azure SQL's have: a reader does not wait for a
 * writer. @param anew what is there under this name belonged to a data folder that is gone.
 */
async function make(server: MssqlAddress, name: string, anew: boolean): Promise<Result> {
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
    if (anew && (await isThere())) {
      await session.run(
        `IF CAST(SERVERPROPERTY('EngineEdition') AS int) <> ${AZURE_SQL} ALTER DATABASE ${quoted} SET SINGLE_USER WITH ROLLBACK IMMEDIATE`,
      );
      await session.run(`DROP DATABASE ${quoted}`);
    }
    if (await isThere()) {
      // A connection that was lost between the two statements below left it half made.
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
    if (!(await isThere())) throw new Error(`the server does not say that ${name} is there`);
    return { outcome: "created", database: name };
  } finally {
    await session.close();
  }
}
