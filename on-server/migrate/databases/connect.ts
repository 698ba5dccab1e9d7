/** Opens the database that a step names, in either dialect. */
import { readFileSync } from "node:fs";
import { parseDatabaseAddress } from "../../../release/migrations/database-address";
import type { DatabaseAccess } from "../../../release/migrate-spec";
import { InvalidInput } from "../../../release/failure";
import { accessToken, secretValue } from "../identity";
import type { Database } from "./database";
import { MssqlDatabase } from "./mssql";
import { PostgresDatabase } from "./postgres";

/** @param say logs a line for people. @throws SessionLost if the database can't be reached. */
export async function connect(access: DatabaseAccess, say: (line: string) => void): Promise<Database> {
  switch (access.kind) {
    case "entra": {
      const { server, database, identity } = access;
      // A token is valid for an hour, a migration may take longer: each session requests a new one.
      const authentication = async () => ({
        token: await accessToken("https://database.windows.net/", identity),
      });
      return MssqlDatabase.connect({ server, database, authentication, trustServerCertificate: false });
    }
    case "secret":
      return connectTo(await secretValue(access.vault, access.secret, access.identity), say);
    case "file":
      return connectTo(addressIn(access.file), say);
  }
}

function connectTo(text: string, say: (line: string) => void): Promise<Database> {
  const address = parseDatabaseAddress(text);
  if (address.dialect === "postgres") return PostgresDatabase.connect(address.connectionString, say);
  const { user, password, ...login } = address;
  return MssqlDatabase.connect({ ...login, authentication: () => Promise.resolve({ user, password }) });
}

function addressIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new InvalidInput(`the file with the database's address can't be read: ${(error as Error).message}`);
  }
}
