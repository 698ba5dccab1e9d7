/**
 * SQL Server's errors for a statement. It often sends two for one fault (5074 with 4922, 1776 with 1750), which the driver
 * combines to an error without a message. Line numbers may be those of a procedure or a trigger, not of the batch.
 */
import { RequestError } from "tedious";
import { SessionLost } from "./database";
import { errorText } from "./error-text";

/** Lock request time-out, deadlock victim, conflicts of snapshots and of memory-optimized tables: a retry may succeed. */
const PASSING = new Set([1222, 1205, 3960, 41301, 41302, 41305, 41325]);
/**
 * The database moves, starts, or is too busy for this or another session: a new connection is needed
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
  /** All messages, without repetitions. */
  readonly message: string;
  /** In the batch that was sent, from 1; null if the fault is inside a procedure, a function or a trigger. */
  readonly line: number | null;
  readonly isPassing: boolean;
}

/** @throws SessionLost if no statement was at fault: the session ended, or the server needs a new one. */
export function faultOf(error: unknown): SqlFault {
  const errors = parts(error).filter((part): part is RequestError => part instanceof RequestError);
  const numbered = errors.filter(({ number }) => number !== undefined);
  const isMoving = numbered.some(
    ({ number, class: severity }) => MOVING.has(number!) || (severity ?? 0) >= FATAL_SEVERITY,
  );
  if (numbered.length === 0 || isMoving) {
    throw new SessionLost(`the connection to the database was lost: ${errorText(error)}`);
  }
  const inside = numbered.find(({ procName }) => procName !== undefined && procName !== "");
  const place = inside === undefined ? "" : ` (in ${inside.procName}, line ${inside.lineNumber})`;
  return {
    message: [...new Set(numbered.map(({ message }) => message))].join("; ") + place,
    line: inside === undefined ? (numbered[0]!.lineNumber ?? 1) : null,
    isPassing: numbered.some(({ number }) => PASSING.has(number!)),
  };
}

/** @param numbers the server's errors when it refused a login. @returns whether a retry may succeed. */
export function isTransientLogin(numbers: readonly number[]): boolean {
  return numbers.some((number) => MOVING.has(number));
}

function parts(error: unknown): unknown[] {
  return error instanceof AggregateError ? error.errors.flatMap(parts) : [error];
}
