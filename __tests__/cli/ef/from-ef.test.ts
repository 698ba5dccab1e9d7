/** `bluegreen migrations from-ef` as a process, with a `dotnet` that answers as the real one did. */
import { readdirSync, writeFileSync } from "node:fs";
import { LEAST } from "../../release/examples";
import { Folder } from "../setup/command";
import { answersOf, RecordedDotnet } from "./recorded-dotnet";
import type { Answer } from "./recorded-dotnet";

const POSTGRES = [
  "20261129194627_Init",
  "20261129194636_Owner",
  "20261201000000_Raw",
  "20261202000000_Concurrently",
  "20261203000000_Contract_DropOwner",
];
const SQL_SERVER = [
  "20261129194630_Init",
  "20261129194638_Owner",
  "20261201000000_Raw",
  "20261202000000_Snapshot",
  "20261203000000_Drop1",
  "20261204000000_Contract_Drop2",
];

let folder: Folder;
let dotnet: RecordedDotnet;
beforeEach(() => {
  folder = new Folder();
  dotnet = new RecordedDotnet(folder);
  dotnet.answer(answersOf("postgres", POSTGRES));
});
afterEach(() => folder.remove());

const fromEf = (...args: string[]) =>
  folder.bluegreen(["migrations", "from-ef", "--project", "app", ...args], { PATH: dotnet.PATH });
const scripts = (name = "migrations"): string[] =>
  folder.has(name) ? readdirSync(folder.in(name)).sort() : [];
const complaint = (stderr: string): string => stderr.trimEnd().split("\n").at(-1)!;

describe("scripts are written", () => {
  it("one for each migration, and said what is special about it", async () => {
    const { exitCode, stdout } = await fromEf();
    expect({ exitCode, lines: stdout.trimEnd().split("\n") }).toEqual({
      exitCode: 0,
      lines: [
        "✔ 0001-Init.sql",
        "✔ 0002-Owner.sql",
        "✔ 0003-Raw.sql",
        "✔ 0004-Concurrently.sql (without a transaction)",
        "✔ 0005-contract-DropOwner.sql (waits until no release needs the old schema)",
        "5 written",
        "next: bluegreen migrations migrations",
      ],
    });
    expect(scripts()).toHaveLength(5);
    expect(folder.text("migrations/0001-Init.sql")).toMatch(
      /^-- ef-migration: 20261129194627_Init\n\nCREATE/,
    );
  });

  it("what bluegreen migrations says to them is what it says to any scripts", async () => {
    folder.write("environments/local.json", {
      ...LEAST,
      platform: { kind: "local", database: "postgres" },
    });
    await fromEf();
    const { exitCode, stdout } = await folder.bluegreen(["migrations", "migrations"]);
    expect({ exitCode, says: JSON.parse(stdout) as unknown }).toMatchObject({
      exitCode: 0,
      says: {
        migrations: { newest: "0005-contract-DropOwner.sql" },
        contracts: ["0005-contract-DropOwner.sql"],
      },
    });
  });

  it("a second run changes no byte, one more migration is one more file", async () => {
    dotnet.answer(answersOf("postgres", POSTGRES.slice(0, 3)));
    expect((await fromEf()).exitCode).toBe(0);
    const before = scripts().map((name) => folder.text(`migrations/${name}`));
    const again = await fromEf("--json");
    expect(JSON.parse(again.stdout)).toEqual({
      ...{ folder: "migrations", dialect: "postgres", written: [], unchanged: 3, exitCode: 0 },
    });
    dotnet.answer(answersOf("postgres", POSTGRES.slice(0, 4)));
    expect(JSON.parse((await fromEf("--json")).stdout)).toMatchObject({
      written: [{ name: "0004-Concurrently.sql", phase: "expand", transaction: false }],
    });
    expect(
      scripts()
        .slice(0, 3)
        .map((name) => folder.text(`migrations/${name}`)),
    ).toEqual(before);
  });

  it("into another folder; only arguments reach dotnet, never a shell", async () => {
    const { exitCode } = await fromEf(
      "--to",
      "a b",
      "--context",
      "$(touch x); Store",
      "--startup-project",
      "app",
    );
    expect(exitCode).toBe(0);
    expect(scripts("a b")).toHaveLength(5);
    expect(folder.has("x")).toBe(false);
    const script = dotnet.calls().find((args) => args[2] === "script" && args.includes("--no-transactions"))!;
    expect(script.slice(0, 6)).toEqual(["ef", "migrations", "script", "0", POSTGRES[4], "--no-transactions"]);
    expect(script.slice(script.indexOf("--project"))).toEqual([
      ...["--project", folder.in("app"), "--startup-project", folder.in("app")],
      ...["--context", "$(touch x); Store"],
    ]);
    // It is built once, and no database is asked.
    expect(dotnet.calls().filter(([first]) => first === "build")).toHaveLength(1);
    expect(
      dotnet
        .calls()
        .filter((args) => args[2] === "list")
        .every((args) => args.includes("--no-connect")),
    ).toBe(true);
  });
});

describe("what would break the running release", () => {
  beforeEach(() => dotnet.answer(answersOf("mssql", SQL_SERVER)));

  it("is named with the way to split it, exit code 2, and nothing is written", async () => {
    const { exitCode, stdout, stderr } = await fromEf();
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(
      /^0005-Drop1\.sql:\d+: .*DROP COLUMN.*move the Drop call into the Contract_ migration/m,
    );
    expect(stderr).toMatch(/^0005-Drop1\.sql:\d+: .*RENAME.*beside the old one here, with a trigger/im);
    expect(complaint(stderr)).toMatch(
      /^20261203000000_Drop1 would break the running release \(3 statements in all\); nothing was written: .*dotnet ef migrations add Contract_Drop1.*-- reviewed: why.*--baseline 20261203000000_Drop1/,
    );
    expect(scripts()).toEqual([]);
  });

  it("is not asked of what every database has: --baseline", async () => {
    const { exitCode, stderr } = await fromEf("--baseline", SQL_SERVER[4]!);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(folder.text("migrations/0005-Drop1.sql")).toMatch(
      /^-- ef-migration: 20261203000000_Drop1\n-- ef-baseline\n\n/,
    );
    expect(folder.text("migrations/0006-contract-Drop2.sql")).not.toContain("ef-baseline");
    folder.write("environments/prod.json", {
      ...LEAST,
      platform: { kind: "local", database: "postgres" },
    });
    // Nor later, by the commands that read the scripts.
    const checked = await folder.bluegreen([
      "migrations",
      "migrations",
      "--environment",
      "environments/prod.json",
    ]);
    expect(checked.stderr).not.toContain("0005-Drop1.sql");
  });

  it("can be reviewed in the migration itself, on SQL Server too", async () => {
    const reviewed = (sql: string): string =>
      sql
        .replace(/^(DECLARE @var1? )/gm, "-- reviewed: no release reads it\nGO\n\n$1")
        .replace(/^(ALTER TABLE \[Blogs\] DROP COLUMN \[Extra2?\])/gm, "-- reviewed: no release reads it\n$1")
        .replace(/^(EXEC sp_rename)/gm, "-- reviewed: no release reads it\nGO\n\n$1");
    dotnet.answer(answersOf("mssql", SQL_SERVER, reviewed));
    const { exitCode, stderr } = await fromEf();
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(folder.text("migrations/0005-Drop1.sql")).toContain(
      "-- reviewed: no release reads it\n\nEXEC sp_rename",
    );
  });
});

describe("refused with one clear line, exit code 2, and nothing is written:", () => {
  async function refused(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await fromEf(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(scripts()).toEqual([]);
    return complaint(stderr);
  }
  const answering = (answers: Readonly<Record<string, Answer>>): void =>
    dotnet.answer({ ...answersOf("postgres", POSTGRES), ...answers });

  it("no dotnet", async () => {
    const { exitCode, stderr } = await folder.bluegreen(["migrations", "from-ef", "--project", "app"], {
      PATH: "/nowhere",
    });
    expect(exitCode).toBe(2);
    expect(complaint(stderr)).toMatch(
      /^dotnet was not found \(.*ENOENT.*\): install the \.NET SDK, then dotnet tool install/,
    );
  });

  it("no dotnet-ef", async () => {
    const said =
      "Could not execute because the specified command or file was not found.\nPossible reasons for this include:\n  * You misspelled a built-in dotnet command.\n  * You intended to execute a .NET program, but dotnet-ef does not exist.\n  * You intended to run a global tool, but a dotnet-prefixed executable with this name could not be found on the PATH.";
    answering({ "ef --version": { exitCode: 1, said } });
    expect(await refused()).toMatch(
      /^dotnet ef does not start \(dotnet tool install --global dotnet-ef, or dotnet tool restore\): .*dotnet-ef does not exist/,
    );
  });

  it("a project that is not there, or does not build", async () => {
    const { exitCode, stderr } = await folder.bluegreen(["migrations", "from-ef", "--project", "elsewhere"], {
      PATH: dotnet.PATH,
    });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: '--project "elsewhere": no such folder or file\n',
    });
    const said =
      "/app/Broken.cs(1,8): error CS1026: ) expected [/app/App.csproj]\n/app/Broken.cs(1,8): error CS1002: ; expected [/app/App.csproj]\n\nBuild FAILED.\n    0 Warning(s)\n    2 Error(s)\n\nTime Elapsed 00:00:02.97";
    answering({ build: { exitCode: 1, said } });
    expect(await refused()).toBe(
      "app does not build: /app/Broken.cs(1,8): error CS1026: ) expected [/app/App.csproj] | /app/Broken.cs(1,8): error CS1002: ; expected [/app/App.csproj]",
    );
  });

  it("no DbContext, or none of that name", async () => {
    const said = "error:   No DbContext named 'Nope' was found.";
    answering({ "ef dbcontext info": { exitCode: 1, said } });
    expect(await refused("--context", "Nope")).toBe(
      "dotnet ef dbcontext info fails: No DbContext named 'Nope' was found.",
    );
  });

  it("several contexts: their names are said", async () => {
    const said =
      'data:    [\ndata:      {\ndata:         "safeName": "Orders"\ndata:      },\ndata:      {\ndata:         "safeName": "People"\ndata:      }\ndata:    ]';
    answering({
      "ef dbcontext info": { exitCode: 1, said: "error:   More than one DbContext was found." },
      "ef dbcontext list": { said },
    });
    expect(await refused()).toBe("app has 2 contexts: choose one with --context Orders or --context People");
  });

  it("no migrations", async () => {
    dotnet.answer(answersOf("postgres", []));
    expect(await refused()).toBe("app has no migrations: dotnet ef migrations add Init");
  });

  it("another database's provider; another database than the environment's", async () => {
    const said = 'data:    { "providerName": "Microsoft.EntityFrameworkCore.Sqlite" }';
    answering({ "ef dbcontext info": { said } });
    expect(await refused()).toMatch(
      /^the project's provider is "Microsoft\.EntityFrameworkCore\.Sqlite", and only /,
    );
    answering({});
    expect(await refused("--dialect", "mssql")).toMatch(
      /^the project generates SQL for postgres .* is mssql/,
    );
    folder.write("environments/local.json", { ...LEAST, platform: { kind: "local", database: "postgres" } });
    dotnet.answer(answersOf("mssql", SQL_SERVER));
    expect(await refused()).toMatch(
      /^the project generates SQL for mssql .*the environment or --dialect is postgres/,
    );
  });

  it("a baseline that is no migration, an environment that is not there, a folder that is a file", async () => {
    expect(await refused("--baseline", "Init")).toMatch(
      /^--baseline "Init" is not a migration of the project/,
    );
    expect(await refused("--environment", "environments/no.json")).toMatch(
      /no environment file environments\/no/,
    );
    folder.write("file", "");
    expect(await refused("--to", "file")).toBe('--to "file" is not a folder');
    expect(await refused("--context", "-x")).toMatch(/--context/);
  });

  it("a migration that begins a transaction of its own", async () => {
    dotnet.answer(
      answersOf("postgres", POSTGRES, (sql) =>
        sql.replace("CREATE VIEW named", "BEGIN;\n\nCREATE VIEW named"),
      ),
    );
    expect(await refused()).toMatch(/^0003-Raw\.sql, line 3: BEGIN is not allowed in a script/);
  });

  it("a script that was changed since it was made; --keep-written lets it be", async () => {
    await fromEf();
    const file = folder.in("migrations/0002-Owner.sql");
    writeFileSync(
      file,
      folder.text("migrations/0002-Owner.sql").replace('"Owner" text', '"Owner" varchar(9)'),
    );
    const { exitCode, stderr } = await fromEf();
    expect(exitCode).toBe(2);
    expect(complaint(stderr)).toMatch(
      /^0002-Owner\.sql, line 3: it has varchar, but EF now writes text .*--keep-written$/,
    );
    const kept = await fromEf("--keep-written");
    expect(kept).toMatchObject({ exitCode: 0, stdout: "✔ nothing new; 5 unchanged\n" });
    expect(kept.stderr).toMatch(/0002-Owner\.sql, line 3: .*; kept unchanged/);
  });
});
