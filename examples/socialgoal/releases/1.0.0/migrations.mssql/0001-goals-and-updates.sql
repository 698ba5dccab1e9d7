-- Ids begin with their time and are compared byte by byte, as the application does.
CREATE TABLE dbo.goals (
  id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL CONSTRAINT PK_goals PRIMARY KEY,
  title nvarchar(200) NOT NULL,
  description nvarchar(max) NOT NULL,
  author nvarchar(100) NULL,
  created_at datetime2(3) NOT NULL
);

CREATE TABLE dbo.updates (
  id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL CONSTRAINT PK_updates PRIMARY KEY,
  goal_id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL CONSTRAINT FK_updates_goals REFERENCES dbo.goals (id),
  [text] nvarchar(max) NOT NULL,
  progress int NOT NULL,
  author nvarchar(100) NULL,
  created_at datetime2(3) NOT NULL
);

CREATE INDEX updates_of_goal ON dbo.updates (goal_id, id);
