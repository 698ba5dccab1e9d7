/**
 * Counts requests by client while a release is watched, for `SlotCounts.clients`. HAProxy's tables keep the clients that
 * were active last. At rest requests do not reach these rules: they are behind the one that sends all to one slot.
 */
import { SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { BUCKET_COOKIE } from "../../../../configuration/cookies";
import { MOST_CLIENTS } from "../driver";
import { FAILOVER, TIMED } from "./traffic-map";

/** Tables by `<address>|<bucket>`. */
export const CLIENTS: PerSlot<string> = { blue: "clients-blue", green: "clients-green" };
/** Tables by `<milliseconds>|<address>|<bucket>`. */
export const CLIENT_LATENCIES: PerSlot<string> = {
  blue: "client-latencies-blue",
  green: "client-latencies-green",
};

/** So many numbers of latencies of each client, in a table that forgets them soon. */
const LATENCIES_OF_A_CLIENT = 4;
/** An IPv6 address, a bucket, milliseconds, and what separates them. */
const LONGEST_KEY = 60;
/** A chain of so many trusted balancers is looked through. */
const MOST_BALANCERS = 4;

/** The tables, as backends of their own. */
export function clientTables(slot: Slot): string {
  return `backend ${CLIENTS[slot]}
  stick-table type string len ${LONGEST_KEY} size ${MOST_CLIENTS} expire 10m store http_req_cnt,http_fail_cnt,gpc0,gpc1

backend ${CLIENT_LATENCIES[slot]}
  stick-table type string len ${LONGEST_KEY} size ${MOST_CLIENTS * LATENCIES_OF_A_CLIENT} expire 10s store http_req_cnt
`;
}

/** For the frontend, when the way of a request is known: what is watched has a number from TIMED on. */
export function countClients(trusted: readonly string[]): string {
  // The order of BACKENDS: blue has the even numbers.
  const parity: PerSlot<string> = { blue: "even", green: "odd" };
  const address = `
  http-request set-var(txn.address) src if watched
${Array.from({ length: trusted.length > 0 ? MOST_BALANCERS : 0 }, (_, index) => {
  // The last one is the sender itself.
  const reported = `req.hdr_ip(x-forwarded-for,-${index + 2})`;
  return `  http-request set-var(txn.address) ${reported} if watched { var(txn.address) -m ip ${trusted.join(" ")} } { ${reported} -m found }\n`;
}).join("")}`.trimStart();
  return `  acl watched var(txn.way) -m int ge ${TIMED}
  ${address}  http-request set-var(txn.client) req.cook(${BUCKET_COOKIE}) if watched !{ var(txn.bucket) -m found }
  http-request set-var(txn.client) var(txn.bucket) if watched { var(txn.bucket) -m found }
  http-request set-var(txn.client) var(txn.address),concat(|,txn.client) if watched
${SLOTS.map((slot) => `  http-request track-sc1 var(txn.client) table ${CLIENTS[slot]} if watched { var(txn.way),${parity[slot]} }\n`).join("")}  http-request set-var(txn.way) var(txn.way),mod(${TIMED}) if watched
`;
}

/** For responses: whether their client is counted, and a failure that HAProxy's own count of its failures does not have. */
export const IS_COUNTED = "{ var(txn.client) -m found }";
export const COUNT_FAILURE_OF_CLIENT = "sc-inc-gpc0(1)";

/** For a backend that serves while either slot may: latencies, failures, and in `gpc1` how many requests were answered. */
export function countAnswersOfClients(slot: Slot): string {
  return `  http-response track-sc2 date(0,ms),sub(txn.begun),concat(|,txn.client) table ${CLIENT_LATENCIES[slot]} if { var(txn.begun) -m found } ${IS_COUNTED}
  http-response sc-inc-gpc1(1) if ${IS_COUNTED}
  http-response ${COUNT_FAILURE_OF_CLIENT} if ${IS_COUNTED} { status 501 505 }
  http-response ${COUNT_FAILURE_OF_CLIENT} if ${IS_COUNTED} { srv_name -m beg ${FAILOVER} }
`;
}
