/**
 * HTML templates that escape every value, except HTML that a template made. Versions, reasons and names in a receipt are
 * untrusted.
 */
export class Html {
  constructor(readonly source: string) {}
}

export type Piece = Html | string | number | null | undefined | false | readonly Piece[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(strings.reduce((all, text, index) => all + toSource(pieces[index - 1]) + text));
}

function toSource(piece: Piece): string {
  if (piece === null || piece === undefined || piece === false) return "";
  if (piece instanceof Html) return piece.source;
  if (typeof piece === "string" || typeof piece === "number") return escape(String(piece));
  return piece.map(toSource).join("");
}

/** Makes invisible characters visible: some change the direction of text and so disguise a name. */
function escape(text: string): string {
  return text
    .replace(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu, "\ufffd")
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
