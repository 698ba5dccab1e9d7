/** Checks a release's fields against the record's schema before anything is packed, fetched or published. */
import { InvalidInput } from "../../release/failure";
import * as z from "zod/mini";
import { Artifact, Version } from "../../release/release";
import { describeIssues } from "../../release/validation";

/** @throws Failure (bad input) */
export function checkVersion(version: string): void {
  check(Version, version);
}

/** @throws Failure (bad input) */
export function checkAddress(url: string): void {
  check(Artifact.shape.url, url);
}

/** @throws Failure (bad input) */
export function checkedArtifact(url: string, sha256: string): Artifact {
  return check(Artifact, { url, sha256 });
}

function check<T extends z.ZodMiniType>(schema: T, given: unknown): z.infer<T> {
  const checked = z.safeParse(schema, given);
  if (!checked.success) throw new InvalidInput(describeIssues(checked.error).replace(/^the whole: /, ""));
  return checked.data;
}
