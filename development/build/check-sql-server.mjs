/**
 * Runs the migration tests on a real SQL Server: MSSQL_URL, as in
 * mssql://sa:...@127.0.0.1:1433/master?trustServerCertificate=true. Each test creates a database there, and drops it.
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

if (!/^mssql:\/\//.test(process.env.MSSQL_URL ?? "")) {
  console.error("MSSQL_URL must name a SQL Server: mssql://user:password@host:port/master");
  process.exit(2);
}
const jest = createRequire(import.meta.url).resolve("jest/bin/jest");
const { status } = spawnSync(process.execPath, [jest, "on-server/migrate/promises.sql-server"], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
