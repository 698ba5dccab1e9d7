/** Coloured text that fits a width: cut and wrapped before it is coloured, so that no escape sequence is cut. */

export type Paint = (text: string) => string;
/** A piece of a line, and its colour. */
export type Span = readonly [text: string, paint?: Paint];

/** One line, cut to the width. */
export function fitted(spans: readonly Span[], columns: number): string {
  const whole = spans.map(([text, paint]): Span =>
    paint === undefined ? [clean(text)] : [clean(text), paint],
  );
  const isCut = whole.reduce((sum, [text]) => sum + lengthOf(text), 0) > columns;
  let room = isCut ? columns - 1 : columns;
  const painted = whole.map(([text, paint]) => {
    const part = [...text].slice(0, room).join("");
    room -= lengthOf(part);
    return part === "" || paint === undefined ? part : paint(part);
  });
  return painted.join("") + (isCut ? "…" : "");
}

/** Flows items onto lines without breaking one. */
export function flowed(items: readonly (readonly Span[])[], columns: number, indent: string): string[] {
  const lines: Span[][] = [];
  let used = columns;
  for (const item of items) {
    const length = item.reduce((sum, [text]) => sum + lengthOf(clean(text)), 0);
    if (lines.length === 0 || used + 2 + length > columns) {
      lines.push([[indent], ...item]);
      used = indent.length + length;
    } else {
      lines.at(-1)!.push(["  "], ...item);
      used += 2 + length;
    }
  }
  return lines.map((line) => fitted(line, columns));
}

/** Wraps text to at most `most` lines; the last one may be too long. */
export function wrapped(text: string, columns: number, most: number): string[] {
  const lines = [""];
  for (const word of clean(text).split(" ")) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (lengthOf(line) + 1 + lengthOf(word) <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), lines.slice(most - 1).join(" ")];
}

/** Removes control characters: a reason may quote an instance's answer, which must not control the terminal. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

function lengthOf(text: string): number {
  return [...text].length;
}
