/** Turns schema errors into one line: the fields, and what they should be. */
import * as z from "zod/mini";
import { InvalidInput } from "./failure";
import { inOneLine, quote } from "./text";

/** Unknown keys listed in a message. */
const NAMED_KEYS = 3;
/** Issues listed in a message. */
const NAMED_ISSUES = 6;

/**
 * Reads a JSON file that a person may have edited.
 * @param hint what is said after an unknown field. @default nothing
 * @throws InvalidInput one line that names the file, the fields, and what they should be.
 */
export function parseFile<T extends z.ZodMiniType>(
  schema: T,
  text: string,
  file: string,
  hint?: Hint,
): z.infer<T> {
  const parsed = z.safeParse(schema, parseJson(text, file));
  if (!parsed.success) throw new InvalidInput(`${file}: ${describeIssues(parsed.error, hint)}`);
  return parsed.data;
}

type Hint = (key: string, path: readonly PropertyKey[]) => string;

/** Without the byte order mark that editors on Windows write. @throws InvalidInput one line that names the file. */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    if (/^(<{7}|>{7}) /m.test(text))
      throw new InvalidInput(`${file} has the conflict markers of a merge: resolve it, then try again`);
    throw new InvalidInput(`${file} is not JSON: ${inOneLine((error as Error).message)}`);
  }
}

export function describeIssues(error: z.core.$ZodError, hint?: Hint): string {
  const all = error.issues.flatMap((issue) => describeIssue(issue, [], hint));
  const more = all.length > NAMED_ISSUES ? ` (and ${all.length - NAMED_ISSUES} more)` : "";
  return `${all.slice(0, NAMED_ISSUES).join("; ")}${more}`;
}

/** Field names come from the file too: quotes any that a terminal would not print as it is. */
function printable(key: PropertyKey): string {
  return typeof key === "string" && !/^[\x20-\x7e]{0,60}$/.test(key) ? quote(key) : String(key);
}

function describeIssue(
  issue: z.core.$ZodIssue,
  above: readonly PropertyKey[],
  hint: Hint = () => "",
): string[] {
  const path = [...above, ...issue.path];
  const field = path.length === 0 ? "the whole" : path.map(printable).join(".");
  switch (issue.code) {
    case "unrecognized_keys":
      return [
        `${path.length === 0 ? "" : `${field}: `}unknown field ${issue.keys
          .slice(0, NAMED_KEYS)
          .map((key) => quote(key) + hint(key, path))
          .join(", ")}${issue.keys.length > NAMED_KEYS ? ` and ${issue.keys.length - NAMED_KEYS} more` : ""}`,
      ];
    case "invalid_value":
      return [`${field} must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`];
    case "invalid_type":
      return [
        `${field} must be ${issue.expected === "int" ? "a whole number" : `of type ${issue.expected}`}`,
      ];
    case "too_small":
      return [`${field} must ${amount(issue.origin, "at least", issue.minimum)}`];
    case "too_big":
      return [`${field} must ${amount(issue.origin, "at most", issue.maximum)}`];
    default:
      return [issue.message ? `${field}: ${issue.message}` : `${field} is not valid`];
  }
}

function amount(origin: string, bound: string, limit: number | bigint): string {
  if (origin === "string") return `have ${bound} ${limit} characters`;
  if (origin === "array") return `have ${bound} ${limit} entries`;
  return `be ${bound} ${limit}`;
}
