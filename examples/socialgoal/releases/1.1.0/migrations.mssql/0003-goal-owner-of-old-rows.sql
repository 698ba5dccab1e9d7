-- By itself, as a lock that the new column takes would be held all the while.
UPDATE dbo.goals SET [owner] = author WHERE [owner] IS NULL;
