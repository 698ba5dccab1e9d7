/**
 * What a row of the fault matrix is: one fault, injected for real while a release is in one phase after another, and for
 * each phase the state in which it ends, as the product documents it.
 */
import type { Ability } from "./abilities";
import type { InjectionPoint } from "./injection-points";
import type { ReleaseUnderWay, ReleaseWish, WorldKind } from "./release-under-way";
import type { Stage } from "./stage";

/** How a person goes on. Each is carried out, and has to end as it says. */
export type WayOn =
  | "retry"
  | "abort"
  | "next release"
  /** One that has to be refused, before it succeeds in another way. */
  | "refused release"
  | "heal"
  | "rollback"
  | "recover"
  | "down";

/** Failed requests that a row may cost, and the longest time without any good answer. */
interface Cost {
  readonly requests: number;
  readonly gapMs: number;
  /** Why nobody can spare users this. */
  readonly because: string;
}

/** Where a release ends that met the fault. */
export interface EndState {
  /** Exit codes of the command; "killed" where it is what was killed. */
  readonly exit: readonly (number | "killed")[];
  /** What all requests get then. "verified": both releases, each verified, until somebody goes on. */
  readonly serves: "old" | "new" | "verified" | "nothing";
  /** What the command says. */
  readonly says?: RegExp;
  /** @default no failed request */
  readonly costs?: Cost;
  readonly goesOn: readonly WayOn[];
  /** What did not end like this at first, and what was changed in the product. */
  readonly mended?: string;
}

export interface Row {
  readonly name: string;
  readonly fault: string;
  /** How it is done, and what of it is not as it would be on a real server. */
  readonly how: string;
  readonly needs?: readonly Ability[];
  /** @default the one that the phase wants */
  readonly world?: WorldKind;
  /** Fault and release; ends when the release has ended. @default enter the phase, inject, wait for the release's end */
  readonly phases: Partial<Record<InjectionPoint, EndState>>;
  /** What is prepared before the release starts. */
  before?(stage: Stage, phase: InjectionPoint): Promise<void>;
  /** What the release is called with, besides what the phase wants. */
  release?(stage: Stage, phase: InjectionPoint): Promise<ReleaseWish>;
  inject(stage: Stage, underWay: ReleaseUnderWay, phase: InjectionPoint): Promise<void>;
  /** What a person mends before going on: a full disk is cleared, a database started. */
  repair?(stage: Stage, phase: InjectionPoint): Promise<void>;
}
