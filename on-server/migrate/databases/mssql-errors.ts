/**
 * What SQL Server says of a statement. It often says two things of one fault (5074 with 4922, 1776 with 1750), which the
 * driver hands over as an error without a message; and it numbers lines within a procedure or a trigger, not the batch.
 */
import { RequestError } from "tedious";
import { SessionLost } from "./database";
import { allWords } from "./error-words";

/** Lock request time-out, deadlock victim, conflicts of snapshots and of memory-optimized tables: the same may succeed in a moment. */
const PASSING = new Set([1222, 1205, 3960, 41301, 41302, 41305, 41325]);
/**
 * The database moves, starts, is too busy for this session or has no room for another one: a new connection is needed
 * (Microsoft's list of transient errors of Azure SQL).
 */
const MOVING = new Set([
  // Shutting down, paused, in upgrade mode, too many connections.
  ...[6005, 17142, 18401, 17809],
  ...[615, 926, 4060, 4221, 10053, 10054, 10060, 10928, 10929, 11001],
  ...[40143, 40197, 40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920],
]);
/** From this severity on, the server ends the session. */
const FATAL_SEVERITY = 20;

export interface SqlFault {
  /** All that was said, once each. */
  readonly message: string;
  /** In the batch that was sent, from 1; null where the fault is inside of a procedure, a function or a trigger. */
  readonly line: number | null;
  readonly isPassing: boolean;
}

/** @throws SessionLost where no statement was at fault: the session ended, or the server wants a new one. */
export function faultOf(error: unknown): SqlFault {
  const said = parts(error).filter((part): part is RequestError => part instanceof RequestError);
  const numbered = said.filter(({ number }) => number !== undefined);
  const isMoving = numbered.some(
    ({ number, class: severity }) => MOVING.has(number!) || (severity ?? 0) >= FATAL_SEVERITY,
  );
  if (numbered.length === 0 || isMoving) {
    throw new SessionLost(`the connection to the database was lost: ${allWords(error)}`);
  }
  const inside = numbered.find(({ procName }) => procName !== undefined && procName !== "");
  const place = inside === undefined ? "" : ` (in ${inside.procName}, line ${inside.lineNumber})`;
  return {
    message: [...new Set(numbered.map(({ message }) => message))].join("; ") + place,
    line: inside === undefined ? (numbered[0]!.lineNumber ?? 1) : null,
    isPassing: numbered.some(({ number }) => PASSING.has(number!)),
  };
}

/** @param numbers what the server said while it refused a login. @returns whether it may let it in in a moment. */
export function isTransientLogin(numbers: readonly number[]): boolean {
  return numbers.some((number) => MOVING.has(number));
}

function parts(error: unknown): unknown[] {
  return error instanceof AggregateError ? error.errors.flatMap(parts) : [error];
}
