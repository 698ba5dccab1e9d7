/** If a rollback is refused: the newest release that was live before and is still allowed by the database and by bans. */
import { banOf } from "./bans";
import { idOrNull, target } from "./record";
import type { ReleaseRecord } from "./record";
import { missingFrom, releaseId } from "./release";
import type { Release, ReleaseId } from "./release";

/** A record that was applied, and what was stable afterwards. */
export interface PastRelease {
  readonly record: ReleaseRecord;
  readonly stable: ReleaseId | null;
}

/** @param past oldest first. @returns null if none is known. */
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
  if (safe === null) return "No earlier release is known to be safe: release a new version";
  const { version, artifact } = safe;
  return `The newest safe release is ${releaseId(safe)}: \`bluegreen release ${version} --artifact ${artifact.url} --sha256 ${artifact.sha256}\``;
}
