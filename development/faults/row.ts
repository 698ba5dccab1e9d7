/**
 * A row of the fault matrix: one real fault, the phases of a release in which it is injected, and for each phase the
 * documented end state.
 */
import type { Ability } from "./abilities";
import type { InjectionPoint } from "./injection-points";
import type { ReleaseUnderWay, ReleaseWish, WorldKind } from "./release-under-way";
import type { Stage } from "./stage";

/** A next step after a fault. Each is carried out, and must succeed. */
export type NextStep =
  | "retry"
  | "abort"
  | "next release"
  /** A release that must be refused before another step helps. */
  | "refused release"
  | "heal"
  | "rollback"
  | "recover"
  | "down"
  | ProxyStep;

/** A command after which all users get the row's `endsOn`. */
export interface ProxyStep {
  readonly command: readonly string[];
  readonly exit: number;
}

/** Failed requests that a row may cost, and the longest time without any good answer. */
interface Cost {
  readonly requests: number;
  readonly gapMs: number;
  /** Why this is not avoidable. */
  readonly because: string;
}

/** How a release with the fault ends. */
export interface EndState {
  /** Exit codes of the command; "killed" if the fault kills it. */
  readonly exit: readonly (number | "killed")[];
  /** What all requests get then. "verified": both releases, each verified, until the next step. */
  readonly serves: "old" | "new" | "verified" | "nothing";
  /** The command's message. */
  readonly message?: RegExp;
  /** @default no failed request */
  readonly costs?: Cost;
  /** With two proxies: what the operator does before the other proxy is repaired. @default nothing */
  readonly whileAway?: readonly ProxyStep[];
  /**
   * With two proxies: the release that users of the living one must get within 30 s: of the first command in `whileAway`,
   * else of the fault.
   */
  readonly endsOn?: "old" | "new";
  readonly goesOn: readonly NextStep[];
  /** How it ended at first, and what was changed in the product. */
  readonly mended?: string;
}

export interface Row {
  readonly name: string;
  readonly fault: string;
  /** How the fault is injected, and what differs from a real server. */
  readonly how: string;
  readonly needs?: readonly Ability[];
  /** @default the one that the phase needs */
  readonly world?: WorldKind;
  /** The phases in which the fault is injected, with their end states. */
  readonly phases: Partial<Record<InjectionPoint, EndState>>;
  /** Preparation before the release starts. */
  before?(stage: Stage, phase: InjectionPoint): Promise<void>;
  /** Arguments of the release, besides those of the phase. */
  release?(stage: Stage, phase: InjectionPoint): Promise<ReleaseWish>;
  inject(stage: Stage, underWay: ReleaseUnderWay, phase: InjectionPoint): Promise<void>;
  /** What you would repair before the next step: a full disk is cleared, a database started. */
  repair?(stage: Stage, phase: InjectionPoint): Promise<void>;
}
