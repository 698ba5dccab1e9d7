/** What people write in files, as patterns with a name for the message. */
import * as z from "zod/mini";
import { quote } from "./text";

export const matches = (pattern: RegExp, what: string) =>
  z
    .string()
    .check(
      z.refine((text) => pattern.test(text), { error: (issue) => `${quote(issue.input)} is no ${what}` }),
    );

/** What applications and environments are called: it becomes a part of Azure's names. */
export const SHORT_NAME = /^[a-z][a-z0-9-]{0,23}$/;
const SHORT_NAME_WORDS = "a-z, 0-9 and -, at most 24 characters";
export const EnvironmentName = matches(SHORT_NAME, `environment name: ${SHORT_NAME_WORDS}`);
export const ApplicationName = matches(SHORT_NAME, `application name: ${SHORT_NAME_WORDS}`);

export const Sha256 = z
  .string()
  .check(z.regex(/^[0-9a-f]{64}$/, "sha256 is 64 lower-case hexadecimal digits"));

export const Port = z.int().check(z.minimum(1), z.maximum(65_535));

export const HTTP_PATH = /^\/[A-Za-z0-9._~!&()*+,;=:@%/?-]{0,500}$/;
export const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$/;
export const HEADER_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
/** Relative, below the project: no "..", nothing that Terraform or a shell would read as more than a path. */
export const FOLDER = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._][A-Za-z0-9._/-]{0,199}$/;
/** A regular expression, as JavaScript reads it. Short, because it is tried on whatever an application answers. */
export const pattern = z
  .string()
  .check(
    z.minLength(1),
    z.maxLength(500),
    z.refine(isPattern, { error: (issue) => `${quote(issue.input)} is no regular expression` }),
  );

/** One of a program's arguments, which reach it without a shell. */
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
    error: () => `starts with a program: its name has no "=" and no leading "-"`,
  }),
);

/** An http or https address without anything behind the port: no path that would be left out, no password. */
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
