/**
 * Users were moved by hand: what a proxy's director remembers of it, and the gate against every record from before. It took
 * a sequence that no record has, so `bluegreen recover` has to write the next one.
 */
import * as z from "zod/mini";
import { InvalidInput, Refusal } from "./failure";
import { SLOTS } from "./slot";
import { inOneLine } from "./text";

const Place = z.strictObject({ slot: z.enum(SLOTS), releaseId: z.string() });

/** What was done by hand on one proxy, in its director's state until a record takes it over. */
export const BrokenGlass = z.strictObject({
  /** Milliseconds since 1970, by the proxy's clock. */
  at: z.number(),
  /** In the operator's words. */
  reason: z.string(),
  /** The release that users left, or that was on its way to them. */
  from: Place,
  /** The release that all users of this proxy get since. */
  to: Place,
  /** Whether `from` had become stable. */
  wasStable: z.boolean(),
  /** The sequence that it took. */
  sequence: z.int(),
});
export type BrokenGlass = z.infer<typeof BrokenGlass>;

/** States, journals and receipts keep it, and Azure shows only the last 4 KiB of an output. */
const LONGEST_REASON = 200;

/** @throws InvalidInput if it is missing or too long. */
export function requireReason(given: string): string {
  const reason = inOneLine(given).trim();
  if (reason === "") throw new InvalidInput('a rollback by hand needs a reason: add --reason "<why>"');
  if (reason.length <= LONGEST_REASON) return reason;
  throw new InvalidInput(`--reason has ${reason.length} characters, at most ${LONGEST_REASON} are kept`);
}

/** @throws Refusal for a record from before users were moved by hand: applying it would move them back. */
export function requireTakenOver(sequence: number, broken: BrokenGlass | null | undefined): void {
  if (broken === null || broken === undefined || sequence > broken.sequence) return;
  throw new Refusal(
    "moved-by-hand",
    `${describeBrokenGlass(broken)}: \`bluegreen recover\` takes it over into the record`,
  );
}

export function describeBrokenGlass({ at, reason, from, to }: BrokenGlass): string {
  return `users were moved by hand at ${timeOf(at)} from ${from.releaseId} to ${to.releaseId} (${reason})`;
}

/** A state file may be edited. */
function timeOf(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "an unknown time" : time.toISOString();
}
