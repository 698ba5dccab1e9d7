/**
 * Users' requests for private paths get 404 from HAProxy, however they spell them: the rules compute `normalPath` of
 * configuration/private-paths.ts. An ordinary path only costs one comparison with each private path and a look for
 * characters of other spellings.
 */
import { privatePaths } from "../../../../configuration/private-paths";
import type { Activation } from "../../../../configuration/http-exchange";

/** A path without any of these is spelled in one way, except for case and a slash at its end. */
const UNUSUAL = ["%", "\\", ";", "#", "//", "/."];

/** In the order of `normalPath`. A percent sign without two digits would end `url_dec`. */
const NORMALIZED = [
  substitution("#.*", ""),
  substitution("%(?![0-9a-f]{2})", "%25", "ig"),
  "url_dec",
  "lower",
  substitution("\\x5c", "/", "g"),
  substitution(";[^/]*", "", "g"),
  substitution("/(/|[.](?=/|$))*", "/", "g"),
];
/** Removes each segment that `..` follows, innermost first, and `..` at the beginning. */
const WITHOUT_PARENTS = [
  substitution("/(?![.][.]/)[^/]+/[.][.](?=/|$)", "", "g"),
  substitution("^(/[.][.])+(?=/|$)", ""),
];
/** Deeper nesting is no path of a browser. */
const DEPTH = 8;

export function privatePathRules(from: { readonly activation: Activation | null }): string[] {
  const paths = privatePaths(from);
  if (paths.length === 0) return [];
  const notFound = 'http-request return status 404 content-type text/plain string "Not found" if';
  const spelled = paths.filter((path) => /^[!-~]+$/.test(path)).flatMap((path) => [path, `${path}/`]);
  const normal = "set-var(txn.path) var(txn.path)";
  return [
    ...(spelled.length === 0 ? [] : [`${notFound} { path -m str -i ${spelled.map(quoted).join(" ")} }`]),
    `acl unusual_path path -m sub ${UNUSUAL.map(quoted).join(" ")}`,
    `http-request set-var(txn.path) path,${NORMALIZED.join(",")} if unusual_path`,
    "acl parent_path var(txn.path) -m sub /..",
    ...Array.from(
      { length: DEPTH },
      () => `http-request ${normal},${WITHOUT_PARENTS.join(",")} if parent_path`,
    ),
    `http-request ${normal},${substitution("(.)/$", "\\1")},hex if unusual_path`,
    `${notFound} { var(txn.path) -m str -i ${paths.map(hexadecimal).join(" ")} }`,
    `${notFound} { var(txn.path) -m sub -i ${hexadecimal("/../")} }`,
  ];
}

function substitution(pattern: string, replacement: string, flags = ""): string {
  return `'regsub("${pattern}","${replacement}"${flags && `,${flags}`})'`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Decoded paths may contain any byte. */
function hexadecimal(path: string): string {
  return Buffer.from(path, "latin1").toString("hex");
}
