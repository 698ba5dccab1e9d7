/** Counts of HAProxy's tables, which forget rows when others come. Pure. */

/** Counts of one column, by the rows' keys. */
export type Counts = ReadonlyMap<string, number>;

/** Cumulates a count that begins again with 0 whenever its row was forgotten. */
export class Cumulated {
  private last: Counts = new Map();
  readonly total = new Map<string, number>();

  /** @param added is called with what came since the last call */
  follow(now: Counts, added: (key: string, more: number) => void = () => undefined): void {
    for (const [key, count] of now) {
      const before = this.last.get(key) ?? 0;
      const more = count >= before ? count - before : count;
      if (more === 0) continue;
      this.add(key, more);
      added(key, more);
    }
    this.last = now;
  }

  add(key: string, more = 1): void {
    this.total.set(key, this.of(key) + more);
  }

  of(key: string): number {
    return this.total.get(key) ?? 0;
  }

  forget(key: string): void {
    this.total.delete(key);
  }
}

export type TableRow = ReadonlyMap<string, string>;

/** @param shown HAProxy's answer to `show table`, with lines as `0x55...: key=a use=0 ...`; no key has a space. */
export function rowsOf(shown: string): TableRow[] {
  return [...shown.matchAll(/^0x[^:]+: (key=.*)$/gm)].map(
    ([, fields]) => new Map(fields!.split(" ").map((field) => field.split("=", 2) as [string, string])),
  );
}

/** The sum of columns; one that the table does not have is 0. */
export function column(rows: readonly TableRow[], ...names: readonly string[]): Counts {
  return new Map(
    rows.map((row) => [row.get("key")!, names.reduce((sum, name) => sum + Number(row.get(name) ?? 0), 0)]),
  );
}
