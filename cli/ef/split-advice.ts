/** How to split an EF migration that would break the running release: one part expands, the other contracts. */
import type { Kind } from "../../release/migrations/finding";

/** By the kind of finding. */
export const SPLIT_ADVICE: Readonly<Record<Kind, string>> = {
  rename:
    "add the new one beside the old one here, with a trigger that keeps both equal; drop the old one in the Contract_ migration",
  default: "give AddColumn a defaultValue or defaultValueSql, or let the column be null",
  column:
    "add a column of the new type beside the old one here and fill it; NOT NULL and the old column's drop belong in the Contract_ migration",
  rule: "let the new release enforce the rule in its code here; the database enforces it from the Contract_ migration",
  drop: "remove it from the model here, and keep it in the database: move the Drop call into the Contract_ migration (a column that must have a value needs a default here)",
  other: "move it into the Contract_ migration, which waits until no release needs the old schema",
};
