/**
 * The spec that this proxy got last, from a begin or a configure, stored beside its state: with it, an operator on the
 * proxy needs nothing from outside. Its sequence and releases are not used, the state knows them better.
 */
import { existsSync, readFileSync } from "node:fs";
import * as z from "zod/mini";
import { DirectorSpec } from "../../configuration/director-spec";
import { EXIT } from "../../release/exit-code";
import { Failure, InvalidInput } from "../../release/failure";
import { describeIssues } from "../../release/validation";
import { writeAtomically } from "../../system/atomic-file";
import { referred } from "./referred";

const SPEC_FILE = "spec.json";

export function storeSpec(spec: DirectorSpec): void {
  const { record: _, ...stored } = spec;
  writeAtomically(SPEC_FILE, `${JSON.stringify(stored)}\n`);
}

function storedSpec(): DirectorSpec {
  if (!existsSync(SPEC_FILE)) throw unusable(`is not in ${process.cwd()}, which must be the proxy's folder`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(SPEC_FILE, "utf8"));
  } catch (error) {
    throw unusable(`is damaged (${(error as Error).message})`);
  }
  const parsed = z.safeParse(DirectorSpec, json);
  if (parsed.success) return parsed.data;
  throw unusable(`is another version's (${describeIssues(parsed.error)})`);
}

/**
 * The stored spec, which the proxy was configured with; otherwise what an operator's machine gave.
 * @throws Failure (refused) without either.
 */
export function chosenSpec(given: DirectorSpec | null): DirectorSpec {
  try {
    return storedSpec();
  } catch (error) {
    if (given === null) throw error;
    return given;
  }
}

function unusable(problem: string): Failure {
  return new Failure(`${SPEC_FILE} ${problem}: deploy the base stack, which stores it`, EXIT.refused);
}

/** @param given the spec in base64, or "env:NAME": all accounts can read arguments. @throws InvalidInput */
export function decodeSpec(given: string): DirectorSpec {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(referred(given), "base64").toString("utf8"));
  } catch {
    throw new InvalidInput("--spec is not base64 JSON");
  }
  const parsed = z.safeParse(DirectorSpec, json);
  if (!parsed.success) {
    throw new InvalidInput(
      `--spec: ${describeIssues(parsed.error)}; if the director on this proxy is older than the web stack, deploy the base stack first`,
    );
  }
  return parsed.data;
}
