/** Text from outside, made safe for a message of one line. */

/** @returns input as JSON has it, in printable characters and short enough for a message. */
export function quote(input: unknown): string {
  const text = (JSON.stringify(input) ?? String(input)).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
}

/** @returns a message without the line ends and control characters that it quotes. */
export function inOneLine(message: string): string {
  return message.replace(/[\p{C}\p{Zl}\p{Zp}]+\s*/gu, " ");
}
