/** Scripts as EF6 and Management Studio write them go through as they are saved. */
import { isAppliedByEf } from "../../../release/migrations/ef-history";
import { lint } from "../../../release/migrations/lint";
import { readScripts } from "../../../release/migrations/scripts";
import type { Script } from "../../../release/migrations/scripts";
import { batches } from "../../../release/migrations/sql-text";

/** Management Studio, "Generate Scripts" with a check for existence. */
const BASELINE = `-- ef-migration: 201406091030511_InitialCreate
-- ef-history: "dbo"."__MigrationHistory" ("MigrationId")
-- ef-baseline
/****** Object:  Table [dbo].[Goals]    Script Date: 29.11.2026 17:20:48 ******/
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
IF NOT EXISTS (SELECT * FROM sys.objects WHERE object_id = OBJECT_ID(N'[dbo].[Goals]') AND type in (N'U'))
BEGIN
CREATE TABLE [dbo].[Goals](
\t[GoalId] [int] IDENTITY(1,1) NOT NULL,
\t[GoalName] [nvarchar](max) NULL,
\t[Author] [nvarchar](max) NULL,
 CONSTRAINT [PK_dbo.Goals] PRIMARY KEY CLUSTERED 
(
\t[GoalId] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON) ON [PRIMARY]
) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
END
GO
IF NOT EXISTS (SELECT * FROM sys.views WHERE object_id = OBJECT_ID(N'[dbo].[OpenGoals]'))
EXEC dbo.sp_executesql @statement = N'CREATE VIEW [dbo].[OpenGoals] AS SELECT GoalId FROM dbo.Goals
GO is no separator in here''s text
GO
' 
GO
`;
/** The package manager console of EF6, `Update-Database -Script`, split as docs/migrations.md shows it. */
const EXPAND = `ALTER TABLE [dbo].[Goals] ADD [Owner] [nvarchar](max)
GO
UPDATE [dbo].[Goals] SET [Owner] = [Author] WHERE [Owner] IS NULL
GO
INSERT [dbo].[__MigrationHistory]([MigrationId], [ContextKey], [Model], [ProductVersion])
VALUES (N'202611291720481_RenameAuthor', N'SocialGoal.Data.Configuration',  0x1F8B0800000000000400ED5A , N'6.5.2')
`;
const CONTRACT = `DECLARE @var0 nvarchar(128)
SELECT @var0 = name
FROM sys.default_constraints
WHERE parent_object_id = object_id(N'dbo.Goals')
AND col_name(parent_object_id, parent_column_id) = 'Author';
IF @var0 IS NOT NULL
    EXECUTE('ALTER TABLE [dbo].[Goals] DROP CONSTRAINT [' + @var0 + ']')
ALTER TABLE [dbo].[Goals] DROP COLUMN [Author]
`;
/** As EF6 writes it in one. */
const RENAME = `EXECUTE sp_rename @objname = N'dbo.Goals.Author', @newname = N'Owner', @objtype = N'COLUMN'\n`;

const utf16 = (text: string): Uint8Array => Buffer.from(`\uFEFF${text.replaceAll("\n", "\r\n")}`, "utf16le");
const utf8 = (text: string): Uint8Array => Buffer.from(`\uFEFF${text.replaceAll("\n", "\r\n")}`);

function scripts(encode: (text: string) => Uint8Array): Script[] {
  return readScripts(
    new Map([
      ["0001-baseline.sql", encode(BASELINE)],
      ["0002-goal-owner.sql", encode(EXPAND)],
      ["0003-contract-goal-author.sql", encode(CONTRACT)],
    ]),
  );
}

it.each([
  ["UTF-16 with a byte order mark, as Management Studio saves", utf16],
  ["UTF-8 with one, as Visual Studio does", utf8],
])("%s: the same scripts", (_title, encode) => {
  expect(scripts(encode)).toEqual(scripts((text) => Buffer.from(text)));
});

it("batches end at GO lines, and not in the text of a module", () => {
  const [baseline, expand, contract] = scripts(utf16).map(({ sql }) => batches(sql).map(({ text }) => text));
  expect(baseline).toHaveLength(4);
  expect(baseline![0]).toMatch(/SET ANSI_NULLS ON$/);
  expect(baseline![3]).toContain("\nGO\n");
  expect(expand).toHaveLength(3);
  expect(contract).toHaveLength(1);
});

it("adding passes, dropping waits, and a rename is refused as an expand script", () => {
  const [, expand, contract] = scripts(utf16);
  const breaks = (script: Script) => lint(script, "mssql").filter(({ level }) => level === "breaks");
  expect(breaks(expand!)).toEqual([]);
  expect(contract!.phase).toBe("contract");
  expect(breaks(contract!)).toEqual([]);
  expect(breaks({ ...contract!, phase: "expand" })).not.toEqual([]);
  expect(breaks({ ...expand!, sql: RENAME })).not.toEqual([]);
});

it("a database that EF6 made has the baseline already", () => {
  const [baseline] = scripts(utf16);
  expect(baseline!.efMigration!.history).toEqual({
    schema: "dbo",
    table: "__MigrationHistory",
    idColumn: "MigrationId",
  });
  expect(isAppliedByEf(baseline!, new Set(["201406091030511_InitialCreate"]))).toBe(true);
});
