/** A typed "no": the domain refuses before anything happened; the command turns it into exit code 3. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly reason:
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
  ) {
    super(message);
  }
}

/** Bad input: a file or an argument that means nothing here. Exit code 2. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
}
