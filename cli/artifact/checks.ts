/** What a record may say of a release, checked before anything is packed, fetched or published. */
import * as z from "zod/mini";
import { EXIT } from "../../release/exit-code";
import { Artifact, Version } from "../../release/release";
import { describeIssues } from "../../release/validation";
import { OperatorError } from "../operator-error";

/** @throws OperatorError (bad input) */
export function checkVersion(version: string): void {
  check(Version, version);
}

/** @throws OperatorError (bad input) */
export function checkAddress(url: string): void {
  check(Artifact.shape.url, url);
}

/** @throws OperatorError (bad input) */
export function checkedArtifact(url: string, sha256: string): Artifact {
  return check(Artifact, { url, sha256 });
}

function check<T extends z.ZodMiniType>(schema: T, given: unknown): z.infer<T> {
  const checked = z.safeParse(schema, given);
  if (!checked.success)
    throw new OperatorError(describeIssues(checked.error).replace(/^the whole: /, ""), EXIT.badInput);
  return checked.data;
}
