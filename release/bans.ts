/** Versions that must never serve users again. A ban is for the whole team, so it is in the record. It takes no sequence. */
import type { Ban, ReleaseRecord } from "./record";
import { InvalidInput, Refusal } from "./failure";

/** @throws InvalidInput if the version is already banned. */
export function ban(record: ReleaseRecord, entry: Ban): ReleaseRecord {
  const known = banOf(record, entry.version);
  if (known !== undefined) {
    throw new InvalidInput(`${entry.version} is already banned: ${describe(known)}`);
  }
  return { ...record, banned: [...(record.banned ?? []), entry] };
}

/** @throws InvalidInput if the version is not banned. */
export function liftBan(record: ReleaseRecord, version: string): ReleaseRecord {
  if (banOf(record, version) === undefined) throw new InvalidInput(`${version} is not banned`);
  const { banned = [], ...rest } = record;
  const left = banned.filter((each) => each.version !== version);
  return left.length === 0 ? rest : { ...rest, banned: left };
}

/** @throws Refusal with the reason for the ban. */
export function requireNotBanned(record: ReleaseRecord, version: string): void {
  const known = banOf(record, version);
  if (known === undefined) return;
  throw new Refusal(
    "banned",
    `${version} is banned: ${describe(known)}; choose another version, or lift the ban with \`bluegreen ban --lift ${version}\``,
  );
}

export function banOf({ banned = [] }: ReleaseRecord, version: string): Ban | undefined {
  return banned.find((each) => each.version === version);
}

function describe({ reason, by, at }: Ban): string {
  return `${reason} (${by}, ${at.slice(0, 10)})`;
}
