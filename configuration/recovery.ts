/**
 * A record that was lost, damaged, or is older than what runs: rebuilt from what others still know of it. Pure: what
 * was found comes in, the record or a refusal comes out. A digest that a proxy (or a step's name) knows is the proof
 * that a record is exactly the one that was applied; without it, one is made that fits what users get.
 */
import { isDeepStrictEqual } from "node:util";
import type { DirectorSpec } from "./director-spec";
import type { RecordedRelease } from "../release/sequence";
import type { MigrateSpec } from "../release/migrate-spec";
import { emptyRecord, formatRecord, idOrNull, parseRecord, recordDigest } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { Refusal } from "../release/refusal";
import { releaseId } from "../release/release";
import type { Artifact, Release } from "../release/release";
import type { Schedule } from "../release/schedule";
import { otherSlot, SLOTS } from "../release/slot";
import type { Slot } from "../release/slot";

/** A release as a director remembers it: everything but where its artifact is. */
export interface PlacedRelease extends RecordedRelease {
  readonly slot: Slot;
}

/** What one proxy's director remembers. */
export interface ProxyMemory {
  readonly proxy: string;
  readonly sequence: number;
  /** null where it is not told: on Azure, Terraform's state knows it. */
  readonly recordDigest: string | null;
  readonly stable: PlacedRelease | null;
  /** What the last record said of the slots. */
  readonly recorded: readonly PlacedRelease[];
  readonly contracted: readonly string[];
  /** Both slots serve the stable release, after a convergence. */
  readonly shared: boolean;
}

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
  /** The environment's, which applies where a record brings none. */
  readonly schedule: Schedule;
  /** The record as it is, where it can be read. */
  readonly present: ReleaseRecord | null;
  readonly proxies: readonly ProxyMemory[];
  readonly begun: readonly Begun[];
  /** Whole records, the most trusted first. */
  readonly records: readonly FoundRecord[];
  /** What steps told the directors. */
  readonly specs: readonly DirectorSpec[];
  /** What steps told the migrator. */
  readonly migrations: readonly MigrateSpec[];
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

/** @throws Refusal where the proxies disagree, or where nobody knows the artifact of what users get. */
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
  if (found !== undefined) return exact(found.record, found.where);
  const rebuilt = findings.specs.flatMap((spec) => rebuildFrom(spec, findings)).find(isProven);
  if (rebuilt !== undefined) return exact(rebuilt, "what Terraform gave the steps");

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

function exact(record: ReleaseRecord, from: string): Recovery {
  return { outcome: "recovered", record, proof: "exact", from, unknown: [] };
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

function agreedStable(proxies: readonly ProxyMemory[], sequence: number): PlacedRelease | null {
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
function serves(record: ReleaseRecord, stable: PlacedRelease): boolean {
  const { slots, previous } = record;
  return [slots[stable.slot], previous].some(
    (entry) => idOrNull(entry) === stable.releaseId && entry?.artifact.sha256 === stable.sha256,
  );
}

// --- exactly what was applied, from what the directors were told ------------------------------------------------------

/** All records that this spec may have come from; the digest tells which. */
function rebuildFrom(spec: DirectorSpec, findings: Findings): ReleaseRecord[] {
  const choices = (recorded: RecordedRelease | null): (Release | null)[] =>
    recorded === null ? [null] : releasesFor(recorded, findings);
  const { sequence, target, goal, retry, contracted, application, schedule } = spec;
  const optional: Partial<ReleaseRecord>[] = [
    {},
    { converge: true },
    { migrate: true },
    { converge: true, migrate: true },
    ...findings.migrations.flatMap(({ sequence: of, resolve }) =>
      of !== sequence || resolve === undefined
        ? []
        : [
            { migrate: true, resolve },
            { converge: true, migrate: true, resolve },
          ],
    ),
  ];
  const healed = Object.fromEntries(spec.healing.map((server) => [server, sequence]));
  const heals = [{}, findings.heals, healed, { ...findings.heals, ...healed }];
  const records: ReleaseRecord[] = [];
  for (const blue of choices(spec.slots.blue)) {
    for (const green of choices(spec.slots.green)) {
      for (const previous of choices(spec.previous)) {
        for (const more of optional) {
          for (const given of heals) {
            const facts = { application, sequence, active: target, goal, slots: { blue, green }, previous };
            records.push({
              formatVersion: 1,
              ...facts,
              ...more,
              ...(retry ? { retry: true } : {}),
              // No part of the digest; what the steps were given is what applied.
              ...(isDeepStrictEqual(schedule, findings.schedule) ? {} : { schedule }),
              ...(contracted.length > 0 ? { contracted } : {}),
              ...(Object.keys(given).length > 0 ? { heals: given } : {}),
            });
          }
        }
      }
    }
  }
  return records.filter((record) => recordDigest(record) === spec.recordDigest);
}

/** A release by its id and digest, with everything that is known of where its artifact is. */
function releasesFor(
  recorded: RecordedRelease,
  { releases, artifacts }: Pick<Findings, "releases" | "artifacts">,
): Release[] {
  const run = Number(/-(\d+)$/.exec(recorded.releaseId)?.[1]);
  const version = recorded.releaseId.replace(/-\d+$/, "");
  const contracts = recorded.contracts.length === 0 ? {} : { contracts: recorded.contracts };
  const known = releases
    .filter(
      (release) => releaseId(release) === recorded.releaseId && release.artifact.sha256 === recorded.sha256,
    )
    .flatMap(({ artifact, migrations }) => [
      ...(migrations === undefined ? [] : [{ version, run, artifact, migrations, ...contracts }]),
      { version, run, artifact, ...contracts },
    ]);
  const kept = artifacts
    .filter(({ sha256 }) => sha256 === recorded.sha256)
    .map((artifact) => ({ version, run, artifact, ...contracts }));
  const all = new Map([...known, ...kept].map((release) => [JSON.stringify(release), release]));
  return [...all.values()];
}

// --- one that fits what users get -------------------------------------------------------------------------------------

function reconstruct(findings: Findings, stable: PlacedRelease | null, sequence: number): Recovery {
  const unknown: string[] = [];
  const contracted = [
    ...new Set([
      ...findings.proxies.flatMap((proxy) => proxy.contracted),
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
  const [live] = releasesFor(stable, findings);
  if (live === undefined) {
    throw new Refusal(
      "unknown-release",
      `${stable.releaseId} is live in ${stable.slot}, and nobody knows where its artifact is (sha256 ${stable.sha256}): ` +
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
  const shared = findings.proxies.every((proxy) => proxy.shared) ? { converge: true } : {};
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
  stable: PlacedRelease,
  live: Release,
  findings: Findings,
  unknown: string[],
): Release | null {
  const idle = otherSlot(stable.slot);
  const recorded = findings.proxies[0]!.recorded.find(({ slot }) => slot === idle);
  if (recorded === undefined) {
    unknown.push(`what ${idle} holds is unknown: the next release replaces it`);
    return null;
  }
  const [release] = releasesFor(recorded, findings);
  if (release !== undefined && release.run < live.run) return release;
  const why =
    release === undefined ? "nobody knows where its artifact is" : "it is not what users were served last";
  unknown.push(`${recorded.releaseId} in ${idle} is given up (${why}): the next release replaces it`);
  return null;
}

/** What the last record said of it, as long as that record is about what is live now. */
function previousOf(stable: PlacedRelease, findings: Findings): Release | null {
  const spec = findings.specs.find(
    ({ target, slots, previous }) =>
      target === stable.slot && slots[target]?.releaseId === stable.releaseId && previous !== null,
  );
  const said = spec?.previous ?? null;
  return said === null ? null : (releasesFor(said, findings)[0] ?? null);
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
