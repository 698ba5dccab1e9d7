import { EXIT } from "./exit-code";
import type { FailureCode } from "./exit-code";

/** A typed "no": the domain refuses before anything happened. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly reason:
      | "stale"
      | "finished"
      | "not-begun"
      | "aborted"
      | "failed-before"
      | "retained"
      | "nothing-live"
      | "nothing-to-promote"
      | "nothing-to-roll-back-to"
      | "nothing-to-retry"
      | "nothing-to-resolve"
      | "nothing-to-withdraw"
      | "not-promoted"
      | "old-schema"
      | "already-there"
      | "unknown-release"
      | "proxies-disagree"
      | "not-possible-here"
      | "not-in-the-plan"
      | "plan-moved"
      | "banned"
      | "frozen",
    message: string,
    readonly exitCode: FailureCode = EXIT.refused,
  ) {
    super(message);
  }
}

/** Bad input: a file or an argument that means nothing here. Exit code 2. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
}
