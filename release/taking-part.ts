/**
 * Which proxies take part in a sequence. A proxy that does not answer is left out of an abort or a rollback, so that it
 * can't keep the users of the others on a bad release. A proxy that missed a sequence, or came back with an old state,
 * first catches up. Pure.
 */
import type { ProxyStatus } from "./director-status";
import { EXIT } from "./exit-code";
import { Failure, Refusal } from "./failure";
import type { CatchUp, ReleaseRecord } from "./record";

/** A proxy that does not answer, and why. */
export interface Silent {
  readonly proxy: string;
  readonly problem: string;
}

/** What all proxies of an environment answered. */
export interface Survey {
  readonly statuses: readonly ProxyStatus[];
  readonly silent: readonly Silent[];
  /** Why what users get is not known, although releases were applied here. Undefined if it is known. */
  readonly unknown?: string;
}

export const NOBODY: Survey = { statuses: [], silent: [] };

/** What an operation does about proxies that do not answer, or are behind. */
export interface Demands {
  /** Proxies that the operator leaves out. */
  readonly without: readonly string[];
  /**
   * Which silent proxies it leaves out by itself: none, those that were left out before, or any. The last one also brings
   * proxies with an old state to the record.
   */
  readonly leavesOut: "none" | "leftOut" | "silent";
  /** Proxies whose old state the operator replaces (`bluegreen heal`). */
  readonly heals: readonly string[];
}

export interface TakingPart {
  /** The proxies that decide what users get: up to date, and not left out. */
  readonly current: readonly ProxyStatus[];
  readonly behind: readonly string[];
  readonly leftOut: readonly string[];
  /** See the record's field. */
  readonly follows: number;
}

/**
 * @param proxies the environment's, by name.
 * @throws Refusal if a proxy does not answer or has an old state, and the operation needs all.
 */
export function takingPart(
  before: ReleaseRecord,
  proxies: readonly string[],
  { statuses, silent }: Survey,
  { without, leavesOut, heals }: Demands,
): TakingPart {
  const answering = statuses.filter(({ proxy }) => !without.includes(proxy));
  const missing = silent.filter(({ proxy }) => !without.includes(proxy));
  const known = leavesOut === "leftOut" ? (before.leftOut ?? []) : [];
  const unexpected = leavesOut === "silent" ? [] : missing.filter(({ proxy }) => !known.includes(proxy));
  if (unexpected.length > 0) throw silentRefusal(unexpected);
  if (missing.length > 0 && answering.length === 0) {
    throw new Failure(
      `no proxy answers: ${missing.map(({ problem }) => problem).join("; ")}. Start one, then try again`,
      EXIT.unexpected,
    );
  }
  const leftOut = proxies.filter(
    (proxy) => without.includes(proxy) || missing.some((each) => each.proxy === proxy),
  );
  const took = answering.filter(({ proxy }) => !isKnownBehind(before, proxy, answering));
  // After `bluegreen down` all proxies start anew: there is no state that one of them could have missed.
  const anew = missing.length === 0 && answering.every(({ state }) => state.sequence === 0);
  const follows = anew ? 0 : Math.max(before.follows ?? 0, lastCommon(took));
  const old = took.filter(({ state }) => state.sequence < follows);
  // A new proxy, with sequence 0, has nothing to lose.
  const lost = old.filter(
    ({ proxy, state }) => state.sequence > 0 && leavesOut !== "silent" && !heals.includes(proxy),
  );
  if (lost.length > 0) throw behindRefusal(lost, follows);
  const current = took.filter((status) => !old.includes(status));
  if (current.length === 0 && answering.length > 0) {
    throw new Refusal(
      "proxy-behind",
      `${names(answering)} missed record ${follows}, and no proxy that has it answers: start ${leftOut.join(", ")} again first`,
    );
  }
  // On Azure a proxy without a report is new.
  const behind =
    current.length === 0 ? [] : proxies.filter((proxy) => !isOf(current, proxy) && !leftOut.includes(proxy));
  return { current, behind, leftOut, follows };
}

/**
 * The proxies that answer and are behind, for `bluegreen status`: left out of the record's sequence, or with a state older
 * than the others'.
 */
export function behindOf(record: ReleaseRecord, statuses: readonly ProxyStatus[]): string[] {
  const took = statuses.filter(({ proxy }) => !isKnownBehind(record, proxy, statuses));
  const follows = Math.max(record.follows ?? 0, lastCommon(took));
  return statuses
    .filter((status) => !took.includes(status) || status.state.sequence < follows)
    .map(({ proxy }) => proxy);
}

/**
 * Adds to a new record which proxies are left out, and which catch up.
 * @param shared whether both slots serve `release`. @param release what the current proxies have live.
 */
export function withProxies(
  record: ReleaseRecord,
  { behind, leftOut, follows }: TakingPart,
  { release, shared }: Pick<CatchUp, "release" | "shared">,
): ReleaseRecord {
  const { leftOut: _, catchUp: __, follows: ___, ...rest } = record;
  return {
    ...rest,
    ...(leftOut.length === 0 ? {} : { leftOut: [...leftOut] }),
    ...(behind.length === 0
      ? {}
      : { catchUp: { proxies: [...behind], release, ...(shared === true ? { shared } : {}) } }),
    ...(follows === 0 ? {} : { follows }),
  };
}

/** Those that would catch up are left out, too. */
export function withoutBehind(part: TakingPart): TakingPart {
  return { ...part, behind: [], leftOut: [...part.leftOut, ...part.behind].sort() };
}

/** What a plan does about proxies, in sentences. */
export function describeProxies({ leftOut = [], catchUp }: ReleaseRecord): string[] {
  return [
    ...leftOut.map((proxy) => `${proxy} is left out: it does not answer, and gets no step`),
    ...(catchUp?.proxies ?? []).map(
      (proxy) => `${proxy} first catches up with ${catchUp?.release ?? "the record"}`,
    ),
  ];
}

/** The sequence of which every proxy that took part has seen the begin: no proxy switches before all have begun. */
function lastCommon(statuses: readonly ProxyStatus[]): number {
  return Math.max(
    0,
    ...statuses.flatMap(({ state: { result } }) =>
      result !== null && (result.step === "switch" || result.step === "share") ? [result.sequence] : [],
    ),
  );
}

/** Left out of the last sequence, or its catching up in it did not come to an end. */
function isKnownBehind(
  { leftOut = [], catchUp, sequence }: ReleaseRecord,
  proxy: string,
  statuses: readonly ProxyStatus[],
): boolean {
  if (leftOut.includes(proxy)) return true;
  if (catchUp?.proxies.includes(proxy) !== true) return false;
  const state = statuses.find((status) => status.proxy === proxy)?.state;
  const others = statuses.filter((status) => !catchUp.proxies.includes(status.proxy));
  const isSame = others.some((other) => other.state.stable?.releaseId === state?.stable?.releaseId);
  return others.length > 0 && (state === undefined || state.sequence < sequence || !isSame);
}

function isOf(statuses: readonly ProxyStatus[], proxy: string): boolean {
  return statuses.some((status) => status.proxy === proxy);
}

function names(proxies: readonly { readonly proxy: string }[], separator = ", "): string {
  return proxies.map(({ proxy }) => proxy).join(separator);
}

function silentRefusal(silent: readonly Silent[]): Refusal {
  const options = silent.map(({ proxy }) => `--without ${proxy}`).join(" ");
  return new Refusal(
    "proxy-silent",
    `${silent.map(({ problem }) => problem).join("; ")}; nothing was changed. Start ${names(silent)} again; \`bluegreen rollback\` and \`abort\` go on without it, and \`bluegreen retry ${options}\` leaves it out`,
  );
}

function behindRefusal(old: readonly ProxyStatus[], follows: number): Refusal {
  const each = old.map(
    ({ proxy, state }) =>
      `${proxy} is at record ${state.sequence} with ${state.stable?.releaseId ?? "nothing"}`,
  );
  return new Refusal(
    "proxy-behind",
    `${each.join(", ")}, but record ${follows} was applied here: it came back with an old state. \`bluegreen heal ${names(old, " ")}\` verifies what the others serve and moves its users there`,
  );
}
