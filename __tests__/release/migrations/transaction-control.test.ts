/** A script has no BEGIN or COMMIT; for EF Core's plain output the message shows how to avoid them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readScripts } from "../../../release/migrations/scripts";
import { refuseTransactionControl } from "../../../release/migrations/transaction-control";

function check(sql: string, dialect: "postgres" | "mssql" = "postgres"): void {
  for (const script of readScripts(new Map([["0001-a.sql", Buffer.from(sql)]])))
    refuseTransactionControl(script, dialect);
}

it.each([
  ["BEGIN;", "BEGIN"],
  ["SELECT 1;\n\n-- at the end\ncommit work;", "COMMIT"],
  ["START /* the */ TRANSACTION ISOLATION LEVEL SERIALIZABLE;", "START TRANSACTION"],
  ["ROLLBACK;", "ROLLBACK"],
  ["END;", "END"],
  ["ABORT;", "ABORT"],
])("%j: %s is not allowed in a script", (sql, word) => {
  expect(() => check(sql)).toThrow(
    new RegExp(
      `^0001-a\\.sql, line \\d: ${word} is not allowed in a script.*leave it out, or add -- no-transaction`,
    ),
  );
});

it("the line is the statement's, not that of a comment before it", () => {
  expect(() => check("SELECT 1;\n\n/* two\nlines */\nCOMMIT;")).toThrow(/, line 5: COMMIT/);
});

it.each([
  "-- no-transaction\nBEGIN; COMMIT;",
  "SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a;",
  "DO $$ BEGIN COMMIT; END $$;",
  "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;",
  "SELECT 'COMMIT;' AS \"COMMIT\";",
])("%j can", (sql) => {
  expect(() => check(sql)).not.toThrow();
});

it("the output of dotnet ef migrations script: the message shows how to write it without", () => {
  const plain = readFileSync(join(__dirname, "ef-core", "postgres-transactions.sql"), "utf8");
  expect(() => check(`\uFEFF${plain}`)).toThrow(
    /^0001-a\.sql, line 7: START TRANSACTION .*--no-transactions, and bluegreen migrations from-ef/,
  );
  expect(() => check(readFileSync(join(__dirname, "ef-core", "postgres.sql"), "utf8"))).not.toThrow();
});

it("SQL Server counts its transactions: nothing is refused before", () => {
  expect(() => check("BEGIN TRANSACTION; COMMIT;", "mssql")).not.toThrow();
});
