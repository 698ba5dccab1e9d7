-- A goal's author becomes its owner. Older releases know the author only, and go on writing it while both serve:
-- until they are gone (0004), whichever is written is kept in both columns.
ALTER TABLE dbo.goals ADD [owner] nvarchar(100) NULL;
GO
-- It changes rows of its own table, so it may be started again by what it does: then there is nothing left to fill.
CREATE TRIGGER dbo.goals_keep_owner ON dbo.goals AFTER INSERT, UPDATE AS
BEGIN
  SET NOCOUNT ON;
  IF EXISTS (SELECT * FROM inserted WHERE ([owner] IS NULL AND author IS NOT NULL) OR (author IS NULL AND [owner] IS NOT NULL))
    UPDATE g SET [owner] = COALESCE(g.[owner], g.author), author = COALESCE(g.author, g.[owner])
      FROM dbo.goals AS g JOIN inserted AS i ON i.id = g.id;
END;
