/** How an EF migration that would break the running release becomes two: one that expands, and one that contracts. */

interface Advice {
  /** In what the linter says of the statement. */
  readonly when: RegExp;
  readonly advice: string;
}

/** The first that fits is given. */
const ADVICE: readonly Advice[] = [
  {
    when: /renam/i,
    advice:
      "add the new one beside the old one here, with a trigger that keeps both the same; drop the old one in the Contract_ migration",
  },
  {
    when: /needs? a default/i,
    advice: "give AddColumn a defaultValue or defaultValueSql, or let the column be null",
  },
  {
    when: /\bNOT NULL\b|type|narrow/i,
    advice:
      "add a column of the new kind beside the old one here and fill it; NOT NULL and the old column's drop belong in the Contract_ migration",
  },
  {
    when: /duplicate|\brule\b|constraint|unique|\bcheck\b/i,
    advice:
      "let the new release keep the rule by its code here; the database demands it in the Contract_ migration",
  },
  {
    when: /\bDROPs?\b/i,
    advice:
      "the model goes without it here, and the database keeps it: move the Drop call into the Contract_ migration (a column that must have a value needs a default here)",
  },
];
const OTHERS = "move it into the Contract_ migration, which waits until no release needs the old schema";

/** @param message of the linter, about a statement that breaks. */
export function splitAdvice(message: string): string {
  return ADVICE.find(({ when }) => when.test(message))?.advice ?? OTHERS;
}
