/** Base's database on the local platform: PostgreSQL, or on a SQL Server whose address is in no file of the project. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { databaseDialect } from "../../configuration/platform";
import { emptyRecord } from "../../release/record";
import { complaint } from "../release/examples";
import { environmentWith, synthesize } from "./synthesis";

const NOTHING = emptyRecord("socialgoal");
const withDatabase = (database: string) => environmentWith({ platform: { kind: "local", database } });

function database(dialect: string) {
  const { base } = synthesize(withDatabase(dialect), NOTHING);
  const [id, resource] = Object.entries(base.resources).find(([name]) => name.startsWith("database"))!;
  const { environment } = resource.provisioner[0]!["local-exec"];
  return { base, id, resource, environment };
}

test.each(["postgres", "mssql"])(
  "%s: migrations are in the dialect that the environment names",
  (dialect) => {
    expect(databaseDialect(withDatabase(dialect))).toBe(dialect);
  },
);

test("any other is refused with the two that there are", () => {
  expect(complaint(() => withDatabase("oracle"))).toMatch(/platform\.database must be "postgres" or "mssql"/);
});

test("PostgreSQL's is not made anew by a version that knows another", () => {
  const { resource, environment } = database("postgres");
  expect(resource.triggers_replace).toBe('["socialgoal_test",".bluegreen/test/data",18170]');
  expect(environment).not.toHaveProperty("DATABASE_DIALECT");
});

test("SQL Server's has the same address, other triggers, and the program that speaks to it", () => {
  const { base, id, resource, environment } = database("mssql");
  expect(id).toBe(database("postgres").id);
  expect(resource.triggers_replace).toBe('["socialgoal_test",".bluegreen/test/data",18170,"mssql"]');
  expect(environment).toMatchObject({ DATABASE_DIALECT: "mssql", DATABASE_NAME: "socialgoal_test" });
  expect(existsSync(join(base.folder, environment["MIGRATOR"]!))).toBe(true);
});

test("the server's address, which holds a password, is in no stack", () => {
  const before = process.env["MSSQL_URL"];
  process.env["MSSQL_URL"] = "mssql://sa:s3cret@127.0.0.1:1";
  try {
    const { base, web } = synthesize(withDatabase("mssql"), NOTHING);
    expect(`${base.text}${web.text}`).not.toMatch(/s3cret|MSSQL_URL/);
  } finally {
    if (before === undefined) delete process.env["MSSQL_URL"];
    else process.env["MSSQL_URL"] = before;
  }
});
