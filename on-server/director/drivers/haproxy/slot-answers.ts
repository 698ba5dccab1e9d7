/**
 * What the answers of one slot were: their classes, and which of its servers gave them, from HAProxy's statistics and its
 * log of abnormal requests. Pure. HAProxy counts an answer's status when it has its headers (for a server), or when the
 * request has ended (for a backend), and reads its counters while its threads go on: so no count here ever falls until
 * HAProxy is restarted.
 */
import type { Slot } from "../../../../release/slot";
import type { AnswerClass, Classes } from "../driver";
import type { AbnormalRequest } from "./abnormal-requests";
import { backendRows, failoverRows, serverRows, sum, usersBackends } from "./statistics";
import type { Row } from "./statistics";

/** HAProxy's columns of a class. */
const COLUMNS = {
  "2xx": ["hrsp_1xx", "hrsp_2xx"],
  "3xx": ["hrsp_3xx"],
  "4xx": ["hrsp_4xx"],
} as const;
type Harmless = keyof typeof COLUMNS;
const HARMLESS = Object.keys(COLUMNS) as Harmless[];

export interface SlotAnswers {
  readonly errors: number;
  readonly classes: Classes;
}

interface ServerAnswers {
  readonly requests: number;
  readonly errors: number;
}

/** What the statistics of a server don't have. */
interface Server {
  /** Requests that it did not answer; the client got HAProxy's answer. */
  silent: number;
  /** Answers that it did not finish. */
  broken: number;
  /** Requests without any answer (`unanswered-requests.ts`). */
  unanswered: number;
  /** Ends of connections by the server (`srv_abrt`) that the log does not have. */
  unexplained: number;
  /** `srv_abrt` at the last look; null before the first one. */
  ends: number | null;
}

export class AnswersOfSlot {
  private broken: Record<Harmless, number> = { "2xx": 0, "3xx": 0, "4xx": 0 };
  private highest: Record<Exclude<AnswerClass, "5xx">, number> = { "2xx": 0, "3xx": 0, "4xx": 0, none: 0 };
  private servers = new Map<string, Server>();
  private begun = 0;
  private unanswered: number | null = null;
  private unattributed = 0;

  constructor(private readonly slot: Slot) {}

  /**
   * @param rows of `show stat`
   * @param abnormal requests of this slot since the last call
   * @param unanswered requests of the slot that got no answer at all, cumulated
   * @param failedCalls gRPC calls that failed with status 200, cumulated
   */
  follow(
    rows: readonly Row[],
    abnormal: readonly AbnormalRequest[],
    unanswered: number,
    failedCalls: number,
  ): SlotAnswers {
    const users = backendRows(rows, usersBackends(this.slot));
    this.forgetAfterRestart(sum(users, "stot"));
    this.add(abnormal);
    this.attribute(rows, unanswered);
    const servers = serverRows(rows, this.slot);
    // Requests that the other slot's servers took over are this slot's errors; what fails there, too, is 5xx.
    const others = failoverRows(rows, this.slot);
    const takenOver = sum(others, "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx");
    const broken = HARMLESS.reduce((total, each) => total + this.broken[each], 0);
    const errors = sum(users, "hrsp_5xx") + takenOver + failedCalls + broken + unanswered;
    const none = this.grown("none", errors - sum(servers, "hrsp_5xx") - failedCalls);
    const harmless = HARMLESS.map((each) => {
      const columns = COLUMNS[each];
      // HAProxy answers 4xx itself if a client leaves.
      const ended = Math.min(sum(users, ...columns) - sum(others, ...columns), sum(servers, ...columns));
      const calls = each === "2xx" ? failedCalls : 0;
      return [each, this.grown(each, ended - this.broken[each] - calls)] as const;
    });
    return { errors, classes: { ...Object.fromEntries(harmless), "5xx": errors - none, none } };
  }

  /** After `follow`. Without WebSockets, and without requests that their clients left. */
  answersOf(rows: readonly Row[], server: string): ServerAnswers {
    const own = serverRows(rows, this.slot).filter((row) => row.get("svname") === server);
    const { silent, broken, unanswered } = this.server(server);
    return {
      requests: sum(own, "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx") + silent + unanswered,
      errors: sum(own, "hrsp_5xx") + silent + broken + unanswered,
    };
  }

  private forgetAfterRestart(begun: number): void {
    if (begun < this.begun) {
      this.broken = { "2xx": 0, "3xx": 0, "4xx": 0 };
      this.highest = { "2xx": 0, "3xx": 0, "4xx": 0, none: 0 };
      this.servers = new Map();
      this.unanswered = null;
      this.unattributed = 0;
    }
    this.begun = begun;
  }

  private add(abnormal: readonly AbnormalRequest[]): void {
    for (const { server, status, answered, failure, brokenOff } of abnormal) {
      const counts = this.server(server);
      if (brokenOff) counts.unexplained -= 1;
      if (!answered && status >= 500) counts.silent += 1;
      if (failure !== "broken") continue;
      counts.broken += 1;
      this.broken[harmlessClass(status)] += 1;
    }
  }

  /** To the servers that ended connections without a line in the log, never more than the slot has. */
  private attribute(rows: readonly Row[], unanswered: number): void {
    this.unattributed += unanswered - (this.unanswered ?? unanswered);
    this.unanswered = unanswered;
    const names = new Set(serverRows(rows, this.slot).map((row) => row.get("svname")!));
    for (const name of names) {
      const counts = this.server(name);
      const ends = sum(
        serverRows(rows, this.slot).filter((row) => row.get("svname") === name),
        "srv_abrt",
      );
      if (counts.ends === null) counts.unexplained = 0;
      else counts.unexplained += ends - counts.ends;
      counts.ends = ends;
      const found = Math.max(0, Math.min(counts.unexplained, this.unattributed));
      counts.unanswered += found;
      counts.unexplained -= found;
      this.unattributed -= found;
    }
  }

  private server(name: string): Server {
    const found = this.servers.get(name) ?? {
      ...{ silent: 0, broken: 0, unanswered: 0, unexplained: 0, ends: null },
    };
    this.servers.set(name, found);
    return found;
  }

  private grown(each: Exclude<AnswerClass, "5xx">, count: number): number {
    this.highest[each] = Math.max(this.highest[each], count);
    return this.highest[each];
  }
}

export function harmlessClass(status: number): Harmless {
  return status < 300 ? "2xx" : status < 400 ? "3xx" : "4xx";
}
