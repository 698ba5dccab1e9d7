/**
 * Counts gRPC calls that fail although their HTTP status is 200. HAProxy sees the gRPC status of an answer without a
 * message, where it is a header. After a message it is a trailer, which HAProxy passes on unread.
 */
import type { PerSlot, Slot } from "../../../../release/slot";

/** Tables with one entry, whose number of requests is that of the slot's failed calls. */
export const FAILED_CALLS: PerSlot<string> = { blue: "failed-calls-blue", green: "failed-calls-green" };

/**
 * UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: those that correspond to 5xx in
 * https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
 */
const FAILURES = [2, 4, 12, 13, 14, 15];

export function failedCallsTable(slot: Slot): string {
  return `backend ${FAILED_CALLS[slot]}
  stick-table type integer size 1 store http_req_cnt
`;
}

/** A condition for answers. */
export const HAS_FAILED = `{ res.hdr(grpc-status) -m int ${FAILURES.join(" ")} }`;

/** For each backend that answers users. */
export function countFailedCalls(slot: Slot): string {
  return `  http-response track-sc0 int(1) table ${FAILED_CALLS[slot]} if ${HAS_FAILED}\n`;
}

/** @param table HAProxy's answer to `show table`, with a line as `0x55...: key=1 ... http_req_cnt=7`, or none. */
export function failedCalls(table: string): number {
  return Number(/ key=1 .*http_req_cnt=(\d+)/.exec(table)?.[1] ?? 0);
}
