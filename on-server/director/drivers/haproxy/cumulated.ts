/** Counts of HAProxy's tables, which forget rows when others come. Pure. */

/** Counts of one column, by the rows' keys. */
export type Counts = ReadonlyMap<string, number>;

/** Finds what was counted between two looks at a column. */
export class Increases {
  private last: Counts = new Map();

  /** @returns what came since the last call; all of it if the row was forgotten meanwhile. */
  follow(now: Counts): [key: string, more: number][] {
    const found = [...now].flatMap(([key, count]): [string, number][] => {
      const before = this.last.get(key) ?? 0;
      const more = count >= before ? count - before : count;
      return more === 0 ? [] : [[key, more]];
    });
    this.last = now;
    return found;
  }
}

/** Cumulates a count that begins again with 0 whenever its row was forgotten. */
export class Cumulated {
  private readonly increases = new Increases();
  readonly total = new Map<string, number>();

  follow(now: Counts): void {
    for (const [key, more] of this.increases.follow(now)) this.add(key, more);
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
