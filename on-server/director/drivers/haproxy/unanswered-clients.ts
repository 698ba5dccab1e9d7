/**
 * Whose requests got no answer at all (`unanswered-requests.ts`), which HAProxy counts for nobody. They are requests of a
 * client that no instance answered, that do not run, and that are not in the log of abnormal requests. Pure.
 */

/** What HAProxy's table has for a client. */
type Row = ReadonlyMap<string, string>;

export class UnansweredClients {
  /** Requests of clients without an answer so far, which may still run. */
  private readonly open = new Map<string, number>();
  private last: ReadonlyMap<string, Row> = new Map();
  private known: number | null = null;

  /** A request that ended without an answer of an instance, and that the log has. */
  explain(client: string): void {
    this.increase(client, -1);
  }

  /**
   * The table is not of the same moment as the log, so never more requests are attributed than the slot has.
   * @param count of the slot, cumulated; counted before the table was read.
   * @returns the clients of the new ones, each as often as it has some.
   */
  follow(rows: readonly Row[], count: number): string[] {
    const now = new Map(rows.map((row) => [row.get("key")!, row] as const));
    const isFirst = this.known === null;
    if (isFirst) this.open.clear();
    for (const [client, row] of now) this.increase(client, isFirst ? running(row) : this.more(client, row));
    const found: string[] = [];
    let left = count - (this.known ?? count);
    for (const [client, open] of this.open) {
      const row = now.get(client);
      for (let silent = open - (row ? running(row) : 0); silent > 0 && left > 0; silent -= 1, left -= 1) {
        found.push(client);
        this.increase(client, -1);
      }
      if (row === undefined) this.open.delete(client);
    }
    this.last = now;
    this.known = count;
    return found;
  }

  /** How many more requests than answers a client has since the last call. The table may have forgotten it in between. */
  private more(client: string, row: Row): number {
    const before = this.last.get(client);
    const isSame = before !== undefined && number(before, "http_req_cnt") <= number(row, "http_req_cnt");
    return unansweredOf(row) - (isSame ? unansweredOf(before) : 0);
  }

  private increase(client: string, by: number): void {
    this.open.set(client, (this.open.get(client) ?? 0) + by);
  }
}

/** A configuration of an earlier base does not count answers: then nothing is attributed. */
function unansweredOf(row: Row): number {
  return row.has("gpc1") ? number(row, "http_req_cnt") - number(row, "gpc1") : 0;
}

function running(row: Row): number {
  return number(row, "use");
}

function number(row: Row, column: string): number {
  return Number(row.get(column) ?? 0);
}
