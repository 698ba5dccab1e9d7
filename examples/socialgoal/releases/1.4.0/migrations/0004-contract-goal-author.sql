-- 1.0 was the last release that read or wrote goals.author.
DROP TRIGGER goals_keep_owner ON goals;
DROP FUNCTION goals_keep_owner();
ALTER TABLE goals DROP COLUMN author;
