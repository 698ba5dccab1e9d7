/**
 * HAProxy's log of abnormal requests: a ring in its memory, which costs an ordinary request nothing. It has what no counter
 * has: answers that an instance began and did not finish (a counter has them together with the ends of WebSockets), and
 * the clients of those failures that HAProxy answers itself. Under a flood of such requests the oldest lines are lost.
 */
import { SLOTS } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import { backendNames, FAILOVER } from "./traffic-map";

const RING = "abnormal";
export const SHOW_RING = `show events ${RING}`;

export const RING_SECTION = `ring ${RING}
  format raw
  maxlen 160
  size 65536
`;
/** For the frontend. */
export const LOG_ABNORMAL = `  log ring@${RING} format raw local0
  option dontlog-normal
  log-format "%[var(txn.client)] %b %s %ST %ts %rt"
`;

const WEBSOCKET = "101";
/** The status of a request whose client left before there was an answer. */
const NONE = "-1";
/** `S`: the server broke off or refused; `s`: it was silent too long. */
const SERVER_CAUSES = ["S", "s"];
/** What HAProxy waited for at the end: its queue, a connection, or the headers of the answer. */
const BEFORE_ANSWERS = ["Q", "C", "H"];

/**
 * `broken`: the instance did not finish its answer, which no counter has. `unreached`: HAProxy answered because it could
 * not reach an instance, which no counter of clients has.
 */
type Failure = "broken" | "unreached";

export interface AbnormalRequest {
  readonly slot: Slot;
  /** As in the slot's backend; `<NOSRV>` if there was none. */
  readonly server: string;
  /** What the client got; -1 if that is nothing. */
  readonly status: number;
  /** "-" for one that was not counted by client. */
  readonly client: string;
  /** Whether the instance began an answer. */
  readonly answered: boolean;
  /** null if the client left, or if counters have the failure. */
  readonly failure: Failure | null;
  /** Whether the instance ended the connection, or was silent too long, after it had begun its answer. */
  readonly brokenOff: boolean;
}

export class AbnormalRequests {
  private seen: ReadonlySet<string> = new Set();

  /**
   * @param events HAProxy's answer to `show events`: lines as `10.0.0.1|7 shift-green web-1 200 SD 1024`.
   * @returns the requests since the last call.
   */
  follow(events: string): AbnormalRequest[] {
    const lines = events.split("\n").filter((line) => line.split(" ").length === 6);
    const fresh = lines.filter((line) => !this.seen.has(line));
    this.seen = new Set(lines);
    return fresh.flatMap((line) => {
      const [client = "", backend = "", server = "", status = "", [cause = "", phase = ""] = ""] =
        line.split(" ");
      const slot = SLOTS.find((each) => countedBackends(each).includes(backend));
      if (slot === undefined) return [];
      const answered = status !== NONE && !BEFORE_ANSWERS.includes(phase);
      const brokenOff = phase === "D" && SERVER_CAUSES.includes(cause);
      const failure = failureOf(server, status, cause, phase);
      return [{ slot, server, status: Number(status), client, answered, failure, brokenOff }];
    });
  }
}

function failureOf(server: string, status: string, cause: string, phase: string): Failure | null {
  if (!SERVER_CAUSES.includes(cause)) return null;
  if (phase === "Q" || phase === "C") return "unreached";
  // An answer from 500 on is an error already, and so is one of the other slot that stood in.
  const isCounted = status === WEBSOCKET || Number(status) >= 500 || server.startsWith(FAILOVER);
  return phase === "D" && !isCounted ? "broken" : null;
}

function countedBackends(slot: Slot): string[] {
  const { all, preview } = backendNames(slot);
  return all.filter((backend) => backend !== preview);
}
