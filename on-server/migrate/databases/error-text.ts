/** An error's text in one line: some errors have no message, only causes or parts with one. */

/** The messages of an error and its causes, the outermost first, without repetitions; if there is none, its code or name. */
export function errorText(error: unknown): string {
  const messages: string[] = [];
  for (const cause of causes(error)) {
    const message = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ").trim();
    if (message !== "" && !messages.some((earlier) => earlier.includes(message))) messages.push(message);
  }
  if (messages.length > 0 || !(error instanceof Error)) return messages.join(": ");
  return "code" in error ? String(error.code) : error.name;
}

/** The error, then its parts and causes, depth first. */
export function causes(error: unknown): unknown[] {
  if (!(error instanceof Error)) return error === undefined ? [] : [error];
  const parts = error instanceof AggregateError ? error.errors : [];
  return [error, ...[...parts, error.cause].flatMap(causes)];
}
