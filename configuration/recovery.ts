/**
 * Recovers a record that is lost, damaged, or older than what runs: found elsewhere, or rebuilt from what proxies, steps and
 * receipts know. Pure: takes the findings, returns a record or throws a refusal. If a record has the digest that a proxy or
 * a step's name contains, it is exactly the applied one. Otherwise, a record is made that matches what users get.
 */
import type { DirectorSpec } from "./director-spec";
import type { ProxyStatus } from "../release/director-status";
import { emptyRecord, formatRecord, parseRecord, recordDigest } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { Refusal } from "../release/failure";
import { releaseId } from "../release/release";
import type { Artifact, Release } from "../release/release";
import { otherSlot, SLOTS } from "../release/slot";

/** What one proxy's director remembers. On Azure less is known, and the digest is in Terraform's state. */
export type ProxyMemory = Pick<ProxyStatus, "proxy"> &
  Pick<
    ProxyStatus["state"],
    "sequence" | "recordDigest" | "stable" | "recorded" | "contracted" | "shared" | "brokenGlass"
  > &
  Partial<Pick<ProxyStatus["state"], "journal">>;

export type LiveRelease = NonNullable<ProxyMemory["stable"]>;
type KnownRelease = Omit<LiveRelease, "slot">;

/** A sequence that has begun, according to a step's name or an installer's fence. The digest may be truncated. */
export interface Begun {
  readonly sequence: number;
  readonly digest: string;
}

export interface FoundRecord {
  /** The source, for messages. */
  readonly where: string;
  readonly record: ReleaseRecord;
}

export interface Findings {
  readonly application: string;
  /** The current record, if it can be read. */
  readonly present: ReleaseRecord | null;
  readonly proxies: readonly ProxyMemory[];
  readonly begun: readonly Begun[];
  /** Proxies that did not answer, if any. */
  readonly silent?: readonly string[];
  /** Whole records, the most trusted first: from receipts, the last plan, the proxies, the steps. */
  readonly records: readonly FoundRecord[];
  /** The specs that steps passed to directors. */
  readonly specs: readonly DirectorSpec[];
  /** Releases with their artifacts. */
  readonly releases: readonly Release[];
  /** Artifacts without a known release. */
  readonly artifacts: readonly Artifact[];
  /** The sequence of each server's last heal that installed its current release. */
  readonly heals: Readonly<Record<string, number>>;
}

export type Recovery =
  | { readonly outcome: "nothing-to-recover"; readonly reason: string }
  | {
      readonly outcome: "recovered";
      readonly record: ReleaseRecord;
      /** exact: its digest is the one that was applied. reconstructed: it fits what users get. */
      readonly proof: "exact" | "reconstructed";
      readonly from: string;
      /** What is unknown and the consequence, one sentence each. */
      readonly unknown: readonly string[];
    };

/** If users were not moved by hand. @throws Refusal if the proxies disagree, or if the artifact of the live release is unknown. */
export function recoverRecord(findings: Findings): Recovery {
  const { present, proxies, records } = findings;
  const known = highestKnown(findings);
  const isProven = (record: ReleaseRecord): boolean =>
    record.application === findings.application &&
    record.sequence === known.sequence &&
    known.digests.some((digest) => recordDigest(record).startsWith(digest)) &&
    // Planned without knowing what users get, it was refused by every begin.
    proxies.every(({ stable }) => stable === null || serves(record, stable));

  if (present !== null && isProven(present))
    return nothing(`record ${present.sequence} was the last one applied`);
  if (known.sequence === 0) return withoutProxies(findings);

  const found = records.find(({ record }) => isProven(record));
  if (found !== undefined) {
    const { record, where: from } = found;
    return { outcome: "recovered", record, proof: "exact", from, unknown: [] };
  }
  const stable = agreedStable(proxies, known.sequence);
  const fits = present !== null && (stable === null || serves(present, stable));
  const noDigest = known.digests.length === 0 && present?.sequence === known.sequence;
  if (fits && (present.sequence > known.sequence || noDigest)) {
    return nothing(
      `record ${present.sequence} matches what users get, the proxies are at ${known.sequence}: \`bluegreen retry\` continues from it`,
    );
  }
  // Different content needs the next sequence, as every change does.
  return reconstruct(findings, stable, Math.max(known.sequence, present?.sequence ?? 0) + 1);
}

export function nothing(reason: string): Recovery {
  return { outcome: "nothing-to-recover", reason };
}

/** What a proxy accepted takes precedence over the name of a step, which it may have refused. */
function highestKnown({ proxies, begun }: Findings): { sequence: number; digests: string[] } {
  const sequence = Math.max(0, ...[...proxies, ...begun].map((each) => each.sequence));
  const accepted = proxies.flatMap((proxy) =>
    proxy.sequence === sequence && proxy.recordDigest ? [proxy.recordDigest] : [],
  );
  const [first, ...others] = [...new Set(accepted)];
  if (others.length > 0) {
    throw new Refusal(
      "proxies-disagree",
      `the proxies have record ${sequence} with different content (${[first, ...others].map((digest) => digest!.slice(0, 8)).join(", ")}): decide which one is right`,
    );
  }
  const named = begun.filter((each) => each.sequence === sequence).map(({ digest }) => digest);
  return { sequence, digests: first === undefined ? named : [first] };
}

/** Nothing was ever applied here, or all of it was destroyed, so no record can contradict it. */
function withoutProxies({ present, records, application }: Findings): Recovery {
  if (present !== null) return nothing("nothing was applied, so the record can't be wrong");
  const [best] = records
    .filter(({ record }) => record.application === application && record.sequence > 0)
    .sort((one, other) => other.record.sequence - one.record.sequence);
  if (best === undefined) {
    return {
      outcome: "recovered",
      record: emptyRecord(application),
      proof: "exact",
      from: "nothing was ever released here",
      unknown: [],
    };
  }
  return {
    outcome: "recovered",
    record: best.record,
    proof: "reconstructed",
    from: best.where,
    unknown: ["nothing is running to compare it with"],
  };
}

function agreedStable(proxies: readonly ProxyMemory[], sequence: number): LiveRelease | null {
  const [first, ...others] = proxies;
  if (first === undefined) {
    throw new Refusal(
      "unknown-release",
      `record ${sequence} has begun, but neither the record nor a proxy's status is found: restore the record from your repository's history`,
    );
  }
  const liveOn = ({ stable }: ProxyMemory) =>
    stable === null ? "nothing" : `${stable.releaseId} in ${stable.slot}`;
  const other = others.find((proxy) => liveOn(proxy) !== liveOn(first));
  if (other === undefined) return first.stable;
  throw new Refusal(
    "proxies-disagree",
    `${first.proxy} serves ${liveOn(first)}, ${other.proxy} ${liveOn(other)}, and no record is found that both accepted: restore it from your repository's history`,
  );
}

/** Whether users get this record's release, or the one that it replaces. */
function serves({ slots, previous }: ReleaseRecord, stable: LiveRelease): boolean {
  return [slots[stable.slot], previous].some((release) => release !== null && is(release, stable));
}

// --- a record that matches what users get -------------------------------------------------------------------------------------

export function reconstruct(findings: Findings, stable: LiveRelease | null, sequence: number): Recovery {
  const unknown: string[] = [];
  const contracted = [
    ...new Set([
      ...findings.proxies.flatMap((proxy) => proxy.contracted ?? []),
      ...findings.specs.flatMap((spec) => spec.contracted),
      ...(findings.present?.contracted ?? []),
      ...findings.records.flatMap(({ record }) => record.contracted ?? []),
    ]),
  ].sort();
  const common = {
    ...emptyRecord(findings.application),
    sequence,
    ...(contracted.length > 0 ? { contracted } : {}),
  };
  if (stable === null) {
    unknown.push("no release ever became live: a candidate, if any, is dropped");
    return checked(common, unknown);
  }
  const live = releaseFor(stable, findings);
  if (live === null) {
    const digest = stable.sha256 === undefined ? "" : ` (sha256 ${stable.sha256})`;
    throw new Refusal(
      "unknown-release",
      `${stable.releaseId} is live in ${stable.slot}, and its artifact is not found${digest}: ` +
        "put the file into the folder `artifacts` of the environment's work folder, or restore the record from your repository's history",
    );
  }
  const idle = otherSlot(stable.slot);
  const kept = keptBeside(stable, live, findings, unknown);
  const previous = previousOf(stable, findings);
  if (previous === null) {
    unknown.push(
      "previous is unknown, so `bluegreen rollback` is refused: to go back, release that version again",
    );
  }
  const shared = findings.proxies.every((proxy) => proxy.shared === true) ? { converge: true } : {};
  const slots = { ...common.slots, [stable.slot]: live, [idle]: kept };
  const heals = Object.entries(findings.heals).filter(([, healed]) =>
    SLOTS.some((slot) => healed > (slots[slot]?.run ?? sequence) && healed <= sequence),
  );
  return checked(
    {
      ...common,
      active: stable.slot,
      slots,
      previous,
      ...shared,
      ...(heals.length > 0 ? { heals: Object.fromEntries(heals) } : {}),
    },
    unknown,
  );
}

/** The release for the other slot: the one before the live one. A newer one never became stable, or was rolled back. */
function keptBeside(
  stable: LiveRelease,
  live: Release,
  findings: Findings,
  unknown: string[],
): Release | null {
  const idle = otherSlot(stable.slot);
  const recorded = findings.proxies[0]!.recorded?.find(({ slot }) => slot === idle);
  if (recorded === undefined) {
    unknown.push(`the release in ${idle} is unknown: the next release replaces it`);
    return null;
  }
  const release = releaseFor(recorded, findings);
  if (release !== null && release.run < live.run) return release;
  const why = release === null ? "its artifact is not found" : "it was not live before";
  unknown.push(`${recorded.releaseId} in ${idle} is dropped (${why}): the next release replaces it`);
  return null;
}

/** `previous` of the last record, if that record is about the live release. */
function previousOf(stable: LiveRelease, findings: Findings): Release | null {
  const spec = findings.specs.find(
    ({ target, slots, previous }) =>
      target === stable.slot && slots[target]?.releaseId === stable.releaseId && previous !== null,
  );
  const previous = spec?.previous ?? null;
  return previous === null ? null : releaseFor(previous, findings);
}

/** A release with its artifact: a known release, or an artifact with the same content. */
function releaseFor(wanted: KnownRelease, { releases, artifacts }: Findings): Release | null {
  const { releaseId: id, sha256 } = wanted;
  const known = releases.find((release) => is(release, wanted));
  const contracts = wanted.contracts ?? known?.contracts ?? [];
  const artifact = known?.artifact ?? artifacts.find((each) => each.sha256 === sha256);
  if (artifact === undefined) return null;
  return {
    version: id.replace(/-\d+$/, ""),
    run: Number(/-(\d+)$/.exec(id)?.[1]),
    artifact,
    ...(known?.migrations === undefined ? {} : { migrations: known.migrations }),
    ...(contracts.length === 0 ? {} : { contracts }),
  };
}

/** The last line of a step has no digest; the id alone identifies an artifact. */
function is(release: Release, { releaseId: id, sha256 }: KnownRelease): boolean {
  return releaseId(release) === id && (sha256 === undefined || release.artifact.sha256 === sha256);
}

/** Every command must accept the record. */
function checked(record: ReleaseRecord, unknown: readonly string[]): Recovery {
  return {
    outcome: "recovered",
    record: parseRecord(formatRecord(record), "the reconstructed record"),
    proof: "reconstructed",
    from: "what the proxies serve",
    unknown,
  };
}
