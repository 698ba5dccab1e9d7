/**
 * Answers that an instance began and did not finish. No counter of HAProxy tells them from the end of a WebSocket, so
 * they come from its log of abnormal requests: a ring in its memory, which costs an ordinary request nothing. Under a
 * flood of such requests the oldest lines are lost.
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

/** While an answer was sent (D) the server broke off (S) or was silent too long (s). */
const BROKEN = ["SD", "sD"];
const WEBSOCKET = "101";

export interface BrokenAnswer {
  readonly slot: Slot;
  /** "-" for one that was not counted by client. */
  readonly client: string;
}

export class BrokenAnswers {
  private seen: ReadonlySet<string> = new Set();

  /**
   * @param events HAProxy's answer to `show events`: lines as `10.0.0.1|7 shift-green web-1 200 SD 1024`.
   * @returns the answers since the last call.
   */
  follow(events: string): BrokenAnswer[] {
    const lines = events.split("\n").filter((line) => BROKEN.includes(line.split(" ")[4] ?? ""));
    const fresh = lines.filter((line) => !this.seen.has(line));
    this.seen = new Set(lines);
    return fresh.flatMap((line) => {
      const [client = "-", backend = "", server = "", status] = line.split(" ");
      const slot = SLOTS.find((each) => countedBackends(each).includes(backend));
      // One of the other slot that stood in is this slot's error already.
      if (slot === undefined || status === WEBSOCKET || server.startsWith(FAILOVER)) return [];
      // An answer from 500 on is an error already.
      return Number(status) < 500 ? [{ slot, client }] : [];
    });
  }
}

function countedBackends(slot: Slot): string[] {
  const { all, preview } = backendNames(slot);
  return all.filter((backend) => backend !== preview);
}
