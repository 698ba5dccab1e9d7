/** Makes external text safe for a one-line message. */

/** @returns input as JSON, in printable characters and short enough for a message. */
export function quote(input: unknown): string {
  const text = (JSON.stringify(input) ?? String(input)).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
}

/** @returns the message with line ends and control characters replaced by spaces. */
export function inOneLine(message: string): string {
  return message.replace(/[\p{C}\p{Zl}\p{Zp}]+\s*/gu, " ");
}
