/** A client's requests: a batch, a procedure call, or a transaction's begin and end (MS-TDS 2.2.6.7, 2.2.6.6, 2.2.6.9). */
import { MalformedTds, Reader } from "./bytes";
import { PacketType } from "./packets";
import type { Message } from "./packets";
import { readParameter } from "./parameters";
import type { Parameter, ParameterValue } from "./parameters";

export interface TdsRequest {
  /** `transaction`: a request to the transaction manager, with the equivalent statement. */
  readonly kind: "batch" | "rpc" | "transaction";
  /** The batch, or the statement of `sp_executesql`; empty for another procedure. */
  readonly sql: string;
  /** Without `@`, and without those of `sp_executesql` itself (the statement and the declarations). */
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** A procedure other than `sp_executesql`; its parameters without a name are numbered from 1. */
  readonly procedure: string | null;
  /** The session must be reset to that of a new connection before the request. */
  readonly reset: boolean;
}

const BY_NUMBER = 0xffff;
/** MS-TDS 2.2.6.6: procedures with a number. */
const PROCEDURES: Readonly<Record<number, string>> = {
  10: "sp_executesql",
  11: "sp_prepare",
  12: "sp_execute",
  13: "sp_prepexec",
  15: "sp_unprepare",
};
const TRANSACTION: Readonly<Record<number, string>> = {
  5: "BEGIN TRANSACTION",
  7: "COMMIT TRANSACTION",
  8: "ROLLBACK TRANSACTION",
  9: "SAVE TRANSACTION",
};
const [BEGIN, SAVE] = [5, 9];

/** @throws MalformedTds for a message that is not a request, or that tedious and SqlClient do not send for SQL. */
export function readRequest({ type, data, reset }: Message): TdsRequest {
  const reader = new Reader(data);
  // ALL_HEADERS: the transaction and the count of open requests.
  reader.bytes(reader.uint32() - 4);
  const plain = { parameters: {}, procedure: null, reset };
  switch (type) {
    case PacketType.batch:
      return { ...plain, kind: "batch", sql: reader.bytes(reader.remaining).toString("utf16le") };
    case PacketType.rpc:
      return { ...plain, kind: "rpc", ...readCall(reader) };
    case PacketType.transactionManager:
      return { ...plain, kind: "transaction", sql: readTransaction(reader) };
    default:
      throw new MalformedTds(`a message of type ${type} instead of a request`);
  }
}

function readCall(reader: Reader): Pick<TdsRequest, "sql" | "parameters" | "procedure"> {
  const length = reader.uint16();
  const number = length === BY_NUMBER ? reader.uint16() : null;
  const procedure = number === null ? reader.text(length) : PROCEDURES[number];
  if (procedure === undefined) throw new MalformedTds(`the procedure number ${number} is not known`);
  reader.uint16();
  const parameters: Parameter[] = [];
  while (reader.remaining > 0) parameters.push(readParameter(reader));
  if (procedure.toLowerCase() !== "sp_executesql")
    return { sql: "", parameters: named(parameters), procedure };
  const [statement, , ...own] = parameters;
  if (typeof statement?.value !== "string") throw new MalformedTds("sp_executesql without a statement");
  return { sql: statement.value, parameters: named(own), procedure: null };
}

function named(parameters: readonly Parameter[]): Record<string, ParameterValue> {
  return Object.fromEntries(
    parameters.map(({ name, value }, index) => [name === "" ? `${index + 1}` : name, value]),
  );
}

function readTransaction(reader: Reader): string {
  const kind = reader.uint16();
  const statement = TRANSACTION[kind];
  if (statement === undefined) throw new MalformedTds(`the transaction request ${kind} is not known`);
  if (kind === BEGIN) reader.uint8(); // The isolation level.
  const name = reader.bytes(reader.uint8()).toString("utf16le");
  if (kind !== BEGIN && kind !== SAVE && reader.uint8() !== 0)
    throw new MalformedTds("a transaction that ends and begins another one in one request is not known");
  // Only save points use the name.
  return kind === SAVE ? `${statement} [${name.replaceAll("]", "]]")}]` : statement;
}
