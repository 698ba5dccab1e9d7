/** A session's answers as tokens: each statement ends with a DONE, and a DONE without MORE ends the answer. */
import { done, DoneStatus, envChange, error, info, returnStatus } from "./tokens";
import type { DoneKind, SqlError } from "./tokens";
import { resultSet } from "./rows";
import type { ResultSet } from "./rows";

/** A statement's outcome, or a message with it. */
export type Answer =
  | { readonly rows: ResultSet }
  /** Several before one DONE, as real servers send 5074 with 4922. */
  | { readonly error: SqlError | readonly SqlError[] }
  | { readonly info: SqlError }
  | { readonly rowCount: number }
  /** A statement without a row count: DDL, or under SET NOCOUNT ON. */
  | { readonly done: true }
  | { readonly envChange: "beginTransaction" | "commit" | "rollback" }
  /** The session changed its database (USE). */
  | { readonly database: string }
  /** The connection ends here: only the answers before this one are sent. */
  | { readonly disconnect: "fin" | "rst" };

/** A session's state between answers. */
export interface SessionState {
  database: string;
  /** The open transaction's id, which clients repeat in each request. */
  transaction: Buffer;
}

const NO_TRANSACTION = Buffer.alloc(8);

export function newSessionState(database: string): SessionState {
  return { database, transaction: NO_TRANSACTION };
}

/** A DONE that is not written yet: the last one has no MORE. */
interface Ending {
  readonly status: number;
  readonly rowCount: bigint;
}

/**
 * @param kind of the request: a procedure call ends with a return status and DONEPROC.
 * @param state changes with the answers.
 */
export function encode(
  answers: readonly Answer[],
  kind: "batch" | "rpc" | "transaction",
  state: SessionState,
): Buffer {
  const parts = answers.flatMap((answer) => encodeOne(answer, state));
  if (kind === "rpc") {
    const failed = parts.some((part) => !Buffer.isBuffer(part) && (part.status & DoneStatus.error) !== 0);
    const written = parts.map((part) => write(part, "doneInProc", true));
    const end = done("doneProc", failed ? DoneStatus.error : 0);
    return Buffer.concat([...written, returnStatus(failed ? 1 : 0), end]);
  }
  const last = parts.at(-1);
  if (last === undefined || Buffer.isBuffer(last)) parts.push({ status: 0, rowCount: 0n });
  return Buffer.concat(parts.map((part, index) => write(part, "done", index < parts.length - 1)));
}

function write(part: Buffer | Ending, kind: DoneKind, more: boolean): Buffer {
  if (Buffer.isBuffer(part)) return part;
  return done(kind, part.status | (more ? DoneStatus.more : 0), part.rowCount);
}

function encodeOne(answer: Answer, state: SessionState): (Buffer | Ending)[] {
  if ("rows" in answer) {
    const count = BigInt(answer.rows.values.length);
    return [resultSet(answer.rows), { status: DoneStatus.count, rowCount: count }];
  }
  if ("error" in answer) {
    const errors: readonly SqlError[] = Array.isArray(answer.error) ? answer.error : [answer.error];
    return [...errors.map(error), { status: DoneStatus.error, rowCount: 0n }];
  }
  if ("info" in answer) return [info(answer.info)];
  if ("rowCount" in answer) return [{ status: DoneStatus.count, rowCount: BigInt(answer.rowCount) }];
  if ("done" in answer) return [{ status: 0, rowCount: 0n }];
  if ("database" in answer) {
    const before = state.database;
    state.database = answer.database;
    return [envChange.database(answer.database, before), { status: 0, rowCount: 0n }];
  }
  if ("envChange" in answer) {
    return [changeTransaction(answer.envChange, state), { status: 0, rowCount: 0n }];
  }
  return [];
}

let lastTransaction = 0n;

function changeTransaction(change: "beginTransaction" | "commit" | "rollback", state: SessionState): Buffer {
  if (change !== "beginTransaction") {
    const ended = state.transaction;
    state.transaction = NO_TRANSACTION;
    return envChange[change](ended);
  }
  lastTransaction += 1n;
  state.transaction = Buffer.alloc(8);
  state.transaction.writeBigUInt64LE(lastTransaction);
  return envChange.beginTransaction(state.transaction);
}
