/** What the command says of a release's migrations before anything happens: what it refuses, and what it names. */
import { migrationsFrom } from "../../../cli/artifact/migrations";
import { writeRecord } from "../../../cli/project/project";
import { emptyRecord } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import type { Release } from "../../../release/release";
import { AZURE, Workplace } from "./workplace";

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.changeEnvironment(AZURE, (environment) => ({
    ...environment,
    platform: {
      ...environment.platform,
      database: { administrators: { group: "people", objectId: "00000000-0000-0000-0000-000000000002" } },
    },
  }));
});
afterEach(() => place.end());

function look(scripts: Readonly<Record<string, string>>): { contracts: readonly string[]; said: string[] } {
  for (const [name, sql] of Object.entries(scripts)) place.write(`scripts/${name}`, sql);
  const said: string[] = [];
  const project = place.project(AZURE);
  const { fields } = migrationsFrom(project, { given: place.path("scripts"), artifact: null }, (line) =>
    said.push(line),
  );
  return { contracts: fields.contracts ?? [], said };
}

/** A record whose previous release brought the scripts up to one, and whose database ran these contract scripts. */
function recordOf(
  newest: string,
  contracts: readonly string[],
  contracted: readonly string[],
): ReleaseRecord {
  const artifact = { url: "https://example.org/a.zip", sha256: "0".repeat(64) };
  const release = (run: number): Release => ({
    version: `1.${run}.0`,
    run,
    artifact,
    migrations: { ...artifact, newest },
    ...(contracts.length === 0 ? {} : { contracts: [...contracts] }),
  });
  return {
    ...emptyRecord("socialgoal"),
    sequence: 2,
    slots: { blue: release(1), green: null },
    previous: release(1),
    ...(contracted.length === 0 ? {} : { contracted: [...contracted] }),
  };
}

const ADDS = "ALTER TABLE dbo.Goals ADD Contract int NULL";
const DROPS = "ALTER TABLE dbo.Goals DROP CONSTRAINT DF, COLUMN Author";

describe("contract scripts", () => {
  test("are named, and what they are of by their name or their first lines", () => {
    const scripts = {
      "0001-a.sql": ADDS,
      "0002-contract-a.sql": DROPS,
      "0003-b.sql": `-- phase: contract\n${ADDS}`,
    };
    expect(look(scripts)).toEqual({
      contracts: ["0002-contract-a.sql", "0003-b.sql"],
      said: [
        "migrations: contract scripts, which wait until no release needs what they remove: 0002-contract-a.sql, 0003-b.sql",
      ],
    });
  });

  test("are none where only their subject is a contract", () => {
    expect(look({ "0001-add-contract.sql": ADDS, "0002_contracts.sql": ADDS })).toEqual({
      contracts: [],
      said: [],
    });
  });

  test("by their name only, that take nothing away, are refused with what to say", () => {
    expect(() => look({ "0001-contract-table.sql": "CREATE TABLE dbo.Contract (Id int)" })).toThrow(
      /^0001-contract-table\.sql is a contract script by its name.*-- phase: expand or -- phase: contract$/,
    );
    expect(
      look({ "0001-contract-table.sql": "-- phase: expand\nCREATE TABLE dbo.Contract (Id int)" }).contracts,
    ).toEqual([]);
  });

  test("that a person reviewed take away what they take away", () => {
    expect(look({ "0001-contract-a.sql": `-- reviewed: unused\n${DROPS}` }).contracts).toHaveLength(1);
  });
});

describe("is refused with file and line", () => {
  test.each([
    [
      "what breaks the running release",
      "SELECT 1\nDELETE dbo.Goals",
      /^0001-a\.sql:2: DELETE dbo\.Goals: .*-- phase: contract.*-- reviewed: \.\.\.$/,
    ],
    ["more than that", "DELETE a\nDELETE b", /^0001-a\.sql:1: .* \(and 1 more\);/],
    ["a GO that is none", "SELECT 1\nGO;", /^0001-a\.sql, line 2: GO;/],
    [
      "a module that the server refuses there, with no word of a review",
      "SELECT 1\nCREATE VIEW v AS SELECT 1 AS a",
      /^0001-a\.sql:2: .*put GO on a line before it$/,
    ],
  ])("%s", (_, sql, message) => {
    expect(() => look({ "0001-a.sql": sql })).toThrow(message);
  });

  test("a number that EF Core gave", () => {
    expect(() => look({ "20261129172048_Init.sql": "SELECT 1" })).toThrow(/bluegreen migrations from-ef/);
  });
});

test("scripts that ran are as they are: nothing is said of them any more", () => {
  const scripts = {
    "0001-a.sql": "EXEC dbo.p\nDELETE a\nGO;",
    "0002-contract-table.sql": "CREATE TABLE dbo.Contract (Id int)",
  };
  place.write("scripts/0003-b.sql", "EXEC dbo.q");
  writeRecord(place.project(AZURE), recordOf("0002-contract-table.sql", ["0002-contract-table.sql"], []));
  expect(look(scripts)).toEqual({
    contracts: ["0002-contract-table.sql"],
    said: ["migrations: 0003-b.sql:1: EXEC dbo.q: runs dbo.q, which the linter does not check"],
  });
});

test("what is worth knowing of a contract script is said until it ran", () => {
  const drops = { "0001-contract-a.sql": "ALTER TABLE dbo.Goals DROP COLUMN Author" };
  expect(look(drops).said).toContainEqual(
    expect.stringMatching(/0001-contract-a\.sql:1: .*default constraint/),
  );
  writeRecord(place.project(AZURE), recordOf("0001-contract-a.sql", Object.keys(drops), Object.keys(drops)));
  expect(look(drops).said).toEqual([]);
});
