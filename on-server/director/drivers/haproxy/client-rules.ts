/**
 * Counts requests by client while a release is watched, for `SlotCounts.clients`. HAProxy's tables keep the clients that
 * were active last. At rest requests do not reach these rules: they are behind the one that sends all to one slot.
 */
import { SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { BUCKET_COOKIE } from "../../../../configuration/cookies";
import { MOST_CLIENTS } from "../driver";
import { MOST_BALANCERS } from "../trusted-balancers";
import { HAS_FAILED } from "./failed-calls";
import { rememberPage } from "./page-rules";
import { FAILOVER, TIMED } from "./traffic-map";

/** Tables by `<address>|<bucket>`. */
export const CLIENTS: PerSlot<string> = { blue: "clients-blue", green: "clients-green" };
/** Tables by `<milliseconds>|<address>|<bucket>`. */
export const CLIENT_LATENCIES: PerSlot<string> = {
  blue: "client-latencies-blue",
  green: "client-latencies-green",
};

/** So many numbers of latencies of each client, in a table that forgets them soon. */
const LATENCIES_OF_A_CLIENT = 8;
/** An IPv6 address, a bucket, milliseconds, and what separates them. */
const LONGEST_KEY = 60;

/**
 * `http_fail_cnt` of HAProxy 2.8 and later also has answers that broke off, some of them twice, and those whose client left:
 * there the rules count failures.
 */
const RULES_COUNT_FAILURES = "version_atleast(2.8)";
/** HAProxy 2.4 has no arrays of counters: it counts no classes by client. */
const HAS_ARRAYS = "version_atleast(2.5)";
/**
 * The counters of a client: failures that `http_fail_cnt` does not have (all where it is not used), requests that were answered, and classes of the
 * slot's own answers. HAProxy 2.4 has the first two only.
 */
export const COUNTER = { failures: 0, answered: 1, "2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5 } as const;

/** The tables, as backends of their own. */
export function clientTables(slot: Slot): string {
  const clients = (...counters: string[]) =>
    `  stick-table type string len ${LONGEST_KEY} size ${MOST_CLIENTS} expire 10m store http_req_cnt,${counters.join()}
`;
  const array = `gpc(${Object.keys(COUNTER).length})`;
  return `backend ${CLIENTS[slot]}
.if ${RULES_COUNT_FAILURES}
${clients(array)}.elif ${HAS_ARRAYS}
${clients("http_fail_cnt", array)}.else
${clients("http_fail_cnt", "gpc0", "gpc1")}.endif

backend ${CLIENT_LATENCIES[slot]}
  stick-table type string len ${LONGEST_KEY} size ${MOST_CLIENTS * LATENCIES_OF_A_CLIENT} expire 10s store http_req_cnt
`;
}

/** Sets `txn.address`: the last address that no trusted balancer added. @param condition for which requests */
export function findAddress(trusted: readonly string[], condition: string): string {
  const rules = [`http-request set-var(txn.address) src if ${condition}`];
  // HAProxy adds the sender itself after these rules. What is before a text that is no address may be the client's invention.
  let isReported = `!{ req.fhdr(x-forwarded-for) -m sub \\" }`;
  for (let hop = 1; trusted.length > 0 && hop <= MOST_BALANCERS; hop += 1) {
    const reported = `req.hdr_ip(x-forwarded-for,-${hop})`;
    isReported += ` { ${reported} -m found }`;
    const isTrusted = `{ var(txn.address) -m ip ${trusted.join(" ")} }`;
    rules.push(`http-request set-var(txn.address) ${reported} if ${condition} ${isTrusted} ${isReported}`);
  }
  return rules.map((rule) => `  ${rule}\n`).join("");
}

/** For the frontend, when the way of a request is known: what is watched has a number from TIMED on. */
export function countClients(trusted: readonly string[]): string {
  // The order of BACKENDS: blue has the even numbers.
  const parity: PerSlot<string> = { blue: "even", green: "odd" };
  return `  acl watched var(txn.way) -m int ge ${TIMED}
${findAddress(trusted, "watched")}  http-request set-var(txn.client) req.cook(${BUCKET_COOKIE}) if watched !{ var(txn.bucket) -m found }
  http-request set-var(txn.client) var(txn.bucket) if watched { var(txn.bucket) -m found }
  http-request set-var(txn.client) var(txn.address),concat(|,txn.client) if watched
${SLOTS.map((slot) => `  http-request track-sc1 var(txn.client) table ${CLIENTS[slot]} if watched { var(txn.way),${parity[slot]} }\n`).join("")}${rememberPage("watched")}  http-request set-var(txn.way) var(txn.way),mod(${TIMED}) if watched
`;
}

/** For responses: whether their client is counted. */
export const IS_COUNTED = "{ var(txn.client) -m found }";

/**
 * For a backend that serves users: latencies, failures and classes of answers.
 * @param standsIn whether the backend has the other slot's servers, too
 * @param hasCalls whether users call with gRPC
 */
export function countAnswersOfClients(slot: Slot, { standsIn = false, hasCalls = false }): string {
  const count = (counter: keyof typeof COUNTER, condition: string) =>
    `  http-response sc-inc-gpc(${COUNTER[counter]},1) if ${IS_COUNTED} ${condition}\n`;
  // These two are named as in HAProxy 2.4.
  const failure = (condition: string, answers = "http-response") =>
    `  ${answers} sc-inc-gpc0(1) if ${IS_COUNTED} ${condition}\n`;
  const answered = `  http-response sc-inc-gpc1(1) if ${IS_COUNTED}\n`;
  const isOther = `{ srv_name -m beg ${FAILOVER} }`;
  const isOwn = standsIn ? ` !${isOther}` : "";
  const latency = `  http-response track-sc2 date(0,ms),sub(txn.begun),concat(|,txn.client) table ${CLIENT_LATENCIES[slot]} if { var(txn.begun) -m found } ${IS_COUNTED}\n`;
  return [
    latency,
    answered,
    `.if ${RULES_COUNT_FAILURES}\n`,
    failure("{ status ge 500 }"),
    `  http-response set-var(txn.answered) bool(true) if ${IS_COUNTED}\n`,
    // HAProxy's answers, except 503: the log has requests that reached no instance.
    failure("{ status 500 502 504 } !{ var(txn.answered) -m found }", "http-after-response"),
    ".else\n",
    // HAProxy counts other statuses from 500 on itself.
    failure("{ status 501 505 }"),
    ".endif\n",
    ...(standsIn ? [failure(`{ status lt 500 } ${isOther}`)] : []),
    ...(hasCalls ? [failure(HAS_FAILED)] : []),
    `.if ${HAS_ARRAYS}\n`,
    count("2xx", `{ status lt 300 }${isOwn}${hasCalls ? ` !${HAS_FAILED}` : ""}`),
    count("3xx", `{ status 300:399 }${isOwn}`),
    count("4xx", `{ status 400:499 }${isOwn}`),
    count("5xx", `{ status ge 500 }${isOwn}`),
    ...(hasCalls ? [count("5xx", HAS_FAILED)] : []),
    ".endif\n",
  ].join("");
}
