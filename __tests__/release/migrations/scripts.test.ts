import { readScripts } from "../../../release/migrations/scripts";

const bundle = (files: Record<string, string | Uint8Array>) =>
  new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content as string)]));
const read = (files: Record<string, string | Uint8Array>) => readScripts(bundle(files));

describe("the scripts of a bundle", () => {
  it("lie at its top or in migrations/, in the order of their numbers; other files are none", () => {
    const scripts = { "10-c.sql": "c", "8-a.sql": "a", "9-b.sql": "b", "README.md": "" };
    expect(read(scripts).map(({ name }) => name)).toEqual(["8-a.sql", "9-b.sql", "10-c.sql"]);
    expect(read({ "migrations/1-a.sql": "a", "seed.sql": "not a migration", "server.js": "" })).toHaveLength(
      1,
    );
  });

  it.each([
    ["1-a.sql", "SELECT 1", "expand"],
    ["1-contract-a.sql", "SELECT 1", "contract"],
    ["1_drop_author.contract.sql", "SELECT 1", "contract"],
    ["1-a.sql", "-- drops the author\n--  phase: contract\nSELECT 1", "contract"],
    ["1-contract-table.sql", "-- phase: expand\nSELECT 1", "expand"],
    ["1-expand-a.sql", "-- phase: contract\nSELECT 1", "contract"],
    ["1-contractors.sql", "SELECT 1", "expand"],
    ["5-add-contract.sql", "SELECT 1", "expand"],
    ["5_add_contract.sql", "SELECT 1", "expand"],
    ["1-a.sql", "SELECT 1\n-- phase: contract", "expand"],
  ])("%s with %j is %s", (name, sql, phase) => {
    expect(read({ [name]: sql })).toMatchObject([{ phase }]);
  });

  it("are in a transaction unless the header disables it", () => {
    expect(
      read({ "1-a.sql": "-- no-transaction\nSELECT 1", "2-b.sql": "SELECT '-- no-transaction'" }),
    ).toMatchObject([{ transaction: false }, { transaction: true }]);
  });

  it("may begin with as many comments and empty lines as they like", () => {
    const sql = `${"\n-- why\n".repeat(2_000_000)}-- phase: contract\nSELECT 1\n-- no-transaction`;
    expect(read({ "1-a.sql": sql })).toMatchObject([{ phase: "contract", transaction: true }]);
  });

  it("are the same script with a byte order mark, Windows' line ends, or UTF-16", () => {
    const plain = read({ "1-a.sql": "SELECT 'ä'\nGO\n" })[0]!;
    expect(read({ "1-a.sql": "\uFEFFSELECT 'ä'\r\nGO\r\n" })[0]).toEqual(plain);
    expect(read({ "1-a.sql": Buffer.from("\uFEFFSELECT 'ä'\r\nGO\r\n", "utf16le") })[0]).toEqual(plain);
    expect(read({ "1-a.sql": "SELECT 'ä' \nGO\n" })[0]!.sha256).not.toBe(plain.sha256);
  });

  it.each([
    ["a gap", { "1-a.sql": "", "3-c.sql": "" }, /between 1-a\.sql and 3-c\.sql there is a gap/],
    ["one number twice", { "1-a.sql": "", "01-b.sql": "" }, /have the same number/],
    ["a name without a number", { "a.sql": "" }, /"a\.sql" is not a valid script name/],
    ["a name that a shell would read", { "1-$(reboot).sql": "" }, /is not a valid script name/],
    ["a folder in between", { "migrations/../../1-a.sql": "" }, /is not a valid script name/],
    ["an unknown phase", { "1-a.sql": "-- phase: contrakt" }, /phase "contrakt" is unknown/],
    [
      "a number as EF Core gives it",
      { "20261129172048_Init.sql": "" },
      /"20261129172048_Init\.sql" has a number of 14 digits.*up to 6.*bluegreen migrations from-ef/,
    ],
    ["what is no text", { "1-a.sql": Uint8Array.from([0x53, 0xe4, 0x20]) }, /is not UTF-8/],
    ["NUL characters", { "1-a.sql": "SELECT\0 1" }, /NUL/],
  ])("%s is refused", (_, files, message) => {
    expect(() => read(files as Record<string, string>)).toThrow(message);
  });
});
