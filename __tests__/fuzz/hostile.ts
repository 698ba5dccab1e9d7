/**
 * Documents and texts that somebody means badly, or damaged: a valid document with a few changes comes further than random
 * bytes. `FUZZ_RUNS` says how many each property tries; `npm run fuzz` tries many. A failure prints fast-check's seed.
 */
import * as fc from "fast-check";
import { Failure, InvalidInput, Refusal } from "../../release/failure";

const USUAL_RUNS = 30;
const RUNS = Number(process.env["FUZZ_RUNS"] ?? USUAL_RUNS);
/** In a test run the same for everybody, so that a change is judged by what it changes; whoever asks for more runs looks anew. */
const SEED = process.env["FUZZ_RUNS"] === undefined ? { seed: 1 } : {};

/** @param weight of the usual number: what starts processes tries fewer. */
export function runs(weight = 1): { numRuns: number; seed?: number } {
  return { numRuns: Math.max(3, Math.round(RUNS * weight)), ...SEED };
}

/** What ends a line, a word, a quote or a directive somewhere. */
const BREAKS = [
  "\n",
  "\r\n",
  "\u0000",
  "\u001b[2J",
  "\u202e",
  "\u2028",
  "\u0085",
  "'",
  '"',
  "\\",
  "`",
  "$(id)",
  "${a}",
  "%{if}",
  ";",
  "}",
  "{",
  " #",
  "<script>",
  "&",
  "..",
  "../../etc/passwd",
  "*/",
  "--",
];

/** A text of somebody who knows what it is put into. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc
    .array(fc.oneof(fc.constantFrom(...BREAKS), fc.stringMatching(/^[a-z0-9./-]{0,8}$/)), {
      minLength: 1,
      maxLength: 5,
    })
    .map((parts) => parts.join("")),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "a\n  bind :1",
    "127.0.0.1:1\n  stats enable",
    "a; } server { listen 1; #",
    "__proto__",
    "constructor",
    "-",
    "-rf",
    "=",
    "",
    " ",
    "x".repeat(5_000),
  ),
);

const hostileNumber = fc.oneof(
  fc.constantFrom(0, -0, -1, 0.5, 1e300, -1e300, 2 ** 31, 2 ** 53, 1e-9),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  hostileNumber,
  fc.constantFrom(null, true, false, [], {}, [[]], { a: { b: {} } }, [null], ["\n"]),
  fc.constant(undefined).map(() => nested(100)),
);

function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

type Path = readonly (string | number)[];

/** Every place of a JSON document, the whole first. */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const inside = Array.isArray(value)
    ? value.map((child, index): [number, unknown] => [index, child])
    : Object.entries(value);
  return [path, ...inside.flatMap(([key, child]) => places(child, [...path, key]))];
}

interface Mutation {
  /** Which place, of all that there are; or of those with a text. */
  readonly place: number;
  readonly how: "replace" | "text" | "remove" | "add" | "repeat";
  readonly key: string;
  readonly value: unknown;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(),
  how: fc.constantFrom("replace", "text", "text", "remove", "add", "repeat"),
  key: hostileText,
  value: hostileValue,
});

/** The document with one to three changes; as it went through a file. */
export function mutated<T>(documents: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  return fc
    .tuple(documents, fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([document, changes]) => changes.reduce(mutate, JSON.parse(JSON.stringify(document)) as unknown));
}

function mutate(document: unknown, { place, how, key, value }: Mutation): unknown {
  const all = places(document);
  const texts = how === "text" ? all.filter((path) => typeof valueAt(document, path) === "string") : all;
  const path = texts[place % Math.max(1, texts.length)] ?? [];
  const at = valueAt(document, path);
  if (how === "add" && typeof at === "object" && at !== null && !Array.isArray(at)) {
    return replaced(document, path, { ...at, [key]: value });
  }
  if (how === "repeat" && Array.isArray(at)) return replaced(document, path, [...at, ...at]);
  if (how === "remove") return replaced(document, path, undefined);
  return replaced(document, path, how === "text" ? key : value);
}

function valueAt(document: unknown, path: Path): unknown {
  return path.reduce((value, key) => (value as Record<string | number, unknown>)[key], document);
}

function replaced(document: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value ?? null;
  const inner = replaced((document as Record<string | number, unknown>)[key], rest, value);
  if (Array.isArray(document)) {
    const copy = document.map((child: unknown, index) => (index === key ? inner : child));
    return rest.length === 0 && value === undefined ? copy.filter((_, index) => index !== key) : copy;
  }
  const { [key]: _old, ...others } = document as Record<string, unknown>;
  return rest.length === 0 && value === undefined ? others : { ...others, [key]: inner };
}

/** The document once for every text in it and every hostile one that has another meaning somewhere. */
export function* everyTextChanged<T>(document: T): Generator<unknown> {
  const plain = JSON.parse(JSON.stringify(document)) as unknown;
  for (const path of places(plain)) {
    const text = valueAt(plain, path);
    if (typeof text !== "string") continue;
    for (const mark of BREAKS) {
      for (const value of [mark, text + mark, mark + text, `${text}${mark} ${text}`, `${text}\n${mark}`]) {
        yield replaced(plain, path, value);
      }
    }
  }
}

/** A text with some of its characters changed, doubled or cut off. */
export function damaged(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), insert: hostileText });
  return fc
    .tuple(texts, fc.array(change, { maxLength: 3 }), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([text, changes, cut]) => {
      const whole = changes.reduce((sum, { at, insert }) => {
        const position = Math.floor(at * sum.length);
        return sum.slice(0, position) + insert + sum.slice(position + 1);
      }, text);
      return cut > 0.7 ? whole.slice(0, Math.floor(cut * whole.length)) : whole;
    });
}

/** Longer complaints are nothing that a person reads. */
const LONGEST_LINE = 1_000;

/** One line that a terminal shows as it is. */
export function expectOneLine(text: string): void {
  expect(text).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]+$/u);
  expect(text.length).toBeLessThan(LONGEST_LINE);
}

/** @returns what was read; null where it was refused, which must be in one line for a person. */
export function readOrRefused<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidInput || error instanceof Refusal || error instanceof Failure)) throw error;
    expectOneLine(error.message);
    return null;
  }
}
