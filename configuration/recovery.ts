/**
 * A record that was lost, damaged, or is older than what runs: read back, or rebuilt from what others still know of it.
 * Pure: what was found comes in, the record or a refusal comes out. A digest that a proxy (or a step's name) knows is the
 * proof that a record is exactly the one that was applied; where none is proven, one is made that fits what users get.
 */
import type { DirectorSpec } from "./director-spec";
import type { ProxyStatus } from "../release/director-status";
import { emptyRecord, formatRecord, parseRecord, recordDigest } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { Refusal } from "../release/failure";
import { releaseId } from "../release/release";
import type { Artifact, Release } from "../release/release";
import { otherSlot, SLOTS } from "../release/slot";

/** What one proxy's director remembers. On Azure less of it is known, and Terraform's state knows the digest. */
export type ProxyMemory = Pick<ProxyStatus, "proxy"> &
  Pick<ProxyStatus["state"], "sequence" | "recordDigest" | "stable" | "recorded" | "contracted" | "shared">;

type LiveRelease = NonNullable<ProxyMemory["stable"]>;
type KnownRelease = Omit<LiveRelease, "slot">;

/** A sequence that began somewhere, as a step's name or an installer's fence tells; the digest may be its beginning. */
export interface Begun {
  readonly sequence: number;
  readonly digest: string;
}

export interface FoundRecord {
  /** For people: which file. */
  readonly where: string;
  readonly record: ReleaseRecord;
}

export interface Findings {
  readonly application: string;
  /** The record as it is, where it can be read. */
  readonly present: ReleaseRecord | null;
  readonly proxies: readonly ProxyMemory[];
  readonly begun: readonly Begun[];
  /** Whole records, the most trusted first: of receipts, of the last plan, of the proxies, of the steps. */
  readonly records: readonly FoundRecord[];
  /** What steps told the directors. */
  readonly specs: readonly DirectorSpec[];
  /** Releases with their artifacts. */
  readonly releases: readonly Release[];
  /** Artifacts of which only the content is known. */
  readonly artifacts: readonly Artifact[];
  /** By server, the sequence of its last heal that installed what is there. */
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
      /** What could not be known, and what that means; a sentence each. */
      readonly unknown: readonly string[];
    };

/** @throws Refusal if the proxies disagree, or where nobody knows the artifact of what users get. */
export function recoverRecord(findings: Findings): Recovery {
  const { present, proxies, records } = findings;
  const known = highestKnown(findings);
  const isProven = (record: ReleaseRecord): boolean =>
    record.application === findings.application &&
    record.sequence === known.sequence &&
    known.digests.some((digest) => recordDigest(record).startsWith(digest));

  if (present !== null && isProven(present))
    return nothing(`record ${present.sequence} is the one that was applied last`);
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
      `record ${present.sequence} fits what users get, and proxies know ${known.sequence}: \`bluegreen retry\` goes on from it`,
    );
  }
  // Other content than was known by that number takes the next one, as every change does.
  return reconstruct(findings, stable, Math.max(known.sequence, present?.sequence ?? 0) + 1);
}

function nothing(reason: string): Recovery {
  return { outcome: "nothing-to-recover", reason };
}

/** What a proxy accepted counts more than what a step was called, which it may have refused. */
function highestKnown({ proxies, begun }: Findings): { sequence: number; digests: string[] } {
  const sequence = Math.max(0, ...[...proxies, ...begun].map((each) => each.sequence));
  const accepted = proxies.flatMap((proxy) =>
    proxy.sequence === sequence && proxy.recordDigest ? [proxy.recordDigest] : [],
  );
  const [first, ...others] = [...new Set(accepted)];
  if (others.length > 0) {
    throw new Refusal(
      "proxies-disagree",
      `the proxies know record ${sequence} with different content (${[first, ...others].map((digest) => digest!.slice(0, 8)).join(", ")}): a person has to say which one is right`,
    );
  }
  const named = begun.filter((each) => each.sequence === sequence).map(({ digest }) => digest);
  return { sequence, digests: first === undefined ? named : [first] };
}

/** Nothing was ever applied here, or all of it was taken down: there is nothing that a record could contradict. */
function withoutProxies({ present, records, application }: Findings): Recovery {
  if (present !== null) return nothing("nothing was applied that the record could contradict");
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
    unknown: ["nothing runs that it could be compared with"],
  };
}

function agreedStable(proxies: readonly ProxyMemory[], sequence: number): LiveRelease | null {
  const [first, ...others] = proxies;
  if (first === undefined) {
    throw new Refusal(
      "unknown-release",
      `record ${sequence} was begun, and neither it nor a proxy that says what users get is found: take the record from the history of your repository`,
    );
  }
  const says = ({ stable }: ProxyMemory) =>
    stable === null ? "nothing" : `${stable.releaseId} in ${stable.slot}`;
  const other = others.find((proxy) => says(proxy) !== says(first));
  if (other === undefined) return first.stable;
  throw new Refusal(
    "proxies-disagree",
    `${first.proxy} serves ${says(first)}, ${other.proxy} ${says(other)}, and no record is found that both were given: take it from the history of your repository`,
  );
}

/** Whether users get what this record says, or what it was to replace. */
function serves({ slots, previous }: ReleaseRecord, stable: LiveRelease): boolean {
  return [slots[stable.slot], previous].some((release) => release !== null && is(release, stable));
}

// --- one that fits what users get -------------------------------------------------------------------------------------

function reconstruct(findings: Findings, stable: LiveRelease | null, sequence: number): Recovery {
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
    unknown.push("no release ever became live: a candidate, if there was one, is given up");
    return checked(common, unknown);
  }
  const live = releaseFor(stable, findings);
  if (live === null) {
    const digest = stable.sha256 === undefined ? "" : ` (sha256 ${stable.sha256})`;
    throw new Refusal(
      "unknown-release",
      `${stable.releaseId} is live in ${stable.slot}, and nobody knows where its artifact is${digest}: ` +
        "put the file into the folder `artifacts` of the environment's work folder, or take the record from the history of your repository",
    );
  }
  const idle = otherSlot(stable.slot);
  const kept = keptBeside(stable, live, findings, unknown);
  const previous = previousOf(stable, findings);
  if (previous === null) {
    unknown.push(
      "previous is unknown: `bluegreen rollback` is refused; to go back, release that version again",
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

/** What stays in the other slot: the release before the live one. A newer one never became stable, or was left. */
function keptBeside(
  stable: LiveRelease,
  live: Release,
  findings: Findings,
  unknown: string[],
): Release | null {
  const idle = otherSlot(stable.slot);
  const recorded = findings.proxies[0]!.recorded?.find(({ slot }) => slot === idle);
  if (recorded === undefined) {
    unknown.push(`what ${idle} holds is unknown: the next release replaces it`);
    return null;
  }
  const release = releaseFor(recorded, findings);
  if (release !== null && release.run < live.run) return release;
  const why =
    release === null ? "nobody knows where its artifact is" : "it is not what users were served last";
  unknown.push(`${recorded.releaseId} in ${idle} is given up (${why}): the next release replaces it`);
  return null;
}

/** What the last record said of it, as long as that record is about what is live now. */
function previousOf(stable: LiveRelease, findings: Findings): Release | null {
  const spec = findings.specs.find(
    ({ target, slots, previous }) =>
      target === stable.slot && slots[target]?.releaseId === stable.releaseId && previous !== null,
  );
  const previous = spec?.previous ?? null;
  return previous === null ? null : releaseFor(previous, findings);
}

/** A release with where its artifact is: as it is known, or else by an artifact of the same content. */
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

/** The last line of a step names no digest: the id alone names one artifact. */
function is(release: Release, { releaseId: id, sha256 }: KnownRelease): boolean {
  return releaseId(release) === id && (sha256 === undefined || release.artifact.sha256 === sha256);
}

/** It shall be a record that every command accepts. */
function checked(record: ReleaseRecord, unknown: readonly string[]): Recovery {
  return {
    outcome: "recovered",
    record: parseRecord(formatRecord(record), "the reconstructed record"),
    proof: "reconstructed",
    from: "what the proxies serve",
    unknown,
  };
}
