/** Where a rollback is refused: the newest release that once was live, and that the database and the team still allow. */
import { banOf } from "./bans";
import { idOrNull, target } from "./record";
import type { ReleaseRecord } from "./record";
import { missingFrom, releaseId } from "./release";
import type { Release, ReleaseId } from "./release";

/** A record that was carried out, and what was stable afterwards. */
export interface PastRelease {
  readonly record: ReleaseRecord;
  readonly stable: ReleaseId | null;
}

/** @param past oldest first. @returns null where none is known. */
export function newestSafeRelease(now: ReleaseRecord, past: readonly PastRelease[]): Release | null {
  const current = target(now);
  const known = past.flatMap(({ record, stable }) => {
    const release = target(record);
    return release !== null && idOrNull(release) === stable ? [release] : [];
  });
  const isSafe = (release: Release): boolean =>
    release.version !== current?.version &&
    banOf(now, release.version) === undefined &&
    missingFrom(release, now.contracted ?? []) === undefined;
  return known.findLast(isSafe) ?? null;
}

export function describeSafeRelease(safe: Release | null): string {
  if (safe === null) return "No earlier release is known that would be safe: release a new version";
  const { version, artifact } = safe;
  return `The newest release that is safe is ${releaseId(safe)}: \`bluegreen release ${version} --artifact ${artifact.url} --sha256 ${artifact.sha256}\``;
}
