/** What an error says in one line: some have no message but that of what caused them, or of what they are made of. */

/** The messages of an error and of its causes, the outermost first, nothing twice; its code or its name where there is none. */
export function allWords(error: unknown): string {
  const messages: string[] = [];
  for (const cause of causes(error)) {
    const words = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ").trim();
    if (words !== "" && !messages.some((earlier) => earlier.includes(words))) messages.push(words);
  }
  if (messages.length > 0 || !(error instanceof Error)) return messages.join(": ");
  return "code" in error ? String(error.code) : error.name;
}

/** The error, then what caused it or what it is made of, depth first. */
export function causes(error: unknown): unknown[] {
  if (!(error instanceof Error)) return error === undefined ? [] : [error];
  const parts = error instanceof AggregateError ? error.errors : [];
  return [error, ...[...parts, error.cause].flatMap(causes)];
}
