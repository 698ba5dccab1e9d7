/** Opens the database that a step names; the only place that knows both dialects. */
import { readFileSync } from "node:fs";
import type { DatabaseAccess } from "../../../release/migrations/migrate-spec";
import { ScriptRefused } from "../exit-code";
import { accessToken, secretValue } from "../identity";
import type { Database } from "./database";
import { MssqlDatabase } from "./mssql";
import { PostgresDatabase } from "./postgres";

export async function connect(access: DatabaseAccess): Promise<Database> {
  switch (access.kind) {
    case "entra": {
      const token = await accessToken("https://database.windows.net/", access.identity);
      const { server, database } = access;
      return MssqlDatabase.connect({
        server,
        database,
        authentication: { token },
        trustServerCertificate: false,
      });
    }
    case "secret":
      return connectTo(await secretValue(access.vault, access.secret, access.identity));
    case "file":
      return connectTo(readFileSync(access.file, "utf8").trim());
  }
}

/** @param address `postgres://user:password@host:port/database` or `mssql://...`; never quoted in a message. */
async function connectTo(address: string): Promise<Database> {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol === "postgres:" || url?.protocol === "postgresql:")
    return PostgresDatabase.connect(address);
  if (url?.protocol !== "mssql:") {
    throw new ScriptRefused(
      "the database's address is neither postgres://... nor mssql://user:password@host/database",
    );
  }
  const { hostname, port, pathname, username, password, searchParams } = url;
  return MssqlDatabase.connect({
    server: hostname,
    ...(port === "" ? {} : { port: Number(port) }),
    database: decodeURIComponent(pathname.slice(1)),
    authentication: { user: decodeURIComponent(username), password: decodeURIComponent(password) },
    trustServerCertificate: searchParams.get("trustServerCertificate") === "true",
  });
}
