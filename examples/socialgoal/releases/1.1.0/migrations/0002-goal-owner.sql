-- A goal's author becomes its owner. Older releases know the author only, and go on writing it while both serve:
-- until they are gone (0004), whichever is written is kept in both columns.
ALTER TABLE goals ADD COLUMN owner text;

CREATE FUNCTION goals_keep_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.owner := coalesce(NEW.owner, NEW.author);
  NEW.author := coalesce(NEW.author, NEW.owner);
  RETURN NEW;
END;
$$;

CREATE TRIGGER goals_keep_owner BEFORE INSERT OR UPDATE ON goals FOR EACH ROW EXECUTE FUNCTION goals_keep_owner();
