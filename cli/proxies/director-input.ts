/**
 * How a director on this machine gets its spec: in its environment, which other accounts can't read. All can read arguments,
 * and the spec may have a header with a password.
 */
import { readFileSync } from "node:fs";
import { encodeSpec } from "../../configuration/director-spec";
import type { DirectorSpec } from "../../configuration/director-spec";

const VARIABLE = "DIRECTOR_SPEC";
/** In the usage of a director that knows references. */
const KNOWN = "env:NAME";

export interface DirectorInput {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** @param director its bundle. That of an earlier version only knows the argument. */
export function directorInput(director: string, spec: DirectorSpec): DirectorInput {
  const encoded = encodeSpec(spec);
  return readFileSync(director, "utf8").includes(KNOWN)
    ? { args: ["--spec", `env:${VARIABLE}`], env: { [VARIABLE]: encoded } }
    : { args: ["--spec", encoded], env: {} };
}
