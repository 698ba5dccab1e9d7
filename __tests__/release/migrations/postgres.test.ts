/** Which PostgreSQL statements break the running release, and which do not because the script itself created their object. */
import { findings } from "./findings";

const ADDED = 'ALTER TABLE "Goal" ADD COLUMN "b" TEXT;\n';

describe("a rule on a column that the script adds takes nothing from the running release", () => {
  it.each([
    [
      "a foreign key",
      `${ADDED}ALTER TABLE "Goal" ADD CONSTRAINT "k" FOREIGN KEY ("b") REFERENCES "User"("id");`,
    ],
    [
      "a foreign key on an old column and the added one",
      `${ADDED}ALTER TABLE "Goal" ADD FOREIGN KEY (a, "b") REFERENCES u;`,
    ],
    ["a unique index", `${ADDED}CREATE UNIQUE INDEX "i" ON "Goal"("b");`],
    [
      "a unique index on an old column and the added one",
      `${ADDED}CREATE UNIQUE INDEX CONCURRENTLY i ON "Goal" (a, "b");`,
    ],
    ["a unique constraint", `${ADDED}ALTER TABLE "Goal" ADD CONSTRAINT u UNIQUE ("b");`],
    ["a check", `${ADDED}ALTER TABLE "Goal" ADD CONSTRAINT ck CHECK (length("b") > 0 AND "b"::text <> '');`],
    ["a unique column", "ALTER TABLE goals ADD COLUMN b text UNIQUE"],
    [
      "numbers of their own",
      "ALTER TABLE goals ADD b uuid NOT NULL DEFAULT gen_random_uuid(), ADD UNIQUE (b)",
    ],
    [
      "NOT NULL where it has a default",
      "ALTER TABLE goals ADD b int DEFAULT 1; ALTER TABLE goals ALTER b SET NOT NULL",
    ],
    ["another type", `${ADDED}ALTER TABLE "Goal" ALTER COLUMN "b" SET DATA TYPE varchar(10);`],
    ["its end", `${ADDED}ALTER TABLE public."Goal" DROP COLUMN "b";`],
    [
      "all in one statement",
      "ALTER TABLE goals ADD b int, ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES u (id)",
    ],
    [
      "a table that is made if it is missing",
      "CREATE TABLE IF NOT EXISTS n (a int); CREATE UNIQUE INDEX i ON n (a)",
    ],
  ])("%s: %s", (_, sql) => {
    expect(findings("postgres", sql)).toEqual([]);
  });

  it.each([
    ["NULLs are one value", `${ADDED}CREATE UNIQUE INDEX i ON "Goal"("b") NULLS NOT DISTINCT;`],
    [
      "each row has the same default",
      `ALTER TABLE "Goal" ADD "b" int DEFAULT 0;\nCREATE UNIQUE INDEX i ON "Goal"("b");`,
    ],
    ["nothing fills it", `${ADDED}ALTER TABLE "Goal" ALTER COLUMN "b" SET NOT NULL;`],
    [
      "its default goes again",
      `ALTER TABLE "Goal" ADD "b" int NOT NULL DEFAULT 0;\nALTER TABLE "Goal" ALTER "b" DROP DEFAULT;`,
    ],
    ["NULL is refused", `${ADDED}ALTER TABLE "Goal" ADD CHECK ("b" IS NOT NULL);`],
    ["an old column has to keep it, too", `${ADDED}ALTER TABLE "Goal" ADD CHECK ("b" > "a");`],
    ["it is another table's", `${ADDED}CREATE UNIQUE INDEX i ON "Other"("b");`],
    [
      "it may have been there",
      `ALTER TABLE "Goal" ADD COLUMN IF NOT EXISTS "b" int;\nALTER TABLE "Goal" DROP COLUMN "b";`,
    ],
    ["the table may have been there", "CREATE TABLE IF NOT EXISTS n (a int);\nALTER TABLE n DROP COLUMN a;"],
  ])("but not where %s: %s", (_, sql) => {
    expect(findings("postgres", sql)).toEqual(["2 breaks"]);
  });
});

describe("a module that is dropped and made again is replaced", () => {
  it.each([
    ["DROP FUNCTION IF EXISTS f(int); CREATE FUNCTION f(a int) RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql"],
    ["DROP FUNCTION f; CREATE OR REPLACE FUNCTION public.f() RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql"],
    ["DROP VIEW v; CREATE VIEW v AS SELECT 1"],
    ["DROP MATERIALIZED VIEW v; CREATE MATERIALIZED VIEW v AS SELECT 1"],
    ["DROP TRIGGER t ON a; CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION f()"],
  ])("%s", (sql) => {
    expect(findings("postgres", sql)).toEqual([]);
  });

  it.each([
    ["nothing makes it again", "DROP VIEW v"],
    [
      "it has other arguments",
      "DROP FUNCTION f(int); CREATE FUNCTION f(a int, b int) RETURNS int AS '' LANGUAGE sql",
    ],
    ["what hangs on it goes, too", "DROP VIEW v CASCADE; CREATE VIEW v AS SELECT 1"],
    [
      "it is another table's trigger",
      "DROP TRIGGER t ON a; CREATE TRIGGER t BEFORE INSERT ON b EXECUTE FUNCTION f()",
    ],
    ["all see the gap", "-- no-transaction\nDROP VIEW v; CREATE VIEW v AS SELECT 1"],
  ])("but not where %s: %s", (_, sql) => {
    expect(findings("postgres", sql).map((finding) => finding.slice(-6))).toEqual(["breaks"]);
  });
});

it("each action of ALTER TABLE counts", () => {
  expect(findings("postgres", "ALTER TABLE a DROP CONSTRAINT k, DROP COLUMN b")).toEqual(["1 breaks"]);
  expect(
    findings("postgres", "ALTER TABLE a ADD COLUMN b int, ADD CONSTRAINT ck CHECK (c IN (1, 2))"),
  ).toEqual(["1 breaks"]);
  expect(
    findings("postgres", "ALTER TABLE a ALTER b SET DEFAULT ARRAY['x', 'y'], ALTER c DROP NOT NULL"),
  ).toEqual([]);
  expect(findings("postgres", "ALTER TABLE a SET (fillfactor = 70)")).toEqual(["1 unknown"]);
});

it("a review at a line's end is for that statement", () => {
  expect(findings("postgres", "UPDATE a SET b = 1; -- reviewed: few rows\nDELETE FROM a;")).toEqual([
    "2 breaks",
  ]);
  expect(findings("postgres", "DELETE FROM a; -- reviewed: unused\nDELETE FROM b;")).toEqual(["2 breaks"]);
});
