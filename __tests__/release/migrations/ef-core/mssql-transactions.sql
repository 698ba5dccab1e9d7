IF OBJECT_ID(N'[__EFMigrationsHistory]') IS NULL
BEGIN
    CREATE TABLE [__EFMigrationsHistory] (
        [MigrationId] nvarchar(150) NOT NULL,
        [ProductVersion] nvarchar(32) NOT NULL,
        CONSTRAINT [PK___EFMigrationsHistory] PRIMARY KEY ([MigrationId])
    );
END;
GO

BEGIN TRANSACTION;
CREATE TABLE [Blogs] (
    [Id] int NOT NULL IDENTITY,
    [Name] nvarchar(max) NOT NULL,
    CONSTRAINT [PK_Blogs] PRIMARY KEY ([Id])
);

CREATE TABLE [Posts] (
    [Id] int NOT NULL IDENTITY,
    [Body] nvarchar(max) NOT NULL,
    [BlogId] int NOT NULL,
    CONSTRAINT [PK_Posts] PRIMARY KEY ([Id]),
    CONSTRAINT [FK_Posts_Blogs_BlogId] FOREIGN KEY ([BlogId]) REFERENCES [Blogs] ([Id]) ON DELETE CASCADE
);

CREATE INDEX [IX_Posts_BlogId] ON [Posts] ([BlogId]);

INSERT INTO [__EFMigrationsHistory] ([MigrationId], [ProductVersion])
VALUES (N'20261129194630_Init', N'10.0.15');

COMMIT;
GO

BEGIN TRANSACTION;
ALTER TABLE [Blogs] ADD [Owner] nvarchar(max) NULL;

ALTER TABLE [Blogs] ADD [Rating] int NOT NULL DEFAULT 3;

INSERT INTO [__EFMigrationsHistory] ([MigrationId], [ProductVersion])
VALUES (N'20261129194638_Owner', N'10.0.15');

COMMIT;
GO

BEGIN TRANSACTION;
ALTER TABLE [Blogs] ADD [Extra] nvarchar(max) NULL;

UPDATE Blogs SET Extra = Name

CREATE VIEW dbo.Named AS SELECT Name FROM dbo.Blogs

-- why
CREATE OR ALTER PROCEDURE dbo.P AS BEGIN SET NOCOUNT ON; DELETE FROM dbo.Posts WHERE Id = -1 END

CREATE TRIGGER dbo.T ON dbo.Posts AFTER INSERT AS SELECT 1;

-- reviewed: everyone may run it

GRANT EXECUTE ON dbo.P TO public

SELECT 1

SELECT 2

INSERT INTO [__EFMigrationsHistory] ([MigrationId], [ProductVersion])
VALUES (N'20261201000000_Raw', N'10.0.15');

COMMIT;
GO

BEGIN TRANSACTION;
ALTER TABLE [Blogs] ADD [Extra2] nvarchar(max) NULL;

COMMIT;
GO

ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON
GO

BEGIN TRANSACTION;
UPDATE Blogs SET Extra2 = Name

COMMIT;
GO

INSERT INTO [__EFMigrationsHistory] ([MigrationId], [ProductVersion])
VALUES (N'20261202000000_Snapshot', N'10.0.15');
GO

BEGIN TRANSACTION;
DECLARE @var nvarchar(max);
SELECT @var = QUOTENAME([d].[name])
FROM [sys].[default_constraints] [d]
INNER JOIN [sys].[columns] [c] ON [d].[parent_column_id] = [c].[column_id] AND [d].[parent_object_id] = [c].[object_id]
WHERE ([d].[parent_object_id] = OBJECT_ID(N'[Blogs]') AND [c].[name] = N'Extra');
IF @var IS NOT NULL EXEC(N'ALTER TABLE [Blogs] DROP CONSTRAINT ' + @var + ';');
ALTER TABLE [Blogs] DROP COLUMN [Extra];

DECLARE @var1 nvarchar(max);
SELECT @var1 = QUOTENAME([d].[name])
FROM [sys].[default_constraints] [d]
INNER JOIN [sys].[columns] [c] ON [d].[parent_column_id] = [c].[column_id] AND [d].[parent_object_id] = [c].[object_id]
WHERE ([d].[parent_object_id] = OBJECT_ID(N'[Blogs]') AND [c].[name] = N'Extra2');
IF @var1 IS NOT NULL EXEC(N'ALTER TABLE [Blogs] DROP CONSTRAINT ' + @var1 + ';');
ALTER TABLE [Blogs] DROP COLUMN [Extra2];

EXEC sp_rename N'[Blogs].[Rating]', N'Stars', 'COLUMN';

INSERT INTO [__EFMigrationsHistory] ([MigrationId], [ProductVersion])
VALUES (N'20261203000000_Drop1', N'10.0.15');

COMMIT;
GO

BEGIN TRANSACTION;
DECLARE @var2 nvarchar(max);
SELECT @var2 = QUOTENAME([d].[name])
FROM [sys].[default_constraints] [d]
INNER JOIN [sys].[columns] [c] ON [d].[parent_column_id] = [c].[column_id] AND [d].[parent_object_id] = [c].[object_id]
WHERE ([d].[parent_object_id] = OBJECT_ID(N'[Blogs]') AND [c].[name] = N'Owner');
IF @var2 IS NOT NULL EXEC(N'ALTER TABLE [Blogs] DROP CONSTRAINT ' + @var2 + ';');
ALTER TABLE [Blogs] DROP COLUMN [Owner];

DROP TABLE [Posts];

INSERT INTO Blogs (Name) VALUES (N'it''s
GO
')

INSERT INTO [__EFMigrationsHistory] ([MigrationId], [ProductVersion])
VALUES (N'20261204000000_Contract_Drop2', N'10.0.15');

COMMIT;
GO

