/**
 * The one error class of the command `bluegreen`: something a person has to know, in one or two lines (what was
 * refused, the values that disagree, what to do next). Whatever else is thrown is a defect and shows its stack.
 */
export class OperatorError extends Error {
  override readonly name = "OperatorError";

  constructor(
    message: string,
    readonly exitCode: 1 | 2 | 3 | 4 | 5 | 6,
  ) {
    super(message);
  }
}
