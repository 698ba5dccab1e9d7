/** How an EF migration that would break the running release becomes two: one that expands, and one that contracts. */
import type { Kind } from "../../release/migrations/finding";

/** By what the running release loses. */
export const SPLIT_ADVICE: Readonly<Record<Kind, string>> = {
  rename:
    "add the new one beside the old one here, with a trigger that keeps both the same; drop the old one in the Contract_ migration",
  default: "give AddColumn a defaultValue or defaultValueSql, or let the column be null",
  column:
    "add a column of the new kind beside the old one here and fill it; NOT NULL and the old column's drop belong in the Contract_ migration",
  rule: "let the new release keep the rule by its code here; the database demands it in the Contract_ migration",
  drop: "the model goes without it here, and the database keeps it: move the Drop call into the Contract_ migration (a column that must have a value needs a default here)",
  other: "move it into the Contract_ migration, which waits until no release needs the old schema",
};
