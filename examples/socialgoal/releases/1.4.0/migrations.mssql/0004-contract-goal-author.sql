-- 1.0 was the last release that read or wrote goals.author.
DROP TRIGGER dbo.goals_keep_owner;
GO
ALTER TABLE dbo.goals DROP COLUMN author;
