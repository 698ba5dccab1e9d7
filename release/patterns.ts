/** Patterns for values in files, each with a name for the message. */
import * as z from "zod/mini";
import { quote } from "./text";

export const matches = (pattern: RegExp, what: string) =>
  z.string().check(
    z.refine((text) => pattern.test(text), {
      error: (issue) => `${quote(issue.input)} is not a valid ${what}`,
    }),
  );

/** Names of applications and environments. They become part of Azure names. */
export const SHORT_NAME = /^[a-z][a-z0-9-]{0,23}$/;
const SHORT_NAME_RULE = "a-z, 0-9 and -, at most 24 characters";
export const EnvironmentName = matches(SHORT_NAME, `environment name: ${SHORT_NAME_RULE}`);
export const ApplicationName = matches(SHORT_NAME, `application name: ${SHORT_NAME_RULE}`);

export const Sha256 = z
  .string()
  .check(z.regex(/^[0-9a-f]{64}$/, "sha256 is 64 lower-case hexadecimal digits"));

export const Port = z.int().check(z.minimum(1), z.maximum(65_535));

export const HTTP_PATH = /^\/[A-Za-z0-9._~!&()*+,;=:@%/?-]{0,500}$/;
export const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$/;
/** A secret instead of its text: the name of an environment variable, where it is used. So no file, plan or state has it. */
export const FROM_ENVIRONMENT = /^env:[A-Za-z_][A-Za-z0-9_]{0,100}$/;
export const HEADER_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
/** Relative, below the project: no "..", and nothing special to Terraform or a shell. */
export const FOLDER = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._][A-Za-z0-9._/-]{0,199}$/;
/** A JavaScript regular expression. Short, because it is matched against any answer of an application. */
export const pattern = z
  .string()
  .check(
    z.minLength(1),
    z.maxLength(500),
    z.refine(isPattern, { error: (issue) => `${quote(issue.input)} is not a valid regular expression` }),
  );

/** One argument of a program that starts without a shell. */
const Argument = z.string().check(
  z.minLength(1),
  z.maxLength(500),
  z.refine((text) => !/[\u0000-\u001f\u007f]/.test(text), { error: () => "no control characters" }),
);

/** A program with its arguments. */
export const Program = z.array(Argument).check(
  z.minLength(1),
  z.maxLength(50),
  z.refine(([program]) => program === undefined || /^[^=-][^=]*$/.test(program), {
    error: () => `must start with a program, without "=" or a leading "-" in its name`,
  }),
);

/** An http or https address with nothing after the port, and without a password. */
export function isOrigin(text: string): boolean {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(text) || !URL.canParse(text)) return false;
  const { pathname, search, hash, username, password } = new URL(text);
  return pathname === "/" && `${search}${hash}${username}${password}` === "";
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, "u");
    return true;
  } catch {
    return false;
  }
}
