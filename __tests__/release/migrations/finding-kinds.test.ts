/** A finding's kind is a separate field, which selects the advice, independent of the message. */
import { lint } from "../../../release/migrations/lint";
import type { Kind } from "../../../release/migrations/finding";
import type { Dialect } from "../../../release/migrations/sql-text";
import { readScripts } from "../../../release/migrations/scripts";

function kinds(sql: string, dialect: Dialect): [string, Kind][] {
  const [script] = readScripts(new Map([["1-a.sql", Buffer.from(sql)]]));
  return lint(script!, dialect).map(({ level, kind }) => [level, kind]);
}

test.each<[string, Kind]>([
  ["DROP TABLE t", "drop"],
  ["DROP PROCEDURE p", "drop"],
  ["ALTER TABLE t DROP COLUMN renamed", "drop"],
  ["EXEC sp_rename 't', 'type'", "rename"],
  ["ALTER ROLE r WITH NAME = s", "rename"],
  ["ALTER TABLE t ADD [drop] int NOT NULL", "default"],
  ["ALTER TABLE t ALTER COLUMN c int NOT NULL", "column"],
  ["ALTER TABLE t ADD CONSTRAINT drops UNIQUE (c)", "rule"],
  ["ALTER TABLE t ADD c int NULL; CREATE UNIQUE INDEX i ON t (c)", "rule"],
  ["ALTER TABLE t ADD CONSTRAINT k CHECK (c > 0)", "rule"],
  ["ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (c) REFERENCES u (c)", "rule"],
  ["DELETE FROM t", "other"],
  ["ALTER ROLE r DROP MEMBER m", "other"],
  ["DISABLE TRIGGER r ON t", "other"],
])("SQL Server: %s", (sql, kind) => expect(kinds(sql, "mssql")).toEqual([["breaks", kind]]));

test.each<[string, Kind]>([
  ["DROP TABLE t", "drop"],
  ["DROP FUNCTION f", "drop"],
  ["ALTER TABLE t DROP COLUMN renamed", "drop"],
  ["ALTER TABLE t RENAME COLUMN a TO type", "rename"],
  ['ALTER TABLE t ADD "drop" int NOT NULL', "default"],
  ["ALTER TABLE t ALTER COLUMN c SET NOT NULL", "column"],
  ["ALTER TABLE t ALTER COLUMN c TYPE int", "column"],
  ["ALTER TABLE t ADD CONSTRAINT drops UNIQUE (c)", "rule"],
  ["ALTER TABLE t ADD CONSTRAINT k CHECK (c > 0)", "rule"],
  ["CREATE UNIQUE INDEX i ON t (c)", "rule"],
  ["DELETE FROM t", "other"],
  ["REVOKE SELECT ON t FROM u", "other"],
])("PostgreSQL: %s", (sql, kind) => expect(kinds(sql, "postgres")).toEqual([["breaks", kind]]));

test("what breaks nothing is of no kind", () => {
  expect(kinds("BACKUP DATABASE d TO DISK = 'x'", "mssql")).toEqual([["unknown", "other"]]);
  expect(kinds("VACUUM", "postgres")).toEqual([["unknown", "other"]]);
});
