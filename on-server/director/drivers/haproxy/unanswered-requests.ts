/**
 * Requests whose client got no answer at all. If an instance breaks off before it answers a later request on a client's
 * connection, HAProxy closes that connection, so that the client sends the request again, and neither counts nor logs it:
 * https://github.com/haproxy/haproxy/issues/3414. But such a request was begun, does not run, and has not ended.
 */

/** Sums over a slot's backends, of one `show stat`. */
export interface Progress {
  /** `stot` */
  readonly begun: number;
  /** `scur` */
  readonly running: number;
  /** `req_tot` */
  readonly ended: number;
}

/** Of one slot, cumulated since HAProxy started. */
export class UnansweredRequests {
  count = 0;
  private last = -1;

  /** Whether there seem to be more. HAProxy's threads go on while it reads its counters: look again. */
  isBehind(progress: Progress): boolean {
    return unanswered(progress) > this.count;
  }

  /** @param looks one or more, one after another. Only what all of them have is counted. */
  follow(...looks: readonly [Progress, ...Progress[]]): void {
    const hasRestarted = looks.some(({ begun }) => begun < this.last);
    this.count = Math.max(hasRestarted ? 0 : this.count, Math.min(...looks.map(unanswered)));
    this.last = looks.at(-1)!.begun;
  }
}

function unanswered({ begun, running, ended }: Progress): number {
  return begun - running - ended;
}
