/**
 * The promises of a migration on a real SQL Server, where MSSQL_URL names one; `npm run check:sql-server` runs this suite.
 * Here there is none, so what has been run is the scripted server.
 */
import { cutEverywhere } from "./cuts";
import { migrationPromises } from "./promises";
import { sqlServerKit } from "./sql-server";

const url = process.env["MSSQL_URL"] ?? "";

if (url === "") {
  it.skip("MSSQL_URL names no SQL Server: the promises were tried on the scripted one only", () => undefined);
} else {
  migrationPromises(() => Promise.resolve(sqlServerKit(url)));

  it("a connection that is cut: never done without the journal", async () => {
    expect(await cutEverywhere(sqlServerKit(url), 40)).toBeGreaterThanOrEqual(40);
  });
}
