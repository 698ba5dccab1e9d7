/**
 * Recovers the record after users were moved by hand: the next one asks for what they get now, with the slots of the record
 * that was in force, so that applying it installs nothing. Pure.
 */
import { takenOver, wasInForce } from "../release/break-glass";
import { describeBrokenGlass } from "../release/moved-by-hand";
import type { BrokenGlass } from "../release/moved-by-hand";
import { Refusal } from "../release/failure";
import { formatRecord, parseRecord } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { nothing, reconstruct } from "./recovery";
import type { Findings, ProxyMemory, Recovery } from "./recovery";

/** What the recovered record takes over. */
export interface MovedByHand extends BrokenGlass {
  readonly proxies: readonly string[];
  /** The record that was in force; null if it was not found. */
  readonly before: ReleaseRecord | null;
}

interface RecoveredByHand {
  readonly recovery: Recovery;
  readonly byHand: MovedByHand;
}

type Moved = ProxyMemory & { readonly brokenGlass: BrokenGlass };

/** @returns null if no users were moved by hand. @throws Refusal if they were moved to different releases. */
export function recoverByHand(findings: Findings): RecoveredByHand | null {
  const { present, proxies, silent = [] } = findings;
  const moved = proxies.filter((proxy): proxy is Moved => (proxy.brokenGlass ?? null) !== null);
  const [first] = [...moved].sort(latestFirst);
  if (first === undefined) return null;
  const broken = combined(first.brokenGlass, moved);
  const names = moved.map(({ proxy }) => proxy);
  const before = recordInForce(findings, broken);
  const byHand = { ...broken, proxies: names, before };
  if (present !== null && present.sequence > broken.sequence) {
    const taken = `record ${present.sequence} takes over that ${describeBrokenGlass(broken)}: the next command applies it`;
    return { recovery: nothing(taken), byHand };
  }
  const begun = [...proxies, ...findings.begun].map(({ sequence }) => sequence);
  const sequence = Math.max(broken.sequence, present?.sequence ?? 0, ...begun) + 1;
  const others = proxies.filter(({ stable }) => stable?.releaseId !== broken.to.releaseId);
  const behind = [...silent, ...others.map(({ proxy }) => proxy)];
  const problems = [
    ...silent.map((proxy) => `${proxy} did not answer`),
    ...others.map(({ proxy, stable }) => `${proxy} serves ${stable?.releaseId ?? "nothing"}`),
  ].map(
    (problem) =>
      `${problem}: it is left out, and \`bluegreen retry\` moves its users to ${broken.to.releaseId}`,
  );
  if (before === null) {
    const { contracts = [] } = first.stable ?? {};
    const recovery = reconstruct(
      { ...findings, proxies: moved },
      { ...broken.to, ...first.stable, contracts },
      sequence,
    );
    if (recovery.outcome === "recovered")
      return { recovery: { ...recovery, unknown: [...recovery.unknown, ...problems] }, byHand };
    return { recovery, byHand };
  }
  const record = takenOver(before, broken, sequence, behind);
  const contracted = [...new Set([before, ...proxies].flatMap((each) => each.contracted ?? []))].sort();
  const banned = present?.banned ?? before.banned;
  const whole = {
    ...record,
    ...(contracted.length > 0 ? { contracted } : {}),
    ...(banned === undefined ? {} : { banned }),
  };
  const recovery: Recovery = {
    outcome: "recovered",
    record: parseRecord(formatRecord(whole), "the record that takes over"),
    proof: "reconstructed",
    from: `${names.join(" and ")}: ${describeBrokenGlass(broken)}`,
    unknown: problems,
  };
  return { recovery, byHand };
}

function latestFirst(one: Moved, other: Moved): number {
  return other.brokenGlass.sequence - one.brokenGlass.sequence || one.brokenGlass.at - other.brokenGlass.at;
}

/** On one proxy users may have left a release that was a candidate on another. */
function combined(first: BrokenGlass, moved: readonly Moved[]): BrokenGlass {
  const other = moved.find(
    ({ brokenGlass: { to } }) => to.releaseId !== first.to.releaseId || to.slot !== first.to.slot,
  );
  if (other !== undefined) {
    const each = moved.map(({ proxy, brokenGlass: { to } }) => `${proxy} to ${to.releaseId}`);
    throw new Refusal(
      "proxies-disagree",
      `users were moved by hand to different releases, on ${each.join(", on ")}: restore the record from your repository's history`,
    );
  }
  return { ...first, wasStable: moved.some(({ brokenGlass }) => brokenGlass.wasStable) };
}

/** The latest record that matches; others that were planned later never began. */
function recordInForce(
  { application, present, records }: Findings,
  broken: BrokenGlass,
): ReleaseRecord | null {
  const known = [...records.map(({ record }) => record), ...(present === null ? [] : [present])];
  const [latest] = known
    .filter((record) => record.application === application && wasInForce(record, broken))
    .sort((one, other) => other.sequence - one.sequence);
  return latest ?? null;
}
